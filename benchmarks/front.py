"""Points of accuracy, latency and size: the shipped files and the look-ahead study, from committed results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ecg_edge.device.model import load_model, shipped_models

_HOP_MS, _SAMPLE_MS = 80.0, 10.0
"""Of the study's networks, which all run at 100 Hz."""


def points(results: Path) -> dict[str, Any]:
    """What `docs/results` holds of the shipped models, and of the study where it is there."""
    out = []
    for name, path in shipped_models().items():
        file = results / f"{name}.fold10.json"
        if file.is_file():
            mean = _mean(json.loads(file.read_text()))
            spec = load_model(path).spec
            size = path.stat().st_size / 1000
            out.append({"name": name, "latency_ms": 1e3 * spec.algorithmic_latency_s, "kb": size, **mean})
    study = results / "lookahead.json"
    if study.is_file():
        for row in json.loads(study.read_text()).get("rows", []):
            ahead, _, unit = row["configuration"].partition(" ")
            if unit == "ms":
                latency = _HOP_MS - _SAMPLE_MS + float(ahead)
                out.append(
                    {
                        "name": f"study: {row['configuration']}",
                        "latency_ms": latency,
                        "kb": 0.0,
                        **_mean(row["figures"]),
                    }
                )
    return {"points": out} if out else {"why_not": f"no results in {results.name}/; they come with the repository"}


def _mean(doc: dict[str, Any]) -> dict[str, float]:
    return {key: float(doc["mean"][key]) for key in ("r", "rmse_mv")}
