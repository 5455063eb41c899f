"""The front of accuracy, latency and size over look-ahead, width and precision, from committed results.

Accuracy is read from ``docs/results`` and from the model files' own tables. Sizes of networks that are not shipped
are those of files with random weights.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ecg_edge.benchmarks.measuring import committed_accuracy as accuracy
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.inference.shipped import shipped_models
from ecg_edge.firmware_bridge.errors import MissingExtraError

DEFAULT = "i-ii-int8"


def points(results: Path, sizes: bool = True) -> dict[str, Any]:
    """Every point there is a figure for.

    Parameters
    ----------
    results : Path
        Committed results.
    sizes : bool
        Whether to write files for the sizes of the studies' networks, which takes torch.

    Returns
    -------
    dict
        ``points``, each with name, group (``shipped``, ``precision``, ``look-ahead``, ``width``), precision, width.
        Further: algorithmic latency in ms, size in kB (0 unknown), r, RMSE in mV, whether it is the default.
    """
    out = [*_shipped(results), *_precisions(), *_study(results, "lookahead", sizes), *_study(results, "width", sizes)]
    missing = [name for name in ("lookahead", "width") if not (results / f"{name}.json").is_file()]
    found = {"points": out} if any(p["group"] != "precision" for p in out) else {}
    if not found:
        return {"why_not": f"no results in {results.name}/; they come with the repository"}
    return found | {"missing": missing}


def _point(name: str, group: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "group": group, "width": 1.0, "default": False, **more}


def _shipped(results: Path) -> Iterator[dict[str, Any]]:
    for name, path in shipped_models().items():
        if found := accuracy.shipped(results, name).get("ours"):
            spec = load_model(path).spec
            yield _point(
                name, "shipped", precision=spec.precision, latency_ms=1e3 * spec.algorithmic_latency_s,
                kb=path.stat().st_size / 1000, r=found.r, rmse_mv=found.rmse_mv, default=name == DEFAULT,
            )  # fmt: skip


def _precisions() -> Iterator[dict[str, Any]]:
    """The default on fold 9, from its own file: 8 bits against float."""
    path = shipped_models()[DEFAULT]
    spec = load_model(path).spec
    for precision in ("fp32", "int8"):
        found = spec.accuracy.get(precision, {}).get("mean")
        if found:
            kb = path.stat().st_size / 1000 if precision == spec.precision else _kb(spec.training["network"], precision)
            yield _point(
                f"{DEFAULT.removesuffix('-int8')} {precision}, fold 9", "precision", precision=precision,
                latency_ms=1e3 * spec.algorithmic_latency_s, kb=kb, r=float(found["r"]),
                rmse_mv=float(found["rmse_mv"]),
            )  # fmt: skip


def _study(results: Path, study: str, sizes: bool) -> Iterator[dict[str, Any]]:
    """Rows of a study of streaming networks, all scored in float; the row that has the shipped shape is the default."""
    shape = load_model(DEFAULT).spec.training["network"]
    for row in accuracy.load(results, study).get("rows", []):
        net = row["settings"]["net"]
        if row["design"] != "ours":
            continue
        group = "look-ahead" if study == "lookahead" else study
        mean = row["figures"]["mean"]
        yield _point(
            f"{group} {row['configuration']}", group, precision="fp32", width=net["channels"][0] / shape["channels"][0],
            latency_ms=1e3 * (_hop(net) + net["lookahead"] - 1) / net["fs"], r=float(mean["r"]),
            rmse_mv=float(mean["rmse_mv"]), kb=_kb(net, "fp32") if sizes else 0.0,
            int8_kb=_kb(net, "int8") if sizes else 0.0,
            default=(net["channels"], net["lookahead"]) == (shape["channels"], shape["lookahead"]),
        )  # fmt: skip


def _hop(net: dict[str, Any]) -> int:
    return 1 << (len(net["channels"]) - 1)


def _kb(net: dict[str, Any], precision: str) -> float:
    """Size of an ONNX file of this shape; 0 where torch is not installed."""
    try:
        from ecg_edge.benchmarks.hop_cost.random_weights import file_of
        from ecg_edge.train.network.unet import NetSpec

        known = {f.name for f in dataclasses.fields(NetSpec)}
        spec = NetSpec.from_dict({k: v for k, v in net.items() if k in known})
        with tempfile.TemporaryDirectory() as folder:
            return file_of(spec, precision, Path(folder)).stat().st_size / 1000
    except (ImportError, MissingExtraError):
        return 0.0
