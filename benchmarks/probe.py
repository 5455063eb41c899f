"""One row of the table, measured in a process of its own: ``python -m ecg_edge.benchmarks.probe '{"model": …}'``."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

START = time.perf_counter()
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_RU_MAXRSS_PER_MB = 1024 if sys.platform != "darwin" else 1024**2


def main(arguments: list[str]) -> int:
    """Measure what the one argument (JSON) says; print the row as JSON."""
    wish = json.loads(arguments[0])
    row = measure(**wish)
    row["rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _RU_MAXRSS_PER_MB, 1)
    sys.stdout.write(json.dumps(row) + "\n")
    return 0


def measure(model: str, threads: int, hops: int, seconds: float) -> dict[str, Any]:
    """Start-up, latency per hop at full speed, and at the real pace for `seconds`."""
    import numpy as np

    from ecg_edge.benchmarks.machine import Energy
    from ecg_edge.benchmarks.timing import Spread, each, paced

    step, fs, hop, facts = _open(model, threads)
    ready = time.perf_counter() - START
    x = np.random.default_rng(0).normal(0, 0.3, (512, hop, facts["inputs"])).astype(np.float32)
    k = iter(range(10**9))

    def work() -> None:
        step(x[next(k) % len(x)])

    cpu, wall, energy = time.process_time(), time.perf_counter(), Energy()
    before = energy.read()
    durations = each(work, hops)
    spent, took = time.process_time() - cpu, time.perf_counter() - wall
    joules = energy.joules(before, energy.read(), took)
    signal_s = (hops + 20) * hop / fs
    row = {
        **facts,
        "threads": threads,
        "hop_ms": 1e3 * hop / fs,
        "start_s": round(ready, 3),
        "full_speed_ms": Spread.of(durations).to_dict(),
        "core_percent": 100 * spent / signal_s,
        "real_time_factor": signal_s / took,
        "mj_per_s_of_signal": None if joules is None else 1e3 * joules / signal_s,
        "energy_source": energy.source,
    }
    if seconds > 0:
        late, misses = paced(work, hop / fs, max(1, round(seconds * fs / hop)))
        row["paced_ms"], row["deadline_misses"] = Spread.of(late).to_dict(), misses
    return row


def _open(model: str, threads: int) -> tuple[Callable[[Any], object], int, int, dict[str, Any]]:
    """A step that keeps its own state, the rate, the hop, and what is known of the file."""
    if (Path(model) / "config.json").is_file():
        return _torch(Path(model), threads)
    from ecg_edge.device.model import load_model

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
        "inputs": spec.n_inputs,
        "bytes": m.path.stat().st_size,
        "macs_per_s": round(spec.training.get("macs_per_hop", 0) * spec.fs / spec.hop),
        "state_bytes": sum(s.initial().nbytes for s in spec.states),
    }
    return step, spec.fs, spec.hop, facts


def _torch(run: Path, threads: int) -> tuple[Callable[[Any], object], int, int, dict[str, Any]]:
    import torch

    from ecg_edge.train.checkpoints import load_model

    torch.set_num_threads(threads)
    network = load_model(run)
    spec, state = network.spec, [network.body.initial_state()]

    @torch.no_grad()
    def step(x: Any) -> object:
        features, state[0] = network.body.step(torch.from_numpy(x.T[None, :, None].copy()), state[0])
        return features

    facts = {
        "model": run.name,
        "backend": "torch",
        "precision": "fp32",
        "inputs": spec.n_inputs,
        "bytes": (run / "best.pt").stat().st_size,
        "macs_per_s": None,
        "state_bytes": 4 * sum(s.numel() for s in state[0]),
    }
    return step, spec.fs, spec.hop, facts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
