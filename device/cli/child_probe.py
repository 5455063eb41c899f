"""Looks at what may kill a process, in a child: a library for another processor dies by a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

_PATIENCE_S = 60
SLOW = "no answer in time"
"""Of a child that has not ended: whether what it tries works is not known."""
_AT_ONCE = 4
_WHOLE = "<came to its end>"


def why_not(code: str) -> str:
    """Run a line of Python in a child; return why it failed, `SLOW`, or nothing."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    try:
        child = subprocess.run(
            [sys.executable, "-c", f"{code}\nimport sys; sys.stdout.write({_WHOLE!r})"],
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        return SLOW
    except OSError as e:
        return f"no answer: {e}"
    if child.returncode < 0:
        return f"it ends with {_signal(-child.returncode)}" + _meaning(-child.returncode)
    if child.returncode == 0:
        return "" if child.stdout.endswith(_WHOLE) else "it ends the program at once (exit status 0)"
    said = child.stderr.strip().splitlines()
    return (said[-1] if said else f"exit status {child.returncode}")[:500]


def why_not_all(codes: Iterable[str]) -> dict[str, str]:
    """Ask several children, a few at once."""
    wanted = tuple(dict.fromkeys(codes))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(wanted, pool.map(why_not, wanted), strict=True))


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _meaning(number: int) -> str:
    return ": this build is for another processor" if number == signal.SIGILL else ""
