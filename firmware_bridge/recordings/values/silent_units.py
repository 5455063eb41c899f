"""The unit of a signal whose file states none: mV where it may be one, else what no verb takes for a voltage."""

from __future__ import annotations

import re

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.lead_names import read_label
from ecg_edge.firmware_bridge.units import PLAUSIBLE_MV, UNSTATED, names_other_quantity

NO_VOLTAGE = "no unit, and its name is no voltage's: not taken for one"
_ANY_ECG = re.compile(
    r"(ecg|ekg|ch(an(nel)?)?|sig(nal)?|lead|val(ue)?|data|raw|adc|col(umn)?|filtered|mv)*\d*[a-z]?\d*"
)


def names_lead(label: str) -> bool:
    """Whether a label names one of the twelve leads, a pair of electrodes, or the interval of one."""
    found = read_label(label)
    return bool(found.lead or found.pair or found.interval)


def is_no_voltage(label: str, beside_leads: bool = False) -> bool:
    """Whether a signal without a unit is no voltage by its name.

    Parameters
    ----------
    label : str
    beside_leads : bool
        Whether other signals of the file name leads: then one that has a name of its own is none.
    """
    if names_lead(label):
        return False
    words = re.sub(r"[\W_]+", "", label.lower())
    return names_other_quantity(label) or (beside_leads and len(words) > 2 and not _ANY_ECG.fullmatch(words))


def silent_unit(label: str, x: FloatArray, beside_leads: bool) -> tuple[str, str]:
    """Unit of a signal that states none, and a note of what was assumed.

    Parameters
    ----------
    label : str
    x : ndarray of shape (n_samples,)
        Its values, NaN where missing.
    beside_leads : bool
        See `is_no_voltage`.
    """
    if is_no_voltage(label, beside_leads):
        return UNSTATED, NO_VOLTAGE
    good = x[np.isfinite(x)]
    reach = float(np.percentile(np.abs(good - np.median(good)), 99.5)) if len(good) else 0.0
    if reach > PLAUSIBLE_MV:
        return f"no unit, with values of {reach:.4g} around their median", ""
    return "mV", "no unit: mV assumed"
