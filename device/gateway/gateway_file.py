"""A gateway's TOML file: its patches, its own settings, and whether it has changed.

Beside ``[defaults]`` and ``[[patch]]`` (see `config_file`) it may hold::

    workers = 2                # processes; default: one a core, never more than patches
    spare = true               # one worker more, ready for another's death; default: with [ward]
    control = "gateway.sock"   # socket of `ecg-edge gateway`

    [ward]                     # one address for all beds, see `ward.settings`
    port = 8765
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecg_edge.device.live.config_file import load_toml, read_patches
from ecg_edge.device.live.options import Options
from ecg_edge.device.ward.settings import WardSettings, read_ward
from ecg_edge.firmware_bridge.clock import Clock

MOST_WORKERS = 256
_LOOK_EVERY_S = 1.0


@dataclass(frozen=True)
class GatewayFile:
    """What a file says.

    Attributes
    ----------
    document : dict
        As read.
    patches : tuple of Options
        Checked.
    workers : int or None
        Processes; None: as many as fit the machine.
    spare : bool or None
        Whether one worker more waits for another's death; None: where there is a ward.
    control : str or None
        Path of the socket for ``ecg-edge gateway``.
    ward : WardSettings or None
        The address for all beds.
    """

    document: dict[str, Any]
    patches: tuple[Options, ...]
    workers: int | None
    spare: bool | None
    control: str | None
    ward: WardSettings | None


def read_gateway(path: Path, added: Sequence[dict[str, Any]] = (), removed: Sequence[str] = ()) -> GatewayFile:
    """Read and check a file; one error reports all of its mistakes.

    Parameters
    ----------
    path : Path
    added : sequence of dict
        Tables of further patches.
    removed : sequence of str
        Names of patches that are left out.

    Raises
    ------
    UsageError
        The file is missing, is no TOML, or has settings that make no sense.
    """
    doc = load_toml(path)
    wrong = []
    workers, control = doc.get("workers"), doc.get("control")
    if workers is not None and (type(workers) is not int or not 0 <= workers <= MOST_WORKERS):
        wrong.append(f"workers must be a whole number from 0 to {MOST_WORKERS}")
    if control is not None and not (isinstance(control, str) and control):
        wrong.append("control must be the path of a socket")
    if not isinstance(spare := doc.get("spare"), bool | None):
        wrong.append("spare must be true or false")
    ward, faults = read_ward(doc["ward"]) if "ward" in doc else (None, [])
    tables = doc.get("patch", [])
    if isinstance(tables, list) and (added or removed):
        kept = [t for t in tables if not (isinstance(t, dict) and t.get("name") in removed)]
        doc = doc | {"patch": [*kept, *added]}
    return GatewayFile(doc, read_patches(doc, path, wrong + faults), workers, spare, control, ward)


class FileWatch:
    """Whether a file has changed, looked at once a second.

    Parameters
    ----------
    path : Path
        May be replaced, or be missing for a while.
    clock : Clock
        Says when to look.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._mark, self._looked = self._look(), clock.monotonic()

    def changed(self) -> bool:
        """Return True once for each change; a file that is missing has not changed."""
        now = self._clock.monotonic()
        if now - self._looked < _LOOK_EVERY_S:
            return False
        self._looked, mark = now, self._look()
        before, self._mark = self._mark, mark or self._mark
        return mark is not None and mark != before

    def _look(self) -> tuple[int, int, int] | None:
        with contextlib.suppress(OSError):
            found = self._path.stat()
            return found.st_mtime_ns, found.st_size, found.st_ino
        return None
