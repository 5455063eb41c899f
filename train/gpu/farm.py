"""Many networks trained at once on one GPU, within a given time; a network waits for those that teach it.

Networks know each other by their folders alone, so that one process or several may share a plan.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ecg_edge.firmware_bridge.array_types import BoolArray, FloatArray
from ecg_edge.firmware_bridge.errors import EcgEdgeError
from ecg_edge.train.gpu.trainer import DeviceTrainer, Unseen
from ecg_edge.train.jobs import recipe
from ecg_edge.train.network.placement_draw import Placements
from ecg_edge.train.runs.checkpoints import load_network, write_checkpoint

DONE = "done"
_IN_FLIGHT, _LOOK_S, _PATIENCE = 3, 0.2, 0.25
Say = Callable[[str], None]


@dataclass(frozen=True)
class Entry:
    """One network of a plan.

    Attributes
    ----------
    name : str
        Of its folder.
    recipe : str
        Name or path of a recipe; its teachers and init are folders beside this one's, or below ``shipped``.
    start_s, stop_s : float
        Its time, from the start of the plan; where a teacher is late, so is it.
    settings : tuple of str
        ``key=value`` pairs on top of the recipe.
    teachers : tuple of str, or None
        In place of the recipe's.
    init : str, or None
        Likewise.
    """

    name: str
    recipe: str
    start_s: float = 0.0
    stop_s: float = 60.0
    settings: tuple[str, ...] = ()
    teachers: tuple[str, ...] | None = None
    init: str | None = None


@dataclass(frozen=True)
class Records:
    """What all networks of a plan train and are judged on.

    Attributes
    ----------
    train, validation : Tensor of int16, shape (n_records, 8, n_samples)
        On the device.
    field : ndarray of bool
        Which training records are field records.
    step_mv : float
        Of one count.
    covariance : ndarray of shape (8, 8)
        Of the population in mV².
    pool : Placements or None
        For any-electrode networks.
    """

    train: Tensor
    validation: Tensor
    field: BoolArray
    step_mv: float
    covariance: FloatArray
    pool: Placements | None = None

    def rows(self, times: int) -> npt.NDArray[np.int64]:
        """What an epoch shows: every record once, field records `times` times."""
        return np.concatenate([np.flatnonzero(~self.field), *[np.flatnonzero(self.field)] * times]).astype(np.int64)


@dataclass
class _Running:
    entry: Entry
    trainer: DeviceTrainer
    since: float
    epochs: int
    pending: list[torch.cuda.Event] = field(default_factory=list)
    looked: float = 0.0

    def progress(self, now: float) -> float:
        """Where in its cycle: by the clock, or by its epochs where these are sooner done."""
        by_clock = (now - self.since) / max(1e-3, self.entry.stop_s - self.since)
        return max(by_clock, self.trainer.epoch / self.epochs)


class Farm:
    """Trains the networks of a plan.

    Parameters
    ----------
    plan : sequence of Entry
        What.
    records : Records
        On what.
    out : Path
        One folder each below it: ``best.pt``, ``history.jsonl``, and ``done`` when finished.
    judge : callable, optional
        Returns what a judge no longer sees, or None while there is no judge yet.
    graphs : bool
        Capture each network's step and replay it.
    layout : memory_format
        See `DeviceTrainer`.
    every_s : float
        How often a network is looked at and saved.
    say : callable
        Takes a line of text.
    clock : callable
        Seconds; 0 is the start of the plan.
    """

    def __init__(
        self,
        plan: Sequence[Entry],
        records: Records,
        out: Path,
        judge: Callable[[], Unseen | None] | None = None,
        graphs: bool = True,
        layout: torch.memory_format = torch.channels_last,
        every_s: float = 60.0,
        say: Say = print,
        clock: Callable[[], float] | None = None,
    ) -> None:
        began = time.monotonic()
        self._clock = clock or (lambda: time.monotonic() - began)
        self._waiting = [e for e in plan if not (out / e.name / DONE).exists()]
        self._records, self._out = records, out
        self._judge, self._graphs, self._layout = judge, graphs, layout
        self._every, self._say = every_s, say
        self._running: list[_Running] = []
        self._looked = -1.0
        self._recipes = {e.name: recipe.read(recipe.find(e.recipe), list(e.settings)) for e in plan}

    def run(self, seconds: float) -> None:
        """Train until every network is done, or the clock has reached `seconds`."""
        while (self._waiting or self._running) and self._clock() < seconds:
            if self._clock() - self._looked > _LOOK_S:
                self._begin()
                self._looked = self._clock()
            moved = [self._stepped(one) for one in list(self._running)]
            if not any(moved):
                time.sleep(1e-4)
        for one in list(self._running):
            self._finish(one)

    def _begin(self) -> None:
        """Start a network whose time has come and whose teachers are done."""
        for entry in self._waiting:
            now = self._clock()
            if now > entry.stop_s - 1:
                self._say(f"{entry.name}: no time left for it")
            elif now < entry.start_s or not self._ready(entry, now):
                continue
            else:
                try:
                    self._running.append(self._started(entry))
                except (RuntimeError, ValueError, EcgEdgeError) as e:  # one network's trouble is not the others'
                    self._say(f"{entry.name}: not started, {e!r}"[:1500])
            self._waiting.remove(entry)
            return

    def _folder(self, name: str) -> Path:
        shipped = self._out / "shipped" / name
        return shipped if shipped.is_dir() and not (self._out / name).is_dir() else self._out / name

    def _done(self, names: Sequence[str]) -> list[Path]:
        return [folder for folder in map(self._folder, names) if (folder / DONE).exists()]

    def _teachers(self, entry: Entry) -> Sequence[str]:
        return self._recipes[entry.name].teachers if entry.teachers is None else entry.teachers

    def _init(self, entry: Entry) -> str:
        return self._recipes[entry.name].init if entry.init is None else entry.init

    def _ready(self, entry: Entry, now: float) -> bool:
        """Whether all it needs is there; after a while, whether anything to learn from is."""
        late = now > entry.start_s + _PATIENCE * (entry.stop_s - entry.start_s)
        judged = self._recipes[entry.name].train.diagnosis and self._judge is not None
        if judged and not late and self._judge is not None and self._judge() is None:
            return False
        names = self._teachers(entry)
        init = self._init(entry)
        there = self._done(names)
        if init and not self._done([init]):
            return False
        return len(there) == len(names) or (late and len(there) > 0)

    def _started(self, entry: Entry) -> _Running:
        what, init, records = self._recipes[entry.name], self._init(entry), self._records
        trainer = DeviceTrainer(
            what.net,
            what.train,
            records.train,
            records.step_mv,
            records.rows(what.train.field),
            records.covariance,
            load_network(self._folder(init)) if init else None,
            [load_network(folder) for folder in self._done(self._teachers(entry))],
            self._judge() if self._judge is not None else None,
            records.pool,
            self._layout,
        )
        if self._graphs and trainer.stream is not None:
            trainer.capture()
        (self._out / entry.name).mkdir(parents=True, exist_ok=True)
        now = self._clock()
        self._say(f"{entry.name}: started at {now:.1f} s, {trainer.steps_per_epoch} steps an epoch")
        return _Running(entry, trainer, now, what.train.epochs, looked=now)

    def _stepped(self, one: _Running) -> bool:
        """As `_step`; a network in trouble is given up, the others go on."""
        try:
            return self._step(one)
        except (RuntimeError, EcgEdgeError) as e:
            self._say(f"{one.entry.name}: given up, {e!r}"[:1500])
            self._running.remove(one)
            return True

    def _step(self, one: _Running) -> bool:
        """One step, where the last ones are not all still on their way; whether anything was done."""
        one.pending = [e for e in one.pending if not e.query()]  # type: ignore[no-untyped-call]
        if len(one.pending) >= _IN_FLIGHT:
            return False
        now = self._clock()
        progress = one.progress(now)
        if progress >= 1:
            self._finish(one)
        elif now - one.looked > self._every:
            one.looked = now
            self._look(one)
        elif one.trainer.stream is None:
            one.trainer.step(progress)
        else:
            with torch.cuda.stream(one.trainer.stream):
                one.trainer.step(progress)
                event = torch.cuda.Event()  # type: ignore[no-untyped-call]
                event.record()
            one.pending.append(event)
        return True

    def _look(self, one: _Running) -> bool:
        """Save what is there; whether it is worth something."""
        folder, trainer = self._out / one.entry.name, one.trainer
        if trainer.stream is not None:
            trainer.stream.synchronize()
        loss = trainer.mean_loss()
        row = {"epoch": round(trainer.epoch, 2), "loss": loss, "seconds": round(self._clock() - one.since, 1)}
        if not np.isfinite(loss):
            self._say(f"{one.entry.name}: the loss is {loss} at step {trainer.steps}; given up")
            self._running.remove(one)
            if (folder / "best.pt").exists():
                (folder / DONE).touch()  # what was saved last teaches all the same
            return False
        write_checkpoint(folder / "best.pt", trainer.state())
        with (folder / "history.jsonl").open("a") as f:
            f.write(json.dumps(row) + "\n")
        self._say(f"{one.entry.name}: {self._clock():.0f} s, epoch {row['epoch']}, loss {loss:.4f}")
        return True

    def _finish(self, one: _Running) -> None:
        """Save and mark as done."""
        if self._look(one):
            (self._out / one.entry.name / DONE).touch()
            self._running.remove(one)
        one.trainer.release()
