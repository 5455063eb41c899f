"""A whole run on a GPU within a stated time: unpack, time, train all of a plan, hand back the weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.train.gpu import pieces
from ecg_edge.train.gpu.archives import gather
from ecg_edge.train.gpu.farm import DONE, Entry
from ecg_edge.train.gpu.plan import Window, entries, for_a_try
from ecg_edge.train.network.placement_draw import Placements, draw

SHIPPED_FILE = "shipped.tar.xz"
_TUNE_S, _GATHER_S, _GRACE_S, _LOOK_S = 45.0, 12.0, 15.0, 0.2
_JUDGE_SHARE, _WORTH_AGAIN_S, _EAGER_PARTS = 0.1, 40.0, 10
_PLACEMENTS = 40_000
_TAIL = 4000
_SMALL = 300_000


@dataclass(frozen=True)
class Run:
    """What to do and how long.

    Attributes
    ----------
    plan : sequence of Window
        Networks.
    minutes : float
        For everything, unpacking and handing back included.
    pieces : sequence of Path
        Pieces of records that are not unpacked yet.
    work : Path
        Folder on the machine that trains; what is in it is used again.
    out : Path
        Where archives of weights go.
    trial : bool
        Everything for a short time; the networks are removed afterwards.
    settings : tuple of str
        ``key=value`` pairs on top of every recipe.
    limit : int or None
        Records; for tests.
    say : callable
        Takes a line of text.
    """

    plan: Sequence[Window]
    minutes: float
    pieces: Sequence[Path]
    work: Path
    out: Path
    trial: bool = False
    settings: tuple[str, ...] = ()
    limit: int | None = None
    say: Callable[[str], None] = print

    @property
    def runs(self) -> Path:
        """Folders of networks."""
        return self.work / "runs"

    def go(self) -> int:
        """Do all of it.

        Returns
        -------
        int
            0 where every network of the plan is trained, else 3.

        Raises
        ------
        DataFolderError
            A piece is damaged, or there are no records.
        """
        began = time.time()
        end = 60 * self.minutes - _GATHER_S
        self._unpack()
        self._pool(np.random.SeedSequence(0))
        plan = list(for_a_try(self.plan) if self.trial else self.plan)
        how = self._tuned(began, plan)
        now = time.time() - began
        entry = entries(plan, now, end, self.settings)
        judge = self._hand("judge", "judge", "--seconds", max(20.0, _JUDGE_SHARE * (end - now)))
        self._train(entry, began, end, graphs=bool(how["graphs"]), layout=str(how["layout"]))
        _wait([judge], max(began + end, time.time() + 0.5))
        for log in sorted(self.work.glob("*.log")):
            self.say(f"--- {log.name}\n{log.read_text()[-_TAIL:]}")
        done = [e.name for e in entry if (self.runs / e.name / DONE).exists()]
        gather(self._worth(), self.work, self.out, self.say)
        self.say(f"{len(done)} of {len(entry)} networks are trained, {time.time() - began:.0f} s")
        if self.trial:
            self._forget(entry)
        return 0 if len(done) == len(entry) else 3

    def _unpack(self) -> None:
        self.runs.mkdir(parents=True, exist_ok=True)
        for piece in self.pieces:
            pieces.join(piece, self.work, os.cpu_count() or 1, self.say)
            if (piece / SHIPPED_FILE).exists():
                with tarfile.open(piece / SHIPPED_FILE) as tar:
                    tar.extractall(self.runs, filter="data")

    def _pool(self, seed: np.random.SeedSequence) -> None:
        """Draw the placements of any-electrode networks once, on all cores."""
        file, n = self.work / "pool.npz", os.cpu_count() or 1
        if file.exists():
            return
        each = (_PLACEMENTS if self.limit is None else 40) // n
        ask = partial(_drawn, each, pieces.read(self.work).covariance)
        with ProcessPoolExecutor(n) as pool:
            parts = list(pool.map(ask, seed.spawn(n)))
        columns: dict[str, Any] = {str(k): np.concatenate([part[k] for part in parts]) for k in range(len(parts[0]))}
        np.savez(file, **columns)

    def _hand(self, log: str, hand: str, *words: object) -> subprocess.Popen[bytes]:
        few = () if self.limit is None else ("--limit", self.limit)
        command = [sys.executable, "-u", "-m", "ecg_edge.train.gpu.hands", hand, self.work, *words, *few]
        with (self.work / f"{log}.log").open("wb") as out:
            return subprocess.Popen(list(map(str, command)), stdout=out, stderr=subprocess.STDOUT)

    def _tuned(self, began: float, plan: Sequence[Window]) -> dict[str, object]:
        """Whether steps can be captured, and in which layout they are faster; found once for a folder."""
        file = self.work / "tune.json"
        if not file.exists():
            self._write(entries(plan, 0, 1, self.settings))
            _wait([self._hand("tune", "tune", "--plan", self.work / "plan.json")], time.time() + _TUNE_S)
        try:
            return dict(json.loads(file.read_text()))
        except (OSError, ValueError):
            return {"graphs": False, "layout": "channels_last"}

    def _write(self, plan: Sequence[Entry]) -> None:
        (self.work / "plan.json").write_text(json.dumps([asdict(entry) for entry in plan]))

    def _train(self, plan: Sequence[Entry], began: float, end: float, graphs: bool, layout: str) -> None:
        """Train; where that breaks off, do the rest without graphs in the time that is left."""
        codes = self._farm("farm", plan, began, end, graphs, layout)
        left = end - (time.time() - began)
        if graphs and any(codes) and left > _WORTH_AGAIN_S:
            self.say(f"broke off with {codes}; the rest without graphs")
            now = time.time() - began
            rest = [_moved(entry, now, end) for entry in plan]
            self._farm("again", rest, began, end, False, layout)

    def _farm(
        self, log: str, plan: Sequence[Entry], began: float, end: float, graphs: bool, layout: str
    ) -> list[int | None]:
        self._write(plan)
        parts = 1 if graphs or self.limit is not None else min(_EAGER_PARTS, os.cpu_count() or 1)
        words = ("--plan", self.work / "plan.json", "--seconds", end, "--t0", began, "--layout", layout)
        eager = () if graphs else ("--eager",)
        hands = [self._hand(f"{log}-{k}", "farm", *words, "--part", k, "--parts", parts, *eager) for k in range(parts)]
        _wait(hands, began + end + _GRACE_S)
        return [hand.returncode for hand in hands]

    def _worth(self) -> list[Path]:
        """Files in the order of what they are worth: reports, students, judges, teachers."""
        late = {w.name for w in self.plan if w.start > 0 or w.stop == 1}
        files = [f for f in self.runs.rglob("*") if f.is_file() and "shipped" not in f.parts]
        files = [f for f in files if not f.name.endswith((".last.pt", ".part"))]

        def order(f: Path) -> tuple[bool, bool, bool, str]:
            name = f.parent.name
            return f.stat().st_size > _SMALL, name not in late and name != "judge", name == "judge", str(f)

        return [*sorted(self.work.glob("*.json")), *sorted(self.work.glob("*.log")), *sorted(files, key=order)]

    def _forget(self, plan: Sequence[Entry]) -> None:
        """Remove what a trial trained: the run itself starts afresh."""
        for folder in [self.runs / "judge", *(self.runs / entry.name for entry in plan)]:
            for file in folder.glob("*"):
                file.unlink()


def _moved(entry: Entry, now: float, end: float) -> Entry:
    """An entry in the time that is left, in the same order."""
    left = end - now
    start = entry.start_s if entry.start_s > now else now
    return replace(entry, start_s=start, stop_s=max(entry.stop_s, now + 0.5 * left))


def _drawn(n: int, covariance: FloatArray, seed: np.random.SeedSequence) -> list[npt.NDArray[np.generic]]:
    found = draw(max(1, n), covariance, np.random.default_rng(seed))
    return [getattr(found, f.name) for f in fields(Placements)]


def _wait(processes: Sequence[subprocess.Popen[bytes]], until: float) -> None:
    """Wait, and end what runs on after its time."""
    while any(p.poll() is None for p in processes) and time.time() < until:
        time.sleep(_LOOK_S)
    for p in processes:
        if p.poll() is None:
            p.kill()
            p.wait()
