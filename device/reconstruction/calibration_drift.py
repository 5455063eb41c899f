"""Whether a person's calibration still fits: the measured leads' covariance against the reference's.

Electrodes put elsewhere, another body position or another person change how the measured leads vary together. The
refitted head counts in full while that is as in the reference, and less as it departs. Beyond the limit the model's own
head alone counts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_edge.device.inference.spec import Personal
from ecg_edge.firmware_bridge.array_types import FloatArray

FLOOR_MV2 = 1e-3
WINDOW_S = 10.0
PRIMED_S = 1.0
"""Seconds of reference signal the estimate starts from; one beat gives no covariance."""


def divergence(reference: FloatArray, now: FloatArray) -> float:
    """Sum of the absolute natural logarithms of the generalised eigenvalues; zero where both agree.

    The affine-invariant distance of covariances (Förstner & Moonen, 1999), with the sum in place of the root of
    squares. It is the same for every linear combination of the leads.
    """
    floor = FLOOR_MV2 * np.eye(len(reference))
    eigenvalues = np.linalg.eigvals(np.linalg.solve(reference + floor, now + floor)).real
    return float(np.abs(np.log(np.maximum(eigenvalues, 1e-9))).sum())


class DriftWatch:
    """Follows the covariance of the last ten seconds, hop by hop."""

    def __init__(self, personal: Personal, fs: int) -> None:
        self._personal = personal
        self._reference = personal.covariance.astype(np.float64)
        self._primed, self._window = PRIMED_S * fs, WINDOW_S * fs
        self.reset()

    def reset(self) -> None:
        """Begin anew, as after a gap."""
        self._now, self._seen = self._reference.copy(), self._primed

    def feed(self, x: npt.NDArray[np.float32], ok: npt.NDArray[np.bool_]) -> float:
        """Take one hop of conditioned inputs; return the share of the refitted head, 0 to 1.

        A hop with an invalid sample is left out of the estimate.
        """
        if ok.all():
            rows = x.astype(np.float64)
            self._seen = min(self._seen + len(rows), self._window)
            self._now = self._now + (rows.T @ rows - len(rows) * self._now) / self._seen
        p = self._personal
        share = (p.none - divergence(self._reference, self._now)) / (p.none - p.full)
        return min(1.0, max(0.0, share))
