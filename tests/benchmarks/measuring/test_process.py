"""Memory of this process and of another."""

import math
import os
import subprocess
import sys

import pytest

from ecg_edge.benchmarks.measuring.process import STATUS_FILE, peak_mb, rss_mb, status_kb

pytestmark = pytest.mark.skipif(not STATUS_FILE.exists(), reason="needs /proc")


def test_the_peak_is_no_less_than_what_is_there_now() -> None:
    assert 0 < status_kb("VmRSS") <= status_kb("VmHWM")
    assert peak_mb() >= rss_mb(os.getpid()) > 1


def test_a_process_that_has_ended_has_no_memory() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and its entry is still there
    assert math.isnan(rss_mb(child.pid))
    with pytest.raises(OSError, match="no VmRSS"):
        status_kb("VmRSS", child.pid)
    child.wait()
    with pytest.raises(OSError):
        status_kb("VmRSS", child.pid)
