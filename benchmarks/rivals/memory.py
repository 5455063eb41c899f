"""What one network adds to a process: ``python -m ecg_edge.benchmarks.rivals.memory FILE [SHAPE]``."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecg_edge.benchmarks.measuring.process import PEAK_RESET, STATUS_FILE, status_kb

_RUNS = 5


def of(path: Path, shape: tuple[int, ...] | None = None) -> float | None:
    """Return the MB that opening and running a file adds to a process that has the runtime; None if it is unknown.

    Parameters
    ----------
    path : Path
        A streaming file, an offline one, or (with `shape`) any ONNX file.
    shape : tuple of int, optional
        Of the one input of a foreign ONNX file; of the samples, (n_samples, n_inputs), of an offline file.
    """
    command = [sys.executable, "-m", "ecg_edge.benchmarks.rivals.memory", str(path), json.dumps(shape)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return float(done.stdout) if done.returncode == 0 and done.stdout.strip() else None


def main(arguments: list[str]) -> int:
    """Open a file, run it and print MB; print nothing where the kernel reports no memory."""
    path, shape = Path(arguments[0]), json.loads(arguments[1])
    _imports(path)
    if not STATUS_FILE.exists():
        return 1
    PEAK_RESET.write_text("5")  # the imports' own peak is not the network's
    before = status_kb("VmRSS")
    work = opened(path, shape)
    for _ in range(_RUNS):
        work()
    sys.stdout.write(f"{(status_kb('VmHWM') - before) / 1024:.2f}\n")
    return 0


def opened(path: Path, shape: Any) -> Callable[[], object]:
    """Open a file; return what runs it once: a hop, or a window."""
    from ecg_edge.benchmarks.rivals.run_once import foreign, stream, window

    if shape is None:
        return stream(path)
    if len(shape) == 2:
        return window(path, shape[0])
    return foreign(path, tuple(shape))


def _imports(path: Path) -> None:
    """Import what a device has anyway: it is not the network's memory."""
    runtime = "litert_backend" if path.suffix == ".tflite" else "onnx_backend"
    for module in (
        "device.inference.load",
        "device.reconstruction.stream_reconstructor",
        f"device.inference.{runtime}",
        "export.run_file",
        "benchmarks.rivals.rivals",
    ):
        importlib.import_module(f"ecg_edge.{module}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
