"""What the chain does, as a short text: a changed filter cannot be forgotten.

`CONDITIONING_VERSION` is a number that people raise. The fingerprint is computed from the response of the code
itself, so that prepared records and model files know of every change.
"""

from __future__ import annotations

import hashlib

import numpy as np

from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.conditioning.spec import CONDITIONING_FINGERPRINT, CONDITIONING_VERSION, ConditioningSpec
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import UsageError

_SPEC = ConditioningSpec(highpass_hz=0.5, highpass_order=2, notch_q=30.0)
"""Fixed: other numbers are in the spec of each model, and are no change of the chain."""
_RATES = ((100, 100), (250, 100), (360, 100), (500, 100), (100, 50), (250, 500), (500, 500))
_MAINS_HZ = (None, 50.0, 60.0)
_SECONDS = 2
_STEP_MV, _EVERY = 1e-3, 17
"""Responses are rounded to a microvolt, one row in 17: none of these lies within 1 nV of where it would round apart."""


def fingerprint() -> str:
    """Return twelve hexadecimal digits that change when the chain's response does, by a microvolt or more."""
    digest = hashlib.sha256()
    for fs_in, fs_out in _RATES:
        for mains_hz in _MAINS_HZ:
            y = Conditioner(fs_in, fs_out, 1, _SPEC, mains_hz).feed(_stimulus(_SECONDS * fs_in))
            digest.update(np.rint(y[::_EVERY] / _STEP_MV).astype("<i4").tobytes())
    return digest.hexdigest()[:12]


def check_chain() -> None:
    """Refuse to prepare records for training with a chain that its version does not describe.

    Raises
    ------
    UsageError
        The code was changed, and `CONDITIONING_VERSION` and its fingerprint were not.
    """
    found = fingerprint()
    if found != CONDITIONING_FINGERPRINT:
        raise UsageError(
            f"the conditioning responds as {found}, version {CONDITIONING_VERSION} as {CONDITIONING_FINGERPRINT}",
            "raise CONDITIONING_VERSION and write the new fingerprint beside it (device/conditioning/spec.py)",
        )


def _stimulus(n: int) -> FloatArray:
    """Return a signal of all frequencies within ±1 mV, shape (n, 1): whole numbers over 512, exact on every machine."""
    k = np.arange(n)
    return (((7 * k * k + 31 * k) % 1009) / 512 - 1)[:, None]
