"""Many records at once: over the cores of this machine, or over a Dask cluster."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from ecg_edge.device.offline.many_records import Document, RecordPlan, refused, try_record
from ecg_edge.firmware_bridge.errors import MissingExtraError, PortNotFoundError

Job = tuple[str, str]
"""File to read and file to write."""
Work = Callable[[RecordPlan, str, str], Document]
_EACH = 8
"""Records that are worth another process: it takes seconds to start."""
_RETRIES = 3
_DIED = "the process that worked on it died"
_MEND = "try it alone: ecg-edge reconstruct FILE --out …; memory may be short"


def usual_processes(jobs: int) -> int:
    """Processes where nothing is said: one a core, where there are records enough for it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, jobs // _EACH))


def over_cores(plan: RecordPlan, jobs: Sequence[Job], processes: int, work: Work = try_record) -> Iterator[Document]:
    """Yield what became of each record, as they are done; ``record`` tells which it is.

    Each process has at most one record in hand. A record whose process dies is tried once more, alone; where that
    dies too, it is refused and the others go on.

    Parameters
    ----------
    plan : RecordPlan
        What to make of each.
    jobs : sequence of (str, str)
        Records and files.
    processes : int
        1: in this process.
    work : callable
        A module's function.
    """
    if processes == 1:
        yield from (work(plan, *job) for job in jobs)
        return
    left = deque(jobs)
    while left:
        in_hand: dict[Future[Document], Job] = {}
        # Spawned, not forked: this process may have threads.
        pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"))
        with contextlib.suppress(BrokenProcessPool), pool:
            yield from _pool(pool, plan, left, in_hand, processes, work)
        for future, job in in_hand.items():
            whole = future.done() and future.exception() is None
            yield future.result() if whole else _alone(plan, job, work)


def _pool(
    pool: ProcessPoolExecutor,
    plan: RecordPlan,
    left: deque[Job],
    in_hand: dict[Future[Document], Job],
    processes: int,
    work: Work,
) -> Iterator[Document]:
    while left or in_hand:
        while left and len(in_hand) < processes:
            job = left[0]
            in_hand[pool.submit(work, plan, *job)] = job
            left.popleft()
        done, _ = wait(in_hand, return_when=FIRST_COMPLETED)
        for future in done:
            document = future.result()
            del in_hand[future]
            yield document


def _alone(plan: RecordPlan, job: Job, work: Work) -> Document:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(work, plan, *job).result()
        except BrokenProcessPool:
            return refused(job[0], _DIED, _MEND)


def over_cluster(plan: RecordPlan, jobs: Sequence[Job], scheduler: str, work: Work = try_record) -> Iterator[Document]:
    """Yield what became of each record, from the workers of a Dask cluster.

    Every worker needs this package, and the folders under the same names. A record whose worker is lost goes to
    another one; after a few it is refused.

    Parameters
    ----------
    plan, jobs, work
        As in `over_cores`.
    scheduler : str
        ``tcp://host:8786``.

    Raises
    ------
    MissingExtraError
        The package distributed is not installed.
    PortNotFoundError
        No scheduler answers.
    """
    try:
        import distributed
    except ImportError as e:
        raise MissingExtraError("distributed", "cluster") from e
    try:
        client: Any = distributed.Client(scheduler, timeout=10, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as e:
        fix = "start one: dask scheduler, and dask worker tcp://HOST:8786 on each machine"
        raise PortNotFoundError(f"no Dask scheduler answers at {scheduler}: {e}", fix) from e
    with client:
        futures = {client.submit(work, plan, *job, pure=False, retries=_RETRIES): job for job in jobs}
        for future in distributed.as_completed(list(futures), loop=client.loop):
            job = futures.pop(future)
            error = future.exception()
            yield future.result() if error is None else refused(job[0], f"{type(error).__name__}: {error}", _MEND)
            future.release()
