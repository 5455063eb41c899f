"""What a user would run instead, timed in turns with ours: the same hop, the same output, one process."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.benchmarks.timing import ratio, turns
from ecg_edge.device.model import Model, load_model
from ecg_edge.device.progress import Progress

WINDOW_S = 10.0
Floats = npt.NDArray[np.float32]


def measure(model: Model, rounds: int = 9) -> dict[str, Any]:
    """Cost per second of signal of ours and of each alternative.

    Parameters
    ----------
    model : Model
        A shipped one: its layer plan is used (with random weights where a file of another kind must be
        written), its ridge baseline, its hop.
    rounds : int
        Turns.

    Returns
    -------
    dict
        ``rows``: name, algorithmic latency in ms, share of a core in percent, megabytes of file, ratio to
        ours in the same arithmetic.
    """
    import torch

    torch.set_num_threads(1)
    spec = model.spec
    per_s = spec.fs / spec.hop
    with tempfile.TemporaryDirectory() as folder, Progress("alternatives", 2) as progress:
        works, sizes, latency = _works(model, Path(folder))
        progress.step()
        calls = {name: 4 if "window" in name else 80 for name in works}
        seen = turns(works, rounds, calls)
        progress.step()
    rows = []
    for name, times in seen.items():
        mid, low, high = ratio(times, seen[_ours(name)])
        cost = float(np.median(times))
        rows.append(
            {
                "name": name,
                "latency_ms": round(1e3 * latency[name], 1),
                "core_percent": 100 * cost * per_s,
                "ms_per_hop": 1e3 * cost,
                "mb": sizes[name] / 1e6,
                "against": _ours(name),
                "ratio": mid,
                "ratio_quartiles": [low, high],
            }
        )
    return {"model": model.path.name, "hop_ms": 1e3 / per_s, "window_s": WINDOW_S, "rounds": rounds, "rows": rows}


def _ours(name: str) -> str:
    """Our streaming file that a row is held against: the same runtime and arithmetic."""
    return next((f"streaming {kind}" for kind in ("LiteRT int8", "int8") if name.endswith(kind)), "streaming fp32")


def _works(model: Model, folder: Path) -> tuple[dict[str, Callable[[], object]], dict[str, int], dict[str, float]]:
    """What to time, the size of each file in bytes, and its algorithmic latency in seconds."""
    from ecg_edge.benchmarks import rival_nets
    from ecg_edge.train.network import NetSpec
    from ecg_edge.train.offline_unet import OfflineUNet

    spec = model.spec
    hop_s, n = spec.hop / spec.fs, round(WINDOW_S * spec.fs)
    works: dict[str, Callable[[], object]] = {}
    sizes: dict[str, int] = {}
    latency: dict[str, float] = {}

    def add(name: str, work: Callable[[], object], size: int, seconds: float) -> None:
        works[name], sizes[name], latency[name] = work, size, seconds

    for label, offline, path in _same_network(model, folder):
        run = _window(path, n) if offline else _stream(path)
        name = f"the same net, 10 s window, {label}" if offline else f"streaming {label}"
        add(name, run, path.stat().st_size, spec.algorithmic_latency_s)
    if "31" in spec.ridge:
        weights = spec.ridge["31"]
        x = np.random.default_rng(0).normal(size=(spec.hop, len(weights))).astype(np.float32)
        add("ridge, 31 taps", lambda: x @ weights, weights.nbytes, hop_s + 15 / spec.fs)
    net = NetSpec(spec.input_leads, lookahead=0)
    nets = {
        "the offline U-Net of Gradowski & Buchner, 10 s window": (OfflineUNet(net), (1, len(spec.input_leads), n)),
        "MCMA-like UNet3+, 10.24 s window": (
            rival_nets.MaskedAutoencoder(),
            (1, 12, rival_nets.MaskedAutoencoder.WINDOW),
        ),
        "ECGrecover-like U-Net, 5.12 s window": (rival_nets.PictureUNet(), (1, 12, rival_nets.PictureUNet.WINDOW)),
    }
    for name, (module, shape) in nets.items():
        blob = _to_onnx(module, shape)
        add(name, _session(blob, shape), len(blob), hop_s)
    return works, sizes, latency


def _same_network(model: Model, folder: Path) -> list[tuple[str, bool, Path]]:
    """The model's layer plan with random weights: streaming and offline, fp32 and int8, ONNX and TFLite."""
    import torch

    from ecg_edge.export.build import Exporter
    from ecg_edge.export.graph import from_body
    from ecg_edge.export.target import Target
    from ecg_edge.train.network import NetSpec, Reconstructor

    torch.manual_seed(0)
    network = Reconstructor(NetSpec.from_dict(model.spec.training["network"])).eval()
    exporter = Exporter(network, from_body(network.body), model.spec)
    noise = np.random.default_rng(0).normal(0, 0.3, (8, 400, model.spec.n_inputs)).astype(np.float32)
    quant = exporter.quantise(noise)
    out = []
    for form, precision, label in (
        ("onnx", "fp32", "fp32"),
        ("onnx", "int8", "int8"),
        ("tflite", "int8", "LiteRT int8"),
    ):
        for offline in (False, True):
            target = Target(form, precision, offline)
            path = folder / target.file_name("same")
            n = round(WINDOW_S * model.spec.fs)
            exporter.write(path, target, exporter.describe(target, quant, {}, {}), quant, n)
            out.append((label, offline, path))
    return out


def _stream(path: Path) -> Callable[[], object]:
    model = load_model(path)
    state = [model.backend.initial_state()]
    x = np.random.default_rng(0).normal(0, 0.3, (model.spec.hop, model.spec.n_inputs)).astype(np.float32)

    def work() -> object:
        features, state[0] = model.backend.step(x, state[0])
        return features

    return work


def _window(path: Path, n: int) -> Callable[[], object]:
    """Run a whole window again, as is done for every hop where a network cannot stream."""
    from ecg_edge.export.estimates import offline

    spec, body, _ = offline(path)
    x = np.random.default_rng(0).normal(0, 0.3, (n, spec.n_inputs)).astype(np.float32)
    return lambda: body(x)


def _session(blob: bytes, shape: tuple[int, ...]) -> Callable[[], object]:
    from ecg_edge.device.onnx_backend import open_session

    session, _ = open_session(blob, Path("window.onnx"))
    name = session.get_inputs()[0].name
    x = np.random.default_rng(0).normal(0, 0.3, shape).astype(np.float32)
    return lambda: session.run(None, {name: x})


def _to_onnx(module: Any, shape: tuple[int, ...]) -> bytes:
    import torch

    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # torch calls its own exporter old; the new one needs onnxscript
        path = Path(folder) / "net.onnx"
        torch.onnx.export(module.eval(), (torch.zeros(shape),), str(path), dynamo=False, opset_version=17)
        return path.read_bytes()
