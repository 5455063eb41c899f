"""The virtual patch as a process of its own, as the demo and the benchmarks use it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from ecg_edge.firmware_bridge.errors import EcgEdgeError

PATCH_LEADS, PATCH_FS = "I,II", "250"


_PATIENCE_S = 5.0


@contextlib.contextmanager
def virtual_patch(leads: str = PATCH_LEADS, pace: tuple[str, ...] = ()) -> Iterator[str]:
    """Run ``ecg-edge simulate`` in a child process; gives the port to open.

    Raises
    ------
    EcgEdgeError
        The child did not come up.
    """
    # A session of its own: Ctrl-C is for the run, which says farewell to the patch afterwards.
    child = subprocess.Popen(
        command_of("simulate", "--leads", leads, "--fs", PATCH_FS, *pace),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    with child:
        try:
            port = child.stdout.readline().strip() if child.stdout else ""
            if not port:
                said = child.stderr.read().strip() if child.stderr else ""
                raise EcgEdgeError(f"the virtual patch did not start: {said}", "try it alone: ecg-edge simulate")
            yield port
        finally:
            end_child(child)


def command_of(*words: str) -> list[str]:
    """Return the command line of an ``ecg-edge`` verb in this interpreter."""
    return [sys.executable, "-m", "ecg_edge", *words]


def end_child(child: subprocess.Popen[str]) -> None:
    """End a child process; kill it where it does not end by itself."""
    child.terminate()
    try:
        child.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        child.kill()
