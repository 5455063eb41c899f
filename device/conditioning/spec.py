"""What a model file and a training run say of the chain that their records went through."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ecg_edge.firmware_bridge.errors import ModelFileError

CONDITIONING_VERSION = 1
"""Of the chain's code; raised by every change of its response, as a test demands (see `fingerprint`)."""
CONDITIONING_FINGERPRINT = "889c0f094218"
"""Of this version."""
_UNSTATED = (1, "889c0f094218")
"""Version and fingerprint of files and runs that state none: they were made with version 1."""


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
    version : int
        Of the chain's code.
    fingerprint : str
        Of the chain's response, see `fingerprint.fingerprint`.
    """

    highpass_hz: float = 0.5
    highpass_order: int = 2
    notch_q: float = 30.0
    version: int = CONDITIONING_VERSION
    fingerprint: str = CONDITIONING_FINGERPRINT

    @property
    def departure(self) -> str:
        """How the chain differs from this build's; empty where it does not."""
        if (self.version, self.fingerprint) == (CONDITIONING_VERSION, CONDITIONING_FINGERPRINT):
            return ""
        return (
            f"conditioning version {self.version} ({self.fingerprint}); "
            f"this build has version {CONDITIONING_VERSION} ({CONDITIONING_FINGERPRINT})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionary for the model file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> ConditioningSpec:
        """Read back what `to_dict` wrote, now or before there were versions.

        Raises
        ------
        ModelFileError
            A parameter is missing or malformed.
        """
        try:
            numbers = float(d["highpass_hz"]), int(d["highpass_order"]), float(d["notch_q"])
            version, fingerprint = d.get("version", _UNSTATED[0]), d.get("fingerprint", _UNSTATED[1])
            return cls(*numbers, int(version), str(fingerprint))
        except (KeyError, TypeError, ValueError) as e:
            raise ModelFileError(f"bad conditioning in the model file: {e!r}", "export the model again") from e
