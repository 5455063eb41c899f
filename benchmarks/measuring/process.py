"""Memory and processor time of a process."""

from __future__ import annotations

import math
import os
import resource
import sys
from pathlib import Path

STATUS_FILE, PEAK_RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def status_kb(key: str, pid: int | str = "self") -> int:
    """Return a field of ``/proc/PID/status`` in kB.

    Raises
    ------
    OSError
        There is no ``/proc``, or the process has ended: it has no memory then.
    """
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    raise ProcessLookupError(f"/proc/{pid}/status has no {key}")


_RU_MAXRSS_PER_MB = 1024 if sys.platform != "darwin" else 1024**2


def peak_mb() -> float:
    """Largest memory of this process, in MB.

    Linux's ``ru_maxrss`` begins at the parent's where the child was started by vfork; the peak of the process's
    own pages does not.
    """
    try:
        return status_kb("VmHWM") / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _RU_MAXRSS_PER_MB


def cpu_s(pid: int) -> float:
    """Processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Present memory of a process, in MB; NaN where it has ended."""
    try:
        return status_kb("VmRSS", pid) / 1024
    except ProcessLookupError:
        return math.nan
