"""See the names below.."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from ecg_edge.firmware_bridge.errors import EcgEdgeError

_LEADS, _FS = "I,II", "250"


_PATIENCE_S = 5.0


@contextlib.contextmanager
def virtual_patch(leads: str = _LEADS, pace: tuple[str, ...] = ()) -> Iterator[str]:
    """Run ``ecg-edge simulate`` in a child process; gives the port to open.

    Raises
    ------
    EcgEdgeError
        The child did not come up.
    """
    # A session of its own: Ctrl-C is for the run, which says farewell to the patch afterwards.
    child = subprocess.Popen(
        _command("simulate", "--leads", leads, "--fs", _FS, *pace),
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
            _end(child)


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "ecg_edge.device.cli.main", *words]


def _end(child: subprocess.Popen[str]) -> None:
    child.terminate()
    try:
        child.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        child.kill()
