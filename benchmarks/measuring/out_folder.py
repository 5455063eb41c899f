"""Where a report goes: made before the work, not found missing after an hour of it."""

from __future__ import annotations

from pathlib import Path

from ecg_edge.firmware_bridge.errors import UsageError


def made(folder: Path) -> Path:
    """Make a folder and those above it.

    Raises
    ------
    UsageError
        It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UsageError(f"no folder can be made at {folder}: {e.strerror}", "name another with --out") from e
    return folder
