"""Workers of a gateway killed again and again: what the other beds miss, and what each gap says.

``python -m ecg_edge.benchmarks.live_path.worker_storm --beds 4 --workers 2 --every 20 --seconds 300``
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from ecg_edge.device.gateway.run_gateway import NoBoard
from ecg_edge.device.gateway.supervisor import Supervisor
from ecg_edge.device.gateway.worker_process import WorkerProcess
from ecg_edge.device.live.options import Options
from ecg_edge.device.recording.stored_recording import read_stored
from ecg_edge.firmware_bridge.clock import SystemClock
from ecg_edge.firmware_bridge.console import emit_json, hint

_TURN_S = 0.1
_LOST = ("gap", "overrun", "restart", "disconnect", "silent")


def storm(beds: int, workers: int, every_s: float, seconds: float, spare: bool = True) -> dict[str, Any]:
    """Kill the workers in turn and look at the recordings.

    Returns
    -------
    dict
        ``killed``, and ``back_s`` of each kill: until the first header of all its beds. ``records``, and ``annotated``
        ones that name the gap before them. ``lost``: notes of a loss, and rows that are not valid.
    """
    with tempfile.TemporaryDirectory() as folder:
        names = [f"bed-{k}" for k in range(beds)]
        wake, board = threading.Event(), _Headers()
        supervisor = Supervisor(WorkerProcess, workers, board, SystemClock(), report=hint, wake=wake.set, spare=spare)
        supervisor.set_patches(
            [Options(source=f"synthetic:seed={k}", name=n, out=f"{folder}/{n}") for k, n in enumerate(names)]
        )

        def turn(_: float = _TURN_S) -> None:
            wake.wait(_TURN_S)
            wake.clear()
            supervisor.step()

        while len(board.began) < beds:
            turn()
        back, end, killed = [], time.monotonic() + seconds, 0
        while time.monotonic() < end:
            until = time.monotonic() + every_s
            while time.monotonic() < until:
                turn()
            figures = supervisor.figures()
            victim = figures["workers"][killed % len(figures["workers"])]
            its = [b["name"] for b in figures["beds"] if b["worker"] == victim["worker"]]
            for name in its:
                board.began.discard(name)
            os.kill(victim["pid"], signal.SIGKILL)
            killed, at = killed + 1, time.monotonic()
            while not set(its) <= board.began:
                turn()
            back.append(round(time.monotonic() - at, 2))
        supervisor.close(turn)
        return {
            "beds": beds,
            "workers": workers,
            "spare": spare,
            "killed": killed,
            "back_s": back,
            **_records(Path(folder), names),
        }


def _records(folder: Path, names: list[str]) -> dict[str, Any]:
    records = annotated = lost = 0
    for name in names:
        for header in sorted((folder / name).glob("*.hea")):
            if header.stem.endswith("_measured"):
                continue
            stored = read_stored(str(header.with_suffix("")))
            kinds = [text.partition(":")[0] for _, text in stored.notes]
            records += 1
            annotated += "worker" in kinds
            lost += sum(kind in _LOST for kind in kinds) + int((~stored.valid[:, :2]).any(axis=1).sum())
    return {"records": records, "annotated": annotated, "lost": lost}


class _Headers(NoBoard):
    """Notes which beds have begun."""

    def __init__(self) -> None:
        self.began: set[str] = set()

    def hear(self, bed: str, kind: str, text: str, /) -> None:
        if kind == "header":
            self.began.add(bed)


def main() -> int:
    """Let it storm, and print one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--beds", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--every", type=float, default=20.0, metavar="S")
    parser.add_argument("--seconds", type=float, default=300.0, metavar="S")
    parser.add_argument("--no-spare", dest="spare", action="store_false")
    a = parser.parse_args()
    found = storm(a.beds, a.workers, a.every, a.seconds, a.spare)
    emit_json({"worker_storm": found})
    return 0 if not found["lost"] and found["annotated"] == found["records"] - found["beds"] else 1


if __name__ == "__main__":
    sys.exit(main())
