"""What a user would run instead, timed in turns with ours: the same hop, the same output, one process."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.benchmarks.measuring import committed_accuracy as accuracy
from ecg_edge.benchmarks.measuring.committed_accuracy import Accuracy
from ecg_edge.benchmarks.measuring.timing import ratio, turns
from ecg_edge.benchmarks.rivals import memory
from ecg_edge.benchmarks.rivals.run_once import foreign, stream, window
from ecg_edge.device.inference.load import Model
from ecg_edge.firmware_bridge.progress import Progress

WINDOW_S = 10.0
OPENINGS = 2
"""Sessions are opened anew for each half of the turns: where memory lies is drawn once per session."""


@dataclass(frozen=True)
class Rival:
    """One row.

    Attributes
    ----------
    name : str
        As the table says.
    open : callable
        Opens a session; returns what gives one hop's output.
    n_bytes : int
        Of the file.
    latency_s : float
        Algorithmic.
    path : Path or None
        The file whose memory is taken, and `shape` as `memory.of` wants it.
    accuracy : Accuracy or None
        Where it has been trained.
    """

    name: str
    open: Callable[[], Callable[[], object]]
    n_bytes: int
    latency_s: float
    path: Path | None = None
    shape: tuple[int, ...] | None = None
    accuracy: Accuracy | None = None


def measure(model: Model, results: Path, rounds: int = 9) -> dict[str, Any]:
    """Cost per second of signal of ours and of each alternative.

    Parameters
    ----------
    model : Model
        A shipped one: its layer plan is used (with random weights where a file of another kind must be
        written), its ridge baseline, its hop.
    results : Path
        Committed accuracy.
    rounds : int
        Turns with each opening.

    Returns
    -------
    dict
        ``rows``: name, algorithmic latency in ms, percent of a core, megabytes of file and of memory, accuracy, ratio
        to ours with its spread. ``openings_apart_percent``: the largest difference between the ratios of the two
        openings.
    """
    import torch

    torch.set_num_threads(1)
    per_s = model.spec.fs / model.spec.hop
    with tempfile.TemporaryDirectory() as folder, Progress("alternatives", 2 * OPENINGS) as progress:
        rivals = _rivals(model, Path(folder), results)
        progress.step()
        seen = []
        for _ in range(OPENINGS):
            works = {r.name: r.open() for r in rivals}
            seen.append(turns(works, rounds, {name: 4 if "window" in name else 80 for name in works}))
            progress.step()
        used = {r.name: memory.of(r.path, r.shape) for r in rivals if r.path}
        progress.step()
    rows, apart = [], 0.0
    for rival in rivals:
        mid, low, high, between = pooled(seen, rival.name, _ours(rival.name))
        apart = max(apart, between if rival.path else 0.0)
        cost = float(np.median([t for turn in seen for t in turn[rival.name]]))
        rows.append(
            {
                "name": rival.name,
                "latency_ms": round(1e3 * rival.latency_s, 1),
                "core_percent": 100 * cost * per_s,
                "ms_per_hop": 1e3 * cost,
                "mb": rival.n_bytes / 1e6,
                "memory_mb": used.get(rival.name),
                "accuracy": rival.accuracy.to_dict() if rival.accuracy else None,
                "against": _ours(rival.name),
                "ratio": mid,
                "ratio_spread": [low, high],
            }
        )
    return {
        "model": model.path.name, "hop_ms": 1e3 / per_s, "window_s": WINDOW_S, "rounds": rounds,
        "openings": OPENINGS, "openings_apart_percent": 100 * apart, "rows": rows,
    }  # fmt: skip


def pooled(seen: list[dict[str, list[float]]], name: str, ours: str) -> tuple[float, float, float, float]:
    """Ratio of a row to ours over all openings.

    Returns
    -------
    tuple of float
        Median of all turns. Lowest and highest quartile of any opening. Distance between the openings' medians, as a
        share of the median.
    """
    each = [ratio(s[name], s[ours]) for s in seen]
    mid, _, _ = ratio([t for s in seen for t in s[name]], [t for s in seen for t in s[ours]])
    mids = [m for m, _, _ in each]
    return mid, min(e[1] for e in each), max(e[2] for e in each), (max(mids) - min(mids)) / mid


def agreement(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a second run's ratios lie within the spread that the first states.

    Returns
    -------
    dict
        ``of``: number of ratios in both. ``within``: those of `now` inside the spread of `before`. ``outside``: names
        of the others, each with its distance from the spread in percent.
    """
    old = {r["name"]: r for r in before.get("rows", []) if "ratio_spread" in r}
    new = {r["name"]: r for r in now.get("rows", []) if r["name"] in old and r["name"] != r["against"]}
    outside = {}
    for name, row in new.items():
        low, high = old[name]["ratio_spread"]
        if not low <= row["ratio"] <= high:
            outside[name] = round(100 * max(low / row["ratio"], row["ratio"] / high) - 100, 1)
    return {"of": len(new), "within": len(new) - len(outside), "outside": outside}


