"""The mains frequencies that a notch can be made for."""

from __future__ import annotations

from numbers import Real

from ecg_edge.firmware_bridge.errors import UsageError

_MAINS_HZ = (50, 60)


def exact_mains(mains_hz: float | None) -> float | None:
    """Return the mains frequency in Hz, or None for no notch.

    Raises
    ------
    UsageError
        It is another one, or no number.
    """
    if mains_hz is None:
        return None
    if not isinstance(mains_hz, Real) or isinstance(mains_hz, bool) or mains_hz not in _MAINS_HZ:
        raise UsageError(
            f"mains_hz={mains_hz!r} is no mains frequency",
            "pass mains_hz=50 or 60, that of your country, or None for no notch (--mains 50, 60 or off)",
        )
    return float(mains_hz)
