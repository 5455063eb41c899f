"""What is measured: each figure with its unit, the leads it was read from and how well."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NOT_IDENTIFIABLE = "not identifiable"
"""In words what None means: the figure cannot be told from this signal."""
INTERVALS = (
    ("heart_rate", "Heart rate"), ("p", "P"), ("pr", "PR"), ("qrs", "QRS"), ("qt", "QT"),
    ("qtc_bazett", "QTc Bazett"), ("qtc_fridericia", "QTc Fridericia"),
    ("p_axis", "P axis"), ("qrs_axis", "QRS axis"), ("t_axis", "T axis"),
)  # fmt: skip
"""Names of the global figures, and how a person reads them."""
WAVES = ("r", "s", "t", "st_j", "st_j60")
"""Names of the amplitudes of each lead."""
UNSTATED = "provenance not stated"
"""In words: the record does not say whether a lead was measured, so it is never called that."""


@dataclass(frozen=True)
class Figure:
    """One measured value.

    Attributes
    ----------
    value : float
    unit : str
        ``ms``, ``mV``, ``°`` or ``/min``.
    leads : tuple of str
        The leads it was read from.
    quality : str
        ``good``: at least five beats, two independent leads, noise below 5 % of the wave, a value that hearts have.
        Both halves of the beats give it as well. Else ``fair``.
    interval : float or None
        Of an amplitude of a reconstructed lead: half-width of the interval the model states.
    stated : bool
        Whether the record says that all of `leads` were measured or derived, or are estimates.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> str(ee.Figure(92, "ms", ("I", "II"), "good")), str(ee.Figure(0.42, "mV", ("V2",), "fair", 0.15))
    ('92 ms', '0.42 ± 0.15 mV')
    """

    value: float
    unit: str
    leads: tuple[str, ...]
    quality: str
    interval: float | None = None
    stated: bool = True

    @property
    def read_from(self) -> str:
        """The leads in words, with what is not stated of them."""
        return " ".join(self.leads) + ("" if self.stated else f", {UNSTATED}")

    def __str__(self) -> str:
        spread = f" ± {self.interval:g}" if self.interval is not None else ""
        return f"{self.value:g}{spread}{'' if self.unit == '°' else ' '}{self.unit}"


@dataclass(frozen=True)
class Measurements:
    """What is read off the representative beat of some seconds.

    Attributes
    ----------
    beats, found : int
        Beats in the representative beat, and beats there are.
    heart_rate, p, pr, qrs, qt, qtc_bazett, qtc_fridericia : Figure or None
        Beats per minute, and ms. None: not identifiable.
    p_axis, qrs_axis, t_axis : Figure or None
        Frontal axes in degrees.
    amplitudes : dict of str to dict of str to Figure or None
        By lead, and by wave: ``r``, ``s``, ``t``, ``st_j`` and ``st_j60`` in mV against the level at QRS onset.
    longest_rr : Figure or None
        The longest interval in ms, up to the end of the stretch where no beat follows.
    notes : tuple of str
        What a reader of the figures must know: a pause, waves that may be beats.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> ee.Measurements(beats=9, found=9).qt is None
    True
    """

    beats: int
    found: int
    heart_rate: Figure | None = None
    p: Figure | None = None
    pr: Figure | None = None
    qrs: Figure | None = None
    qt: Figure | None = None
    qtc_bazett: Figure | None = None
    qtc_fridericia: Figure | None = None
    p_axis: Figure | None = None
    qrs_axis: Figure | None = None
    t_axis: Figure | None = None
    amplitudes: dict[str, dict[str, Figure | None]] = field(default_factory=dict)
    longest_rr: Figure | None = None
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the same as plain values, for JSON."""
        named = {name: _plain(getattr(self, name)) for name, _ in INTERVALS}
        waves = {lead: {w: _plain(f) for w, f in row.items()} for lead, row in self.amplitudes.items()}
        rest = {"longest_rr": _plain(self.longest_rr), "notes": list(self.notes)}
        return {"beats": self.beats, "found": self.found, **named, "amplitudes": waves, **rest}

    def line(self) -> str:
        """Return the global figures in one line: ``Heart rate 65 /min, PR 160 ms``; unknown ones are left out."""
        said = [f"{title} {f}" for name, title in INTERVALS if (f := getattr(self, name)) is not None]
        return "; ".join([", ".join(said) or NOT_IDENTIFIABLE, *self.notes])


def _plain(figure: Figure | None) -> dict[str, Any] | None:
    if figure is None:
        return None
    out = {"value": figure.value, "unit": figure.unit, "leads": list(figure.leads), "quality": figure.quality}
    out |= {} if figure.interval is None else {"interval": figure.interval}
    return out if figure.stated else {**out, "provenance": "not stated"}
