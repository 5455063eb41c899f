"""The ten seconds of a recording that a verb looks at."""

from __future__ import annotations

import math
from fractions import Fraction

from ecg_edge.device.recording.stored_recording import Stored, length, read_stored
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.recordings.recording import MAX_FS
from ecg_edge.firmware_bridge.recordings.text import rate

PAGE_S = 10.0


def file_rate(text: str | None) -> Fraction | None:
    """Rate in Hz that the user gives for a file that states none; None where none is given.

    Raises
    ------
    UsageError
        The text is no rate.
    """
    if text is None:
        return None
    if (fs := rate(text)) is None or fs > MAX_FS:
        raise UsageError(f"--fs {text} is no rate", "give the samples per second of the file: --fs 250")
    return fs


def stretch_of(
    record: str, at: float | None, seconds: float = PAGE_S, fs: Fraction | None = None, unit: str = ""
) -> Stored:
    """Read ten seconds from a second on; without one, the last ten.

    `fs` and `unit` are those of a file that states none.

    Raises
    ------
    UsageError
        The second is outside the recording.
    """
    own, n = length(record, fs, unit)
    wanted = round(seconds * own)
    start = max(0, n - wanted) if at is None else round(at * float(own)) if math.isfinite(at) else n
    if not 0 <= start < n:
        end = n / float(own)
        raise UsageError(f"--at {at:g} is outside the recording of {end:.1f} s", f"give --at 0 to {end:.1f}")
    return read_stored(record, start, start + wanted, fs, unit)
