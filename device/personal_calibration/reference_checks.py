"""What is wrong with a reference: what refuses it, and what is only flagged.

Refused is what makes a fit meaningless: too short, a flat lead, limb leads that contradict each
other. Flagged is what may be true of a rare heart as well: exchanged electrodes, another person. A flag needs --force.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.device.personal_calibration.fit import Design, fit
from ecg_edge.device.personal_calibration.reference import Reference
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import CalibrationError
from ecg_edge.firmware_bridge.lead_names import LEADS

MIN_S = 10.0
ALGEBRA_MV = 0.05
"""Largest RMS by which Einthoven's and Goldberger's equations may fail."""
FLAT_MV = 0.02
NOISE_MV = 0.1


def check(reference: Reference, conditioned: npt.NDArray[np.float32], fs: int) -> list[str]:
    """Refuse a reference that cannot be fitted to; return what is doubtful about it.

    Parameters
    ----------
    reference : Reference
        As recorded.
    conditioned : ndarray of float32, shape (n_samples, 12)
        After the device's chain, at the model rate `fs` in Hz.

    Raises
    ------
    CalibrationError
        Too short, a lead flat, limb leads that break the algebra, or a lead full of noise.
    """
    name, length = reference.name, float(len(reference.mv) / reference.fs)
    if length < MIN_S - 0.05:
        raise CalibrationError(f"{name} is {length:.1f} s long", f"record {MIN_S:g} s or more")
    x = np.asarray(conditioned, np.float64)[fs:]
    spread = np.percentile(x, 99.5, axis=0) - np.percentile(x, 0.5, axis=0)
    if flat := [lead for lead, s in zip(LEADS, spread, strict=True) if s < FLAT_MV]:
        raise CalibrationError(f"{name}: lead {', '.join(flat)} is flat", "check the electrode and record again")
    if (off := algebra_error(x)) > ALGEBRA_MV:
        raise CalibrationError(
            f"{name}: the limb leads contradict each other by {off:.3f} mV", "check leads and their order in the file"
        )
    noise = np.median(np.abs(np.diff(x, 2, axis=0)), axis=0) / (0.6745 * np.sqrt(6))
    if noisy := [lead for lead, s in zip(LEADS, noise, strict=True) if s > NOISE_MV]:
        raise CalibrationError(f"{name}: lead {', '.join(noisy)} is full of noise", "lie still and record again")
    return flags(x)


def unlike(spec: ModelSpec, designs: Sequence[Design], which: int) -> bool:
    """Whether a head fitted to the other references does worse on this one than the model's own.

    So it is with another person's reference, and with electrodes put elsewhere.
    """
    others = [d for k, d in enumerate(designs) if k != which]
    return bool(others) and worse(spec, fit(spec, others).again, designs[which])


def worse(spec: ModelSpec, head: npt.NDArray[np.floating], d: Design) -> bool:
    """Whether a head's error on a reference, averaged over the leads, exceeds that of the model's own."""
    own, other = (
        np.sqrt(((d.truth - d.regressors @ w.astype(np.float64)) ** 2).mean(axis=0)).mean()
        for w in (spec.head.mean, head)
    )
    return bool(other > own)


def algebra_error(x: FloatArray) -> float:
    """Largest RMS in mV by which the six limb leads break Einthoven's and Goldberger's equations."""
    i, ii, iii, avr, avl, avf = x[:, :6].T
    rest = (ii - i - iii, avr + (i + ii) / 2, avl - (i - ii / 2), avf - (ii - i / 2))
    return float(max(np.sqrt((r**2).mean()) for r in rest))


def flags(x: FloatArray) -> list[str]:
    """Signs of exchanged electrodes, in the conditioned leads."""
    out = []
    if limb_swap_score(x) > 0:
        out.append("lead I runs against V5 and V6: are LA and RA exchanged, or the chest leads in another order?")
    if chest_swap_score(x) > 0:
        out.append("V1 is more like V3 than V2 is: are V1 and V2 exchanged, or the chest leads in another order?")
    return out


def limb_swap_score(x: FloatArray) -> float:
    """Above zero where lead I runs against V5 and V6, which see the heart from the same side."""
    left = x[:, LEADS.index("V5")] + x[:, LEADS.index("V6")]
    return -_correlation(x[:, 0], left)


def chest_swap_score(x: FloatArray) -> float:
    """Above zero where V1 is more like V3 than V2 is: neighbours resemble each other."""
    v1, v2, v3 = (x[:, LEADS.index(lead)] for lead in ("V1", "V2", "V3"))
    return _correlation(v1, v3) - _correlation(v2, v3)


def _correlation(a: FloatArray, b: FloatArray) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b) + 1e-12))
