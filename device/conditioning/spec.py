"""What conditioning a model expects, in three numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ecg_edge.firmware_bridge.errors import ModelFileError


@dataclass(frozen=True)
class ConditioningSpec:
    """Parameters of the chain, stored in every model file.

    Attributes
    ----------
    highpass_hz : float
        Corner of the Butterworth high-pass at the model rate.
    highpass_order : int
        Its order.
    notch_q : float
        Quality of the mains notch (scipy.signal.iirnotch); the mains frequency is the site's.
    """

    highpass_hz: float = 0.5
    highpass_order: int = 2
    notch_q: float = 30.0

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionary for the model file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> ConditioningSpec:
        """Read back what `to_dict` wrote."""
        try:
            return cls(float(d["highpass_hz"]), int(d["highpass_order"]), float(d["notch_q"]))
        except (KeyError, TypeError, ValueError) as e:
            raise ModelFileError(f"bad conditioning in the model file: {e!r}", "export the model again") from e
