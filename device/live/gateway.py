"""Several patches at once on one gateway: a run each, one session per model for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ecg_edge.device.inference.load import Model, load_model
from ecg_edge.device.live.options import Options
from ecg_edge.device.live.stop_signals import stop_on_signals
from ecg_edge.device.live.summary import Summary
from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.errors import EcgEdgeError


class SharedModels:
    """Loads each file once; sessions may be shared between threads, streams keep their own state."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self._lock = threading.Lock()

    def __call__(self, name: str | Path) -> Model:
        """Load a model, or give the one that is there."""
        with self._lock:
            if str(name) not in self._models:
                self._models[str(name)] = load_model(name)
            return self._models[str(name)]


@dataclass
class _Outcome:
    summary: Summary | None = None
    error: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)


def run_all(
    patches: tuple[Options, ...],
    start: Callable[[Options, SharedModels, threading.Event], Summary],
    clock: Clock,
) -> dict[str, Summary | EcgEdgeError]:
    """Run every patch until all have ended, or Ctrl-C ends them.

    Parameters
    ----------
    patches : tuple of Options
        One thread each; their names differ.
    start : callable
        Runs one; its errors end that patch alone.
    clock : Clock
        Waits.

    Returns
    -------
    dict of str to Summary or EcgEdgeError
        By the name of the patch.
    """
    stop, models = threading.Event(), SharedModels()
    outcomes = {p.name: _Outcome() for p in patches}

    def work(p: Options) -> None:
        outcome = outcomes[p.name]
        try:
            outcome.summary = start(p, models, stop)
        except BaseException as e:  # noqa: BLE001 -- raised again in the caller's thread
            outcome.error = e
        finally:
            outcome.done.set()

    with stop_on_signals(stop):
        threads = [threading.Thread(target=work, args=(p,), name=p.name, daemon=True) for p in patches]
        for thread in threads:
            thread.start()
        for outcome in outcomes.values():
            while not outcome.done.is_set():
                clock.wait(outcome.done, 0.5)
        for thread in threads:
            thread.join()
    found: dict[str, Summary | EcgEdgeError] = {}
    for name, outcome in outcomes.items():
        if isinstance(outcome.error, EcgEdgeError):
            found[name] = outcome.error
        elif outcome.error is not None:
            raise outcome.error
        elif outcome.summary is not None:
            found[name] = outcome.summary
    return found
