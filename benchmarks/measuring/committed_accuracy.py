"""Accuracy of what is compared, from the committed results: nothing is scored here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Accuracy:
    """Mean over the hidden leads.

    Attributes
    ----------
    r, rmse_mv : float
        Correlation, and error in mV.
    where : str
        Which records, and how the network was trained.
    """

    r: float
    rmse_mv: float
    where: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"r": self.r, "rmse_mv": self.rmse_mv, "where": self.where}


def _mean(doc: Any, where: str) -> Accuracy:
    return Accuracy(float(doc["mean"]["r"]), float(doc["mean"]["rmse_mv"]), where)


def load(results: Path, name: str) -> Any:
    """A committed result, or nothing where it is not there."""
    file = results / f"{name}.json"
    return json.loads(file.read_text()) if file.is_file() else {}


def shipped(results: Path, model: str) -> dict[str, Accuracy]:
    """Of a shipped model and of the ridge baselines on fold 10: keys ``ours``, ``ridge 1``, ``ridge 31``."""
    doc = load(results, f"{model}.fold10")
    if not doc:
        return {}
    out = {"ours": _mean(doc, "fold 10, shipped")}
    for name, found in doc.get("baselines", {}).items():
        if name.startswith("ridge"):
            out[name] = _mean(found, "fold 10, all of folds 1–8")
    return out


def study(results: Path, configuration: str = "I+II") -> dict[str, Accuracy]:
    """Of ours and of the offline U-Net in the lead-information study: keys ``ours``, ``offline U-Net``."""
    rows = load(results, "gradowski2025").get("rows", [])
    return {
        row["design"]: _mean(row["figures"], _study_words(row))
        for row in rows
        if row["configuration"] == configuration and row["design"] in ("ours", "offline U-Net")
    }


def _study_words(row: dict[str, Any]) -> str:
    return f"fold 10, a study's: {row['records']['train']} records, {row['epochs']} epochs"
