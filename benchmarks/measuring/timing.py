"""Timing one thing many times, and two things against each other in one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Clock = Callable[[], float]


@dataclass(frozen=True)
class Spread:
    """Percentiles of a set of durations, in milliseconds."""

    p50: float
    p95: float
    p99: float
    max: float
    jitter: float
    n: int

    @classmethod
    def of(cls, seconds: list[float]) -> Spread:
        """From durations in seconds; `jitter` is their standard deviation."""
        ms = 1e3 * np.asarray(seconds)
        p50, p95, p99 = np.percentile(ms, [50, 95, 99])
        return cls(float(p50), float(p95), float(p99), float(ms.max()), float(ms.std()), len(ms))

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def each(work: Callable[[], object], times: int, clock: Clock = time.perf_counter, warm: int = 20) -> list[float]:
    """Duration in seconds of each of many calls, after some that do not count."""
    for _ in range(warm):
        work()
    out = []
    for _ in range(times):
        start = clock()
        work()
        out.append(clock() - start)
    return out


def paced(
    work: Callable[[], object],
    period: float,
    times: int,
    clock: Clock = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[list[float], int]:
    """Call once a period, as a live stream does: durations from each due time to the end of its call, and misses.

    A call that ends after the next one is due is a miss.
    """
    start, out, misses = clock(), [], 0
    for k in range(times):
        due = start + k * period
        if (wait := due - clock()) > 0:
            sleep(wait)
        work()
        out.append(clock() - due)
        misses += out[-1] > period
    return out, misses


def turns(
    works: Mapping[str, Callable[[], object]], rounds: int, calls: Mapping[str, int], clock: Clock = time.process_time
) -> dict[str, list[float]]:
    """Processor seconds per call of several things, in turns, so that a busy machine burdens all alike.

    Parameters
    ----------
    works : mapping of str to callable
        What to time.
    rounds : int
        Turns that count; one before them warms caches.
    calls : mapping of str to int
        Calls in one turn of each.
    clock : callable
        Processor time by default.

    Returns
    -------
    dict of str to list of float
        One figure for each turn.
    """
    seen: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            start = clock()
            for _ in range(calls[name]):
                work()
            if turn:
                seen[name].append((clock() - start) / calls[name])
    return seen


def compare(
    works: Mapping[str, Callable[[], object]], rounds: int, calls: Mapping[str, int], clock: Clock = time.process_time
) -> dict[str, float]:
    """Median over the turns of `turns`."""
    return {name: float(np.median(v)) for name, v in turns(works, rounds, calls, clock).items()}


def ratio(a: list[float], b: list[float]) -> tuple[float, float, float]:
    """A over b, turn by turn: median and the quartiles about it."""
    low, mid, high = np.percentile(np.asarray(a) / np.asarray(b), [25, 50, 75])
    return float(mid), float(low), float(high)
