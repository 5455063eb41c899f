"""What a record made live went through: its high-pass ran forward in time, and its phase can be undone now."""

from __future__ import annotations

import re

from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.conditioning.zero_phase import phase_undone
from ecg_edge.device.recording.stored_recording import Stored
from ecg_edge.firmware_bridge.array_types import FloatArray


def upright_mv(stored: Stored) -> FloatArray:
    """Return each column in its unit, shape (n_samples, n_signals); a live record's without its high-pass's phase.

    The phase widens P waves by 20 to 30 ms and lowers ST by up to 0.1 mV. A record of `reconstruct` has none.
    """
    spec = live_conditioning(stored)
    return stored.mv if spec is None else phase_undone(stored.mv, stored.fs, spec)


def live_conditioning(stored: Stored) -> ConditioningSpec | None:
    """The high-pass of a record whose rows are late, as a run's are; None for every other record."""
    said = next((c for c in stored.comments if c.startswith("conditioning: ")), "")
    corner = re.search(r"high-pass ([\d.]+) Hz", said)
    if not corner or not (stored.delay_s or 0) > 0 or not float(corner[1]) > 0:
        return None
    return ConditioningSpec(highpass_hz=float(corner[1]))
