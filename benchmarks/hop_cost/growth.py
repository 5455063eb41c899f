"""How cost grows: hop, width, rate, outputs, and concurrent patches that share one session."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.benchmarks.measuring.timing import compare
from ecg_edge.device.inference.load import Model, load_model
from ecg_edge.device.lead_algebra import missing_basis
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.firmware_bridge.progress import Progress

HOPS = (8, 16, 32, 64)
WIDTHS = (0.5, 0.75, 1.0, 1.5, 2.0)
STREAMS = (1, 2, 4, 8, 16, 32, 64)
RATES = (100, 250, 500)
_HOPS_TIMED = 25


def measure(rounds: int = 5) -> dict[str, Any]:
    """Share of a core per stream, in percent, for one property after another; fp32 graphs with random weights."""
    with tempfile.TemporaryDirectory() as folder, Progress("growth", 4) as progress:
        out: dict[str, Any] = {}
        for name, plan in (("hop", _hops()), ("width", _widths()), ("fs", _rates()), ("outputs", _outputs())):
            models = {label: _file(net, hop, Path(folder) / f"{name}-{k}") for k, (label, net, hop) in enumerate(plan)}
            out[name] = _percent(models, rounds)
            progress.step()
    return out


def streams(model: Model, rounds: int = 3) -> dict[str, Any]:
    """Cost of 1 to 64 streams, each with its own state, on one session, at full speed in one thread.

    Returns
    -------
    dict
        ``rows``: percent of a core together and each. ``saturate``: the number of streams that fill one core, from
        the cost of each further stream between the first and the last row.
    """
    rows = []
    for n in STREAMS:
        many = [StreamReconstructor(model) for _ in range(n)]
        x = np.random.default_rng(0).normal(0, 0.3, (model.spec.hop, model.spec.n_inputs)).astype(np.float32)

        def work(many: list[StreamReconstructor] = many, x: Any = x) -> None:
            for s in many:
                s.feed(x)

        calls = max(2, 60 // n)
        seconds = compare({"all": work}, rounds, {"all": calls})["all"]
        percent = 100 * seconds * model.spec.fs / model.spec.hop
        rows.append({"streams": n, "core_percent": percent, "each_percent": percent / n})
    first, last = rows[0], rows[-1]
    slope = (last["core_percent"] - first["core_percent"]) / (last["streams"] - first["streams"])
    return {"rows": rows, "saturate": 100 / slope}


def _base() -> Any:
    from ecg_edge.train.network.unet import NetSpec

    return NetSpec(("I", "II"))


def _hops() -> list[tuple[str, Any, int]]:
    return [(f"{10 * h} ms", _base(), h) for h in HOPS]


def _widths() -> list[tuple[str, Any, int]]:
    base = _base()
    return [
        (f"x {w:g}", dataclasses.replace(base, channels=tuple(max(4, round(c * w)) for c in base.channels)), base.hop)
        for w in WIDTHS
    ]


def _rates() -> list[tuple[str, Any, int]]:
    """The same network at a higher rate, with a hop of 80 ms."""
    base = _base()
    return [(f"{fs} Hz", dataclasses.replace(base, fs=fs), base.hop * round(fs / 100)) for fs in RATES]


def _outputs() -> list[tuple[str, Any, int]]:
    sets = (("I", "II"), ("I", "II", "V2"), ("I", "II", "V2", "V5"), ("I", "II", "V1", "V2", "V3", "V4", "V5"))
    base = _base()
    return [(f"{len(missing_basis(s))} leads", dataclasses.replace(base, input_leads=s), base.hop) for s in sets]


def _file(net: Any, hop: int, folder: Path) -> Model:
    """A streaming file of this shape whose graph takes `hop` samples at a time."""
    import torch

    from ecg_edge.benchmarks.hop_cost.random_weights import file_of

    torch.manual_seed(0)
    folder.mkdir()
    return load_model(file_of(net, "fp32", folder, hop))


def _percent(models: dict[str, Model], rounds: int) -> dict[str, float]:
    works, calls = {}, {}
    for name, model in models.items():
        stream = StreamReconstructor(model)
        x = np.random.default_rng(0).normal(0, 0.3, (model.spec.hop, model.spec.n_inputs)).astype(np.float32)
        works[name] = lambda stream=stream, x=x: stream.feed(x)
        calls[name] = _HOPS_TIMED
    seconds = compare(works, rounds, calls)
    return {name: 100 * s * models[name].spec.fs / models[name].spec.hop for name, s in seconds.items()}
