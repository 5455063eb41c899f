"""What a page shows, as plain values: any source of twelve leads can fill it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ecg_edge.device.measurements.figures import Measurements
from ecg_edge.firmware_bridge.array_types import FloatArray

RHYTHM = ("II", "I", "V1", "V2", "V3", "V4", "V5", "V6", "III", "aVR", "aVL", "aVF")
"""Order of preference for the rhythm strip, among leads of the best provenance on the page."""
KINDS = ("measured", "derived", "", "reconstructed")
"""Provenances, the surest first; empty: not stated."""


@dataclass(frozen=True)
class Strip:
    """One lead as one provenance has it.

    Attributes
    ----------
    kind : str
        ``measured``, ``derived``, ``reconstructed``, or empty where it is not stated.
    mv, half : ndarray of float64, shape (n_samples,)
        In mV, NaN where there is nothing; half-width of the stated interval, NaN where there is none.
    """

    kind: str
    mv: FloatArray
    half: FloatArray


@dataclass(frozen=True)
class PageContent:
    """Up to ten seconds of twelve leads, and all that is said about them.

    Attributes
    ----------
    fs : float
        Rate in Hz.
    leads : dict of str to tuple of Strip
        At every row one strip of a lead at most is a number. A lead that is not here has an empty place.
    name, identifier, born, sex : str
        Of the person; empty where not known. `born` is a date or an age.
    when : str
        Local time with its zone.
    device, electrodes, record, model, calibration : str
        The device; where its electrodes were; the source of the stretch; what reconstructed the rest; whether it was
        calibrated to the person, and when.
    filters : str
        Both edges and the notch.
    measurements : Measurements or None
    notes : tuple of str
        What happened in the stretch.
    """

    fs: float
    leads: dict[str, tuple[Strip, ...]]
    name: str = ""
    identifier: str = ""
    born: str = ""
    sex: str = ""
    when: str = ""
    device: str = ""
    electrodes: str = ""
    record: str = ""
    model: str = ""
    calibration: str = ""
    filters: str = ""
    measurements: Measurements | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def seconds(self) -> float:
        """Length of the stretch."""
        return max(len(s.mv) for strips in self.leads.values() for s in strips) / self.fs

    @property
    def rhythm(self) -> str:
        """Lead of the rhythm strip: the one of which most is measured, else derived."""

        def amounts(lead: str) -> list[int]:
            return [sum(int(np.isfinite(s.mv).sum()) for s in self.leads[lead] if s.kind == k) for k in KINDS]

        return max((lead for lead in RHYTHM if lead in self.leads), key=amounts)

    def of(self, kind: str) -> list[str]:
        """Leads with a number of a provenance."""
        return [
            x for x, strips in self.leads.items() if any(s.kind == kind and np.isfinite(s.mv).any() for s in strips)
        ]


def kinds_of(strips: Sequence[Strip]) -> list[str]:
    """Provenances of which a stretch holds a number, the surest first; the first strip's where none does."""
    there = {s.kind for s in strips if np.isfinite(s.mv).any()} or {s.kind for s in strips[:1]}
    return [k for k in KINDS if k in there]
