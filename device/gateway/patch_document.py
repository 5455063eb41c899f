"""The settings of a patch as a JSON document, for the process that runs it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ecg_edge.device.live.options import Options
from ecg_edge.device.sources.rescaled import Scale


def to_document(options: Options) -> dict[str, Any]:
    """Return plain values for JSON."""
    return asdict(options)


def from_document(document: dict[str, Any]) -> Options:
    """Return the settings that `to_document` wrote."""
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
    return Options(**given | {"scales": {k: Scale(**v) for k, v in document["scales"].items()}})
