"""The one table of units: what a unit's name is in millivolts."""

from __future__ import annotations

import re
import unicodedata

_PREFIXES = {"": 1e3, "m": 1.0, "milli": 1.0, "u": 1e-3, "μ": 1e-3, "micro": 1e-3, "n": 1e-6, "nano": 1e-6}
_MV_PER = {prefix + name: mv for prefix, mv in _PREFIXES.items() for name in ("v", "volt", "volts")}


PLAUSIBLE_MV = 20.0
"""No ECG departs so far from its own median: samples without a unit that do are not in mV."""
_OTHER = frozenset([
    "mmhg", "cmh2o", "kpa", "hpa", "pa", "bar", "mbar", "torr", "%", "percent", "spo2", "bpm", "/min",
    "1/min", "min-1", "rpm", "brpm", "°c", "degc", "c", "celsius", "°f", "k", "l", "ml", "l/min", "ml/min",
    "l/s", "ml/s", "g", "m/s2", "m/s^2", "m/s²", "hz", "khz", "ms", "s", "sec", "us", "ohm", "ω", "kohm",
    "kω", "mohm", "db", "deg", "°", "°/s", "deg/s", "a", "ma", "ua", "μa", "na", "w", "mw", "kg", "m", "cm",
    "mm", "cm/s", "m/s", "lux",
])  # fmt: skip
"""Quantities that are no voltage, whatever a signal in them is called."""


def is_other_quantity(unit: str) -> bool:
    """Whether a unit is that of a pressure, a temperature or another quantity: such a signal is no lead."""
    plain = unicodedata.normalize("NFKC", unit).strip().strip("[]()").lower().replace(" ", "")
    return plain in _OTHER


def mv_per(unit: str) -> float | None:
    """Return the millivolts in one of a unit, or None where it is no voltage.

    Parameters
    ----------
    unit : str
        ``mV``, ``uV``, ``µV`` (with the micro sign or the Greek letter), ``V``, ``nV``, ``Volts``, ``millivolt``,
        ``MDC_DIM_MICRO_VOLT`` (ISO/IEEE 11073-10101); case does not matter. A number before it is what one count is:
        ``0.38uV``.

    Returns
    -------
    float or None
        None also for an empty name: what stands for it differs from format to format.
    """
    # NFKC turns the micro sign U+00B5 into the Greek letter U+03BC.
    plain = unicodedata.normalize("NFKC", unit).strip().strip("[]()").lower()
    plain = plain.removeprefix("mdc_dim_").replace("_", "").replace(" ", "")
    counted = re.fullmatch(r"(\d{1,9}(?:\.\d{0,9})?)([^\d.].*)", plain)
    if counted and (one := _MV_PER.get(counted[2])) and float(counted[1]):
        return float(counted[1]) * one
    return _MV_PER.get(plain)
