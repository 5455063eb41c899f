"""The ten seconds of a recording that a verb looks at."""

from __future__ import annotations

from ecg_edge.device.recording.stored_recording import Stored, length, read_stored
from ecg_edge.firmware_bridge.errors import UsageError

PAGE_S = 10.0


def stretch_of(record: str, at: float | None, seconds: float = PAGE_S) -> Stored:
    """Read ten seconds from a second on; without one, the last ten.

    Raises
    ------
    UsageError
        The second is outside the recording.
    """
    fs, n = length(record)
    wanted = round(seconds * fs)
    start = max(0, n - wanted) if at is None else round(at * float(fs))
    if not 0 <= start < n:
        raise UsageError(f"--at {at:g} is outside the recording of {n / float(fs):.1f} s", "choose a second inside")
    return read_stored(record, start, start + wanted)
