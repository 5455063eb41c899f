"""The verb ``demo``: a virtual patch in a process of its own, and a run on it."""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator

from ecg_edge.device.run_verb import Options, execute, report
from ecg_edge.device.summary import Summary
from ecg_edge.firmware_bridge.clock import SystemClock
from ecg_edge.firmware_bridge.errors import EcgEdgeError
from ecg_edge.firmware_bridge.verb import hint

_LEADS, _FS = "I,II", "250"
_PATIENCE_S = 5.0


def demo(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge demo`` says; return the exit status."""
    return report(lambda: _demo(arguments), arguments.json, _next)


def _demo(a: argparse.Namespace) -> Summary:
    with virtual_patch() as port:
        hint(f"a virtual patch on {port}: synthetic heart, leads {_LEADS} at {_FS} Hz")
        options = Options(
            port,
            model=a.model,
            out=a.out,
            monitor=not a.headless,
            port=a.port,
            seconds=a.seconds,
            mains="off",
            reconnect=False,
        )
        return execute(options, SystemClock(), threading.Event())


@contextlib.contextmanager
def virtual_patch() -> Iterator[str]:
    """Run ``ecg-edge simulate`` in a child process; gives the port to open.

    Raises
    ------
    EcgEdgeError
        The child did not come up.
    """
    command = [sys.executable, "-m", "ecg_edge.device.main", "simulate", "--leads", _LEADS, "--fs", _FS]
    # A session of its own: Ctrl-C is for the run, which says farewell to the patch afterwards.
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    with child:
        try:
            port = child.stdout.readline().strip() if child.stdout else ""
            if not port:
                said = child.stderr.read().strip() if child.stderr else ""
                raise EcgEdgeError(f"the virtual patch did not start: {said}", "try it alone: ecg-edge simulate")
            yield port
        finally:
            _end(child)


def _end(child: subprocess.Popen[str]) -> None:
    child.terminate()
    try:
        child.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        child.kill()


def _next(summary: Summary) -> str:
    if summary.error:
        return "ecg-edge doctor"
    if summary.recording:
        return f"ecg-edge run replay:{summary.recording}_measured --monitor"
    return "ecg-edge run SOURCE --monitor, with your own device as SOURCE (ecg-edge doctor names the ports)"
