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
    "mm", "cm/s", "m/s", "lux", "beats/min", "breaths/min", "unstated",
])  # fmt: skip
"""Quantities that are no voltage, whatever a signal in them is called."""
UNSTATED = "unstated"
"""Stands for the unit of a signal that states none and is no voltage by its name."""
_QUANTITY = re.compile(
    r"hr|heartrate|rate|bpm|rpm|pulse|pulserate|(sp|sa|sv|pu)?o2(sat)?|sat|(et|ti)?co2|resp|respiration|respiratory|breath"
    r"|rr|rri|ibi|hrv|temp|temperature|tskin|tcore|batt?|battery|soc|vbat|n?i?bp|abp|art|cvp|pap|icp|map|sbp|dbp"
    r"|sys|dia|ppg|plet?h|acc[xyz]?|acceler\w*|gyro?[xyz]?|gyroscope|mag[xyz]?|magnetometer|eda|gsr|bioz|imp|impedance"
    r"|flow|pressure|press|humidity|rssi|sqi|flags?|status|events?|markers?|trigger|annot\w*|leadoff|loff|seq|sequence"
    r"|crc|checksum|steps|activity|glucose|altitude|speed|lat|lon|lux|light|power|cadence"
)
"""Words in the names of signals that are no voltage of a heart."""


def is_other_quantity(unit: str) -> bool:
    """Whether a unit is that of a pressure, a temperature or another quantity: such a signal is no lead."""
    plain = unicodedata.normalize("NFKC", unit).strip().strip("[]()").lower().replace(" ", "")
    return plain in _OTHER


def names_other_quantity(label: str) -> bool:
    """Whether a label's words name a rate, a pressure, a battery or the like: ``HR``, ``SpO2``, ``PPG_ir``."""
    words = [w for w in re.split(r"[^a-z0-9]+", label.lower()) if w]
    plain = [w for word in words for w in (word, word.rstrip("0123456789"))]
    return any(_QUANTITY.fullmatch(w) for w in plain if w)


def split_unit(label: str) -> tuple[str, str]:
    """Split a unit off the end of a label; the unit is empty where none is there.

    A single letter is a unit only behind a quantity's name: ``temp_C``, and not ``ECG_A``.

    Examples
    --------
    >>> split_unit("SpO2_%"), split_unit("I_uV"), split_unit("ECG_A")
    (('SpO2', '%'), ('I', 'uV'), ('ECG_A', ''))
    """
    m = re.fullmatch(r"(.*?\S)(?:[\s_]+(\S{1,12})|/(\w{1,5})|(%))", label.strip())
    if not m:
        return label, ""
    name, unit = m[1].rstrip("_ /"), m[2] or m[3] or m[4]
    other = is_other_quantity(unit) and (len(unit.strip("%°")) != 1 or names_other_quantity(name))
    return (name, unit) if name and (mv_per(unit) is not None or other) else (label, "")


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