def _ours(name: str) -> str:
    """Our streaming file that a row is held against: the same runtime and arithmetic."""
    return next((f"streaming {kind}" for kind in ("LiteRT int8", "int8") if name.endswith(kind)), "streaming fp32")


def _rivals(model: Model, folder: Path, results: Path) -> list[Rival]:
    """All rows, their files written."""
    from ecg_edge.benchmarks.rivals import rival_nets
    from ecg_edge.train.network.offline_unet import OfflineUNet
    from ecg_edge.train.network.unet import NetSpec

    spec = model.spec
    hop_s, n = spec.hop / spec.fs, round(WINDOW_S * spec.fs)
    known, studied = accuracy.shipped(results, model.path.stem), accuracy.study(results)
    out = []
    for label, offline, path in _same_network(model, folder):
        size, ours = path.stat().st_size, _as_file(known.get("ours"), model, label)
        latency = spec.algorithmic_latency_s
        if offline:
            name = f"the same net, {WINDOW_S:g} s window, {label}"
            out.append(Rival(name, partial(window, path, n), size, latency, path, (n, spec.n_inputs), ours))
        else:
            out.append(Rival(f"streaming {label}", partial(stream, path), size, latency, path, None, ours))
    if "31" in spec.ridge:
        weights = spec.ridge["31"]
        x = np.random.default_rng(0).normal(size=(spec.hop, len(weights))).astype(np.float32)
        found = known.get("ridge 31")
        out.append(
            Rival("ridge, 31 taps", lambda: lambda: x @ weights, weights.nbytes, hop_s + 15 / spec.fs, accuracy=found)
        )
    nets = {
        "the offline U-Net of Gradowski & Buchner, 10 s window": (
            OfflineUNet(NetSpec(spec.input_leads, lookahead=0)),
            (1, len(spec.input_leads), n),
            studied.get("offline U-Net"),
        ),
        "MCMA-like UNet3+, 10.24 s window": (
            rival_nets.MaskedAutoencoder(), (1, 12, rival_nets.MaskedAutoencoder.WINDOW), None
        ),
        "ECGrecover-like U-Net, 5.12 s window": (
            rival_nets.PictureUNet(), (1, 12, rival_nets.PictureUNet.WINDOW), None
        ),
    }  # fmt: skip
    for k, (name, (module, shape, found)) in enumerate(nets.items()):
        path = folder / f"rival-{k}.onnx"
        path.write_bytes(_to_onnx(module, shape))
        out.append(Rival(name, partial(foreign, path, shape), path.stat().st_size, hop_s, path, shape, found))
    return out


def _as_file(known: Accuracy | None, model: Model, label: str) -> Accuracy | None:
    """What is scored is the 8-bit file; how far the float file is from it, its own table says."""
    table = model.spec.accuracy
    if known is None or "int8" in label or not {"fp32", "int8"} <= table.keys():
        return known
    more = 100 * (table["int8"]["mean"]["rmse_mv"] / table["fp32"]["mean"]["rmse_mv"] - 1)
    return replace(known, where=f"fold 10, in 8 bits (float: {-more:+.2f} % RMSE on fold 9)")


def _same_network(model: Model, folder: Path) -> list[tuple[str, bool, Path]]:
    """The model's layer plan with random weights: streaming and offline, fp32 and int8, ONNX and TFLite."""
    import torch

    from ecg_edge.export.exporter import Exporter
    from ecg_edge.export.graph import from_body
    from ecg_edge.export.targets import Target
    from ecg_edge.train.network.unet import NetSpec, UNet

    torch.manual_seed(0)
    network = UNet(NetSpec.from_dict(model.spec.training["network"])).eval()
    plain = Exporter(network, from_body(network.body), model.spec)
    noise = np.random.default_rng(0).normal(0, 0.3, (8, 400, model.spec.n_inputs)).astype(np.float32)
    exporter = plain.for_eight_bits(noise)
    quant = exporter.quantisation
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


def _to_onnx(module: Any, shape: tuple[int, ...]) -> bytes:
    import torch

    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # torch calls its own exporter old; the new one needs onnxscript
        path = Path(folder) / "net.onnx"
        torch.onnx.export(module.eval(), (torch.zeros(shape),), str(path), dynamo=False, opset_version=17)
        return path.read_bytes()
