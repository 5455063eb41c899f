"""A queue of trainings: recipes one after the other, each resumed where it stopped, finished ones left alone."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ecg_edge.firmware_bridge.console import hint
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError
from ecg_edge.train.jobs import recipe as recipes
from ecg_edge.train.jobs.job import Job
from ecg_edge.train.jobs.recipe import Recipe


def jobs(where: Path, out: Path, settings: list[str]) -> list[Job]:
    """The trainings of a folder of recipes (or of one file), those others start from first.

    Parameters
    ----------
    where : Path
        Folder of ``*.yaml`` files, or one.
    out : Path
        Each run lies in ``out/NAME``.
    settings : list of str
        Override every recipe.

    Raises
    ------
    UsageError
        No recipe is there, or all that is wrong with them.
    """
    files = sorted(where.glob("*.yaml")) if where.is_dir() else [where] if where.is_file() else []
    if not files:
        raise UsageError(f"no recipe in {where}", "a recipe is a .yaml file; see the folder train/recipes")
    found, wrong = list[Recipe](), []
    for file in files:
        try:
            found.append(recipes.read(file, settings))
        except UsageError as e:
            wrong.append(f"{file.name}: {e.message}")
    names = [r.name for r in found]
    wrong += [f"two recipes are called {n}" for n in sorted(set(names)) if names.count(n) > 1]
    if wrong:
        raise UsageError("; ".join(wrong), "mend the recipes; nothing was trained")
    return [
        Job(
            r,
            out / r.name,
            init=_run(r.init, names, out) if r.init else None,
            resume=True,
            teachers=tuple(_run(t, names, out) for t in r.teachers),
        )
        for r in _in_order(found)
    ]


def _run(name: str, names: list[str], out: Path) -> Path:
    """The run of another recipe of the queue, or a folder."""
    return out / name if name in names else Path(name)


def _in_order(found: list[Recipe]) -> list[Recipe]:
    """Each recipe after those it starts or learns from."""
    left, done = list(found), list[Recipe]()
    while left:
        waiting = {r.name for r in left}
        ready = [r for r in left if not waiting.intersection((r.init, *r.teachers))]
        if not ready:
            raise UsageError(f"{', '.join(sorted(waiting))} start from each other", "let one of them start afresh")
        done += ready
        left = [r for r in left if r not in ready]
    return done


def run(queue: list[Job], work: Callable[[Job], int]) -> int:
    """Do the jobs in order. A job that fails is reported, and only the jobs that need it are left out.

    Returns
    -------
    int
        0, 1 where one failed, or what a job that was interrupted returned.
    """
    failed: dict[Path, str] = {}
    for k, job in enumerate(queue, 1):
        title = f"{k} of {len(queue)}: {job.recipe.name}"
        if job.finished:
            hint(f"{title} is finished")
            continue
        needed = [p for p in (job.init, *job.teachers) if p in failed]
        if needed:
            failed[job.out] = f"needs {needed[0].name}" if needed[0] else ""
            continue
        hint(title)
        try:
            if code := work(job):
                return code
        except EcgEdgeError as e:
            failed[job.out] = e.message
            hint(f"{job.recipe.name} failed: {e.message}\n  fix: {e.fix}")
    for path, why in failed.items():
        hint(f"not done: {path.name}: {why}")
    if failed or not queue:
        hint("next: the same command goes on with what is left")
    else:
        data = f" --data {shlex.quote(queue[-1].data)}" if queue[-1].data else ""
        hint(f"next: ecg-edge export {shlex.quote(str(queue[-1].out))} --int8{data}")
    return 1 if failed else 0


def with_data(queue: list[Job], data: str | None, limit: int | None) -> list[Job]:
    """The jobs with the data they train on."""
    return [replace(job, data=data, limit=limit) for job in queue]
