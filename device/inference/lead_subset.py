"""What the file of an any-lead model holds for one set of measured leads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.device.inference.packed_arrays import pack_array, pack_symmetric, unpack_array, unpack_symmetric
from ecg_edge.device.lead_algebra import BASIS, missing_basis
from ecg_edge.firmware_bridge.lead_names import channel_name


@dataclass(frozen=True)
class LeadSubset:
    """What an any-lead model knows of one set of measured leads, or of channels between electrodes.

    Attributes
    ----------
    leads : tuple of str
        The set, in order.
    moments : ndarray of float32, shape (n_regressors, n_regressors)
        As `Head.moments`, of the regressors a model of these leads has; empty where it cannot be calibrated.
    interval_factors : ndarray of float32, shape (8,)
        One per basis lead; those of the measured ones are not used.
    ridge : dict of str to ndarray
        As `ModelSpec.ridge`.
    shrink : ndarray of float32, shape (n_regressors, n_targets), or None
        As `Head.shrink`, of the leads that are hidden behind this set.
    """

    leads: tuple[str, ...]
    moments: npt.NDArray[np.float32]
    interval_factors: npt.NDArray[np.float32]
    ridge: dict[str, npt.NDArray[np.float32]]
    shrink: npt.NDArray[np.float32] | None = None

    def without_calibration(self) -> LeadSubset:
        """The same without what a personal calibration needs, which is most of its size."""
        return replace(self, moments=np.zeros((0, 0), np.float32), shrink=None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the model file."""
        optional = {} if self.shrink is None else {"shrink": pack_array(self.shrink)}
        return optional | {
            "leads": list(self.leads),
            "moments": pack_symmetric(self.moments),
            "interval_factors": pack_array(self.interval_factors),
            "ridge": {k: pack_array(v) for k, v in self.ridge.items()},
        }

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> LeadSubset:
        """Inverse of `to_dict`."""
        return cls(
            tuple(channel_name(x) for x in d["leads"]),
            unpack_symmetric(d["moments"]),
            unpack_array(d["interval_factors"]),
            {str(k): unpack_array(v) for k, v in d["ridge"].items()},
            unpack_array(d["shrink"]) if "shrink" in d else None,
        )

    def fits(self, n_features: int, taps: int, pairs: bool) -> bool:
        """Whether its arrays are of a head of so many features and taps; `pairs` may be measured, or basis leads."""
        n, hidden = n_features + taps * len(self.leads) + 1, missing_basis(self.leads)
        return (
            0 < len(self.leads) < len(BASIS)
            and bool(hidden)
            and (pairs or set(self.leads) <= set(BASIS))
            and (self.moments.shape == (n, n) or (pairs and not self.moments.size))
            and self.interval_factors.shape == (len(BASIS),)
            and (self.shrink is None or self.shrink.shape == (n, len(hidden)))
        )
