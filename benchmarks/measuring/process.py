"""Memory and processor time of a process."""

from __future__ import annotations

import os
import re
import resource
import sys
from pathlib import Path

STATUS_FILE, PEAK_RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def status_kb(key: str) -> int:
    """Return a field of ``/proc/self/status`` in kB."""
    return next(int(line.split()[1]) for line in STATUS_FILE.read_text().splitlines() if line.startswith(key))


_RU_MAXRSS_PER_MB = 1024 if sys.platform != "darwin" else 1024**2


def peak_mb() -> float:
    """Largest memory of this process, in MB.

    Linux's ``ru_maxrss`` begins at the parent's where the child was started by vfork; the peak of the process's
    own pages does not.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _RU_MAXRSS_PER_MB


def cpu_s(pid: int) -> float:
    """Processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Present memory of a process."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")
