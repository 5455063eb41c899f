"""One row of the table, in a process of its own: ``python -m ecg_edge.benchmarks.hop_cost.probe '{"model": …}'``."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecg_edge.benchmarks.measuring.process import peak_mb

START = time.perf_counter()
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_ENERGY_S = 3.0
"""Time at full speed while energy is measured: counters and meters are slow beside a hop."""


def main(arguments: list[str]) -> int:
    """Measure what the one argument (JSON) says; print the row as JSON."""
    wish = json.loads(arguments[0])
    row = measure(**wish)
    row["rss_mb"] = round(peak_mb(), 1)
    sys.stdout.write(json.dumps(row) + "\n")
    return 0


def measure(
    model: str, threads: int, hops: int, seconds: float, hop: int | None = None, metered: bool = False
) -> dict[str, Any]:
    """Measure start-up, latency per hop at full speed and at the real pace, and energy where the machine reports it.

    Parameters
    ----------
    model : str
        A file, or a run folder for torch.
    threads : int
        Of the session.
    hops : int
        Timed at full speed.
    seconds : float
        At the real pace.
    hop : int, optional
        Samples per step of a run folder: a multiple of the network's own, which is the default.
    metered : bool
        Whether an external meter records: the row then holds the times to read it at.
    """
    import numpy as np

    from ecg_edge.benchmarks.measuring.energy import Energy
    from ecg_edge.benchmarks.measuring.timing import Spread, each, paced

    step, fs, n, facts = _open(model, threads, hop)
    ready = time.perf_counter() - START
    x = np.random.default_rng(0).normal(0, 0.3, (512, n, facts["inputs"])).astype(np.float32)
    k = iter(range(10**9))

    def work() -> None:
        step(x[next(k) % len(x)])

    cpu, wall = time.process_time(), time.perf_counter()
    durations = each(work, hops)
    spent, took = time.process_time() - cpu, time.perf_counter() - wall
    signal_s = (hops + 20) * n / fs
    row = {
        **facts,
        "threads": threads,
        "hop_ms": 1e3 * n / fs,
        "start_s": round(ready, 3),
        "full_speed_ms": Spread.of(durations).to_dict(),
        "core_percent": 100 * spent / signal_s,
        "real_time_factor": signal_s / took,
    }
    if seconds > 0:
        late, misses = paced(work, n / fs, max(1, round(seconds * fs / n)))
        row["paced_ms"], row["deadline_misses"] = Spread.of(late).to_dict(), misses
    energy = Energy()
    if energy.source or metered:
        begun = time.time()
        joules, calls = energy.over(work, _ENERGY_S)
        row["metered"] = {"from": begun, "to": time.time(), "signal_s": calls * n / fs}
        if energy.source:
            row["mj_per_s_of_signal"], row["energy_source"] = 1e3 * joules / (calls * n / fs), energy.source
    return row


def _open(model: str, threads: int, hop: int | None) -> tuple[Callable[[Any], object], int, int, dict[str, Any]]:
    """A step that keeps its own state, the rate, the hop, and what is known of the file."""
    if (Path(model) / "config.json").is_file():
        return _torch(Path(model), threads, hop)
    from ecg_edge.device.inference.load import load_model

    m = load_model(model, threads)
    state = [m.backend.initial_state()]

    def step(x: Any) -> object:
        features, state[0] = m.backend.step(x, state[0])
        return features

    spec = m.spec
    facts = {
        "model": m.path.name,
        "backend": m.backend.name,
        "precision": spec.precision,
        "weights": spec.training.get("weights", "trained"),
        "inputs": spec.n_inputs,
        "bytes": m.path.stat().st_size,
        "macs_per_s": round(spec.training.get("macs_per_hop", 0) * spec.fs / spec.hop),
        "state_bytes": sum(s.initial().nbytes for s in spec.states),
    }
    return step, spec.fs, spec.hop, facts


def _torch(run: Path, threads: int, hop: int | None) -> tuple[Callable[[Any], object], int, int, dict[str, Any]]:
    import torch

    from ecg_edge.export.graph import from_body
    from ecg_edge.train.runs.checkpoints import load_network

    torch.set_num_threads(threads)
    network = load_network(run)
    spec, state = network.spec, [network.body.initial_state()]

    @torch.no_grad()
    def step(x: Any) -> object:
        features, state[0] = network.body.step(torch.from_numpy(x.T[None, :, None].copy()), state[0])
        return features

    facts = {
        "model": run.name,
        "backend": "torch",
        "precision": "fp32",
        "weights": json.loads((run / "config.json").read_text()).get("weights", "trained"),
        "inputs": spec.n_inputs,
        "bytes": (run / "best.pt").stat().st_size,
        "macs_per_s": round(from_body(network.body).macs_per_hop() * spec.fs / spec.hop),
        "state_bytes": 4 * sum(s.numel() for s in state[0]),
    }
    return step, spec.fs, hop or spec.hop, facts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
