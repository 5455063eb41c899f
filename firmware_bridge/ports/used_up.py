"""What is said where a source is used again: its samples are gone, its port is another's."""

from __future__ import annotations

from ecg_edge.firmware_bridge.errors import UsageError


def used_up(url: str) -> UsageError:
    """Return the error for a source that has been started, or has ended."""
    return UsageError(f"this source ({url}) is in use, or has been: a source is used once", "open it again by its name")
