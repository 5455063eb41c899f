"""Cold start, taken apart.

``python -m ecg_edge.benchmarks.live_path.cold_start PORT BEGUN MODEL`` is a run that keeps the time.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

_FIRST_LINE = time.monotonic()
_SECONDS = 2.0
STEPS = (
    "interpreter",
    "imports (numpy, scipy, onnxruntime, ours)",
    "model file: read, digest, description",
    "session",
    "port and the patch's greeting",
    "first hops of signal, to rows",
    "rows on disk",
)


def measure(model: str, times: int = 3) -> dict[str, Any]:
    """Seconds from the start of the process to each step of a run on a virtual patch; medians of some starts.

    Returns
    -------
    dict
        ``steps``: seconds by `STEPS`; ``total_s``: of the start with the median total, whose steps they are.
    """
    from ecg_edge.firmware_bridge.virtual_patch.child_process import virtual_patch

    found = []
    for _ in range(times):
        with virtual_patch() as port:
            command = [
                sys.executable,
                "-m",
                "ecg_edge.benchmarks.live_path.cold_start",
                port,
                repr(time.monotonic()),
                model,
            ]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    found.sort(key=sum)
    steps = found[len(found) // 2]
    return {"steps": dict(zip(STEPS, steps, strict=True)), "total_s": sum(steps), "starts": times}


def main(arguments: list[str]) -> int:
    """Run; print the seconds each step took, as a list."""
    port, begun, name = arguments
    at = [float(begun), _FIRST_LINE]
    from ecg_edge.device.inference.load import load_model
    from ecg_edge.device.inference.sealed_file import check_seal, read_model_bytes
    from ecg_edge.device.inference.shipped import resolve
    from ecg_edge.device.lead_block import LeadBlock
    from ecg_edge.device.live.run_settings import Models, RunSettings
    from ecg_edge.device.live.runner import Runner
    from ecg_edge.device.recording.recorder import Recorder
    from ecg_edge.device.sinks.sink_thread import SinkThread
    from ecg_edge.device.sources.open_source import open_source
    from ecg_edge.firmware_bridge.clock import SystemClock

    # What the verb imports, and what it imports when it loads a model.
    for module in ("cli.run", "inference.onnx_backend"):
        importlib.import_module(f"ecg_edge.device.{module}")
    at.append(time.monotonic())
    file = resolve(name)
    check_seal(read_model_bytes(file), file)
    at.append(time.monotonic())
    model = load_model(file)
    at.append(time.monotonic())
    marks: dict[str, float] = {}

    class Timed(Recorder):
        """Notes when the first rows came, and when they were written."""

        def leads(self, block: LeadBlock) -> None:
            marks.setdefault("rows", time.monotonic())
            super().leads(block)
            if len(block):
                marks.setdefault("disk", time.monotonic())

    def greeted(_: tuple[str, ...]) -> Any:
        marks["greeting"] = time.monotonic()
        return model

    with tempfile.TemporaryDirectory() as folder:
        sinks = [SinkThread(Timed(Path(folder)))]
        clock = SystemClock()
        Runner(open_source(port, clock), Models(greeted), sinks, RunSettings(seconds=_SECONDS), clock=clock).run()
    at += [marks[k] for k in ("greeting", "rows", "disk")]
    sys.stdout.write(json.dumps([b - a for a, b in pairwise(at)]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
