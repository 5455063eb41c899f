"""The shipped geometry in every format and precision, and with longer hops, from random weights.

Only 8-bit files are shipped. The cost of a hop does not depend on the weights, so the other kinds are written here to
be timed. Their rows are marked as random weights.
"""

from __future__ import annotations

import json
from pathlib import Path

from ecg_edge.benchmarks.hop_cost.random_weights import exporter_of, noise
from ecg_edge.export.targets import choose

HOPS = (8, 16, 32)
"""In samples at 100 Hz: 80 ms as shipped, and longer."""
KINDS = tuple(choose("onnx,tflite", int8=True, fp16=True, dynamic=True, offline=False))
RUN = "i-ii-torch"


def write(folder: Path, hops: tuple[int, ...] = HOPS) -> dict[int, list[str]]:
    """Write every kind of file for each hop, and a run folder that torch can step.

    Parameters
    ----------
    folder : Path
        Exists.
    hops : tuple of int
        Multiples of the network's own hop, in samples.

    Returns
    -------
    dict of int to list of str
        Paths by hop: six files, then the run folder.
    """
    import torch

    from ecg_edge.train.network.unet import NetSpec, UNet
    from ecg_edge.train.runs.checkpoints import write_checkpoint

    torch.manual_seed(0)
    network = UNet(NetSpec(("I", "II"))).eval()
    run = folder / RUN
    run.mkdir()
    (run / "config.json").write_text(json.dumps({"weights": "random"}))
    state = {"net": network.spec.to_dict(), "spec": {}, "average": network.state_dict(), "epoch": 0}
    write_checkpoint(run / "best.pt", state)
    out: dict[int, list[str]] = {}
    for hop in hops:
        exporter = exporter_of(network, hop).for_eight_bits(noise(network.spec.n_inputs))
        quant = exporter.quantisation
        place = folder / f"hop-{hop}"
        place.mkdir()
        files = [
            exporter.write(place / t.file_name("i-ii"), t, exporter.describe(t, quant, {}, {}), quant) for t in KINDS
        ]
        out[hop] = [*map(str, files), str(run)]
    return out
