"""A plan: which networks are trained beside each other, and when each has its time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.train.gpu.farm import Entry
from ecg_edge.train.jobs.recipe import SHIPPED

PLAN = SHIPPED / "gpu-plan.json"
"""The plan that ships: teachers first, the students after them."""
TRY_SHARE = 0.55


@dataclass(frozen=True)
class Window:
    """One line of a plan.

    Attributes
    ----------
    name, recipe : str
        Of its folder; the recipe's name or file, the same if left out.
    start, stop : float
        Its time as shares of the whole.
    settings : tuple of str
        ``key=value`` pairs on top of the recipe.
    teachers : tuple of str, or None
        In place of the recipe's.
    init : str, or None
        Likewise.
    """

    name: str
    recipe: str = ""
    start: float = 0.0
    stop: float = 1.0
    settings: tuple[str, ...] = ()
    teachers: tuple[str, ...] | None = None
    init: str | None = None


def read(path: Path) -> list[Window]:
    """Read a plan.

    Raises
    ------
    UsageError
        It is no list of windows; with the line that is wrong.
    """
    try:
        rows = json.loads(path.read_text())
    except (OSError, ValueError) as e:
        raise UsageError(f"{path} is no plan: {e}", f"copy {PLAN} and change it") from e
    if not isinstance(rows, list) or not rows:
        raise UsageError(f"{path} is no list of networks", f"copy {PLAN} and change it")
    plan = [_window(row, path) for row in rows]
    if len({window.name for window in plan}) < len(plan):
        raise UsageError(f"{path} names a network twice", "give each a name of its own")
    return plan


def _window(row: object, path: Path) -> Window:
    known = {f.name for f in fields(Window)}
    if not isinstance(row, dict) or "name" not in row or row.keys() - known:
        raise UsageError(f"{path}: {json.dumps(row)} is no network of a plan", f"use {', '.join(sorted(known))}")
    lists = {key: tuple(row[key]) for key in ("settings", "teachers") if row.get(key) is not None}
    window = Window(**{**row, **lists})
    if not 0 <= window.start < window.stop <= 1:
        raise UsageError(f"{path}: {window.name} has no time", "give start and stop as shares of the whole, 0 to 1")
    return window


def entries(plan: Sequence[Window], begin_s: float, end_s: float, more: Sequence[str] = ()) -> list[Entry]:
    """Lay windows into a stretch of time; `more` settings go on top of every recipe."""
    span = end_s - begin_s
    return [
        Entry(
            w.name, w.recipe or w.name, begin_s + span * w.start, begin_s + span * w.stop,
            (*w.settings, *more), w.teachers, w.init,
        )
        for w in plan
    ]  # fmt: skip


def for_a_try(plan: Sequence[Window]) -> list[Window]:
    """The same networks in a short time: what starts at once stops early, so that students see their teachers."""
    return [replace(w, start=0.0, stop=1.0 if w.start else TRY_SHARE) for w in plan]
