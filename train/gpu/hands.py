"""Processes of a run on a GPU: one that times, one that trains judges, one or several that train networks.

``python -m ecg_edge.train.gpu.hands tune|judge|farm WORK …`` is started by `run.Run`; each can fail alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.train.diagnosis import figures, learn
from ecg_edge.train.diagnosis.judge import Judge, JudgeSpec
from ecg_edge.train.gpu import pieces
from ecg_edge.train.gpu.farm import Entry, Farm, Records
from ecg_edge.train.gpu.trainer import DeviceTrainer, Unseen
from ecg_edge.train.jobs import recipe
from ecg_edge.train.learning import feature_loss
from ecg_edge.train.network.placement_draw import Placements

LAYOUTS = ("channels_last", "contiguous_format")
JUDGE, SECOND = "judge", "second"
_EPOCHS, _RIVAL_EPOCHS, _BATCH = 15, 10, 128
_RIVALS = (("I", "II"), ("I", "II", "V2"), ("I",), ("II",), ("I", "II", "V3"), ("I", "II", "V2", "V5"))
_EAGER_STEPS, _STEPS, _SKIPPED, _TRIED = 3, 40, 200, 600
say: Callable[[str], None] = partial(print, flush=True)


def records(work: Path, device: torch.device, limit: int | None = None) -> Records:
    """What networks train on, on the device."""
    rows = pieces.read(work)
    train = np.flatnonzero(rows.there & ~rows.validation)[:limit]
    check = np.flatnonzero(rows.there & rows.validation)[:limit]
    pool = None
    if (work / "pool.npz").exists():
        with np.load(work / "pool.npz") as z:
            pool = Placements(*(z[str(k)] for k in range(len(z.files))))

    def there(chosen: np.ndarray[Any, np.dtype[np.intp]]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(rows.x[chosen])).to(device)

    return Records(there(train), there(check), rows.field[train], pieces.STEP_MV, rows.covariance, pool)


def tune(work: Path, device: torch.device, plan: list[Entry]) -> dict[str, Any]:
    """Time a step of the plan's widest work in both layouts; written after each, so that a crash leaves the last."""
    data, found, best = records(work, device, _TRIED), {"graphs": False, "layout": LAYOUTS[0]}, np.inf
    _put(work, found)
    what = recipe.read(recipe.find(plan[0].recipe), list(plan[0].settings))
    for layout in LAYOUTS:
        one = DeviceTrainer(
            what.net, what.train, data.train, data.step_mv, data.rows(1), data.covariance,
            pool=data.pool, layout=getattr(torch, layout),
        )  # fmt: skip
        slow = _ms(one, _EAGER_STEPS)
        if one.stream is None:
            say(f"{layout}: {slow:.1f} ms a step, no graphs without a GPU")
            continue
        one.capture()
        fast = _ms(one, _STEPS)
        say(f"{layout}: {slow:.2f} ms a step, {fast:.2f} as a graph, loss {one.mean_loss():.4f}")
        if fast < best:
            best, found = fast, {"graphs": True, "layout": layout}
        one.release()
        _put(work, found)
    return found


def _put(work: Path, found: dict[str, Any]) -> None:
    (work / "tune.json").write_text(json.dumps(found))


def _ms(one: DeviceTrainer, steps: int) -> float:
    began = time.monotonic()
    if one.stream is None:
        one.step(0.01)
        return (time.monotonic() - began) * 1000
    with torch.cuda.stream(one.stream):
        one.step(0.01)
        torch.cuda.synchronize()
        began = time.monotonic()
        for _ in range(steps):
            one.step(0.01)
        torch.cuda.synchronize()
    return (time.monotonic() - began) * 1000 / steps


def judges(work: Path, device: torch.device, seconds: float, limit: int | None = None) -> None:
    """Train the judge of the loss, one that only judges, then the rivals that see measured leads alone."""
    rows, out = pieces.read(work), work / "runs" / JUDGE
    out.mkdir(parents=True, exist_ok=True)
    told = rows.there & rows.labels.any(axis=1)
    train, check = np.flatnonzero(told & ~rows.validation)[:limit], np.flatnonzero(told & rows.validation)[:limit]
    x, said = torch.from_numpy(rows.x[train]).to(device), torch.from_numpy(rows.labels[train]).to(device)
    lessons = learn.Lessons(x, said, pieces.STEP_MV)
    for name, spec, how in _lessons():
        judge = learn.JudgeTrainer(spec, how, lessons, out / f"{name}.pt").fit(partial(_epoch, name), seconds)
        if len(check):
            area = _areas(judge, rows, check, device)
            say(f"{name}: validation AUC {np.round(area, 4).tolist()}, macro {area.mean():.4f}")


def _epoch(name: str, epoch: int, loss: float) -> None:
    say(f"{name}: epoch {epoch}, loss {loss:.4f}")


def _lessons() -> list[tuple[str, JudgeSpec, learn.LearnSpec]]:
    first = [
        (JUDGE, JudgeSpec("residual"), learn.LearnSpec(_EPOCHS, _BATCH, seed=0)),
        (SECOND, JudgeSpec("inception"), learn.LearnSpec(_EPOCHS, _BATCH, seed=1)),
    ]
    rivals = learn.LearnSpec(_RIVAL_EPOCHS, 2 * _BATCH, seed=2)  # shorter, in larger batches: networks need the GPU
    return first + [(f"rival-{'-'.join(r).lower()}", JudgeSpec("inception", r), rivals) for r in _RIVALS]


def _areas(judge: Judge, rows: pieces.Rows, check: np.ndarray[Any, Any], device: torch.device) -> Any:
    columns = [BASIS.index(lead) for lead in judge.spec.leads]
    found = []
    for k in range(0, len(check), 2 * _BATCH):
        x = torch.from_numpy(rows.x[check[k : k + 2 * _BATCH]][:, columns, _SKIPPED:]).to(device)
        with torch.no_grad():
            found.append(torch.sigmoid(judge(x.float() * pieces.STEP_MV)).cpu().numpy())
    return figures.areas(rows.labels[check], np.concatenate(found))[0]


def farm(work: Path, device: torch.device, a: argparse.Namespace) -> None:
    """Train one share of the plan."""
    loaded: dict[str, Unseen] = {}

    def unseen() -> Unseen | None:
        file = work / "runs" / JUDGE / f"{JUDGE}.pt"
        if not loaded and file.exists():
            loaded["judge"] = partial(feature_loss.lost_features, feature_loss.load(file, device))
        return loaded.get("judge")

    mine = plan_of(Path(a.plan))[a.part :: a.parts]
    graphs = not a.eager and device.type == "cuda"
    layout, every = getattr(torch, a.layout), 60.0 if a.limit is None else 5.0
    data = records(work, device, a.limit)
    Farm(mine, data, work / "runs", unseen, graphs, layout, every, say, lambda: time.time() - a.t0).run(a.seconds)


def plan_of(path: Path) -> list[Entry]:
    """Entries as `run.Run` wrote them."""
    rows: list[dict[str, Any]] = json.loads(path.read_text())
    lists = ("settings", "teachers")
    for row in rows:
        row.update({key: tuple(row[key]) for key in lists if row.get(key) is not None})
    return [Entry(**row) for row in rows]


def main(words: list[str] | None = None) -> None:
    """Do one of them."""
    p = argparse.ArgumentParser()
    p.add_argument("hand", choices=("tune", "judge", "farm"))
    p.add_argument("work", type=Path)
    p.add_argument("--plan", default="")
    p.add_argument("--seconds", type=float, default=60.0)
    p.add_argument("--t0", type=float, default=0.0)
    p.add_argument("--part", type=int, default=0)
    p.add_argument("--parts", type=int, default=1)
    p.add_argument("--layout", choices=LAYOUTS, default=LAYOUTS[0])
    p.add_argument("--eager", action="store_true")
    p.add_argument("--limit", type=int)
    a = p.parse_args(words)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    torch.set_num_threads(1 if a.parts > 1 or device.type == "cpu" else 4)
    if a.hand == "tune":
        tune(a.work, device, plan_of(Path(a.plan)))
    elif a.hand == "judge":
        judges(a.work, device, a.seconds, a.limit)
    else:
        farm(a.work, device, a)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # all is saved, and taking graphs down takes time
