"""What opening and running one network adds to a process: ``python -m ecg_edge.benchmarks.memory FILE [SHAPE]``."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_RUNS = 5
_STATUS, _PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def of(path: Path, shape: tuple[int, ...] | None = None) -> float | None:
    """MB that opening and running a file adds to a process with numpy and the runtime; None where none can say.

    Parameters
    ----------
    path : Path
        A streaming file, an offline one, or (with `shape`) any ONNX file.
    shape : tuple of int, optional
        Of the one input of a foreign ONNX file; of the samples, (n_samples, n_inputs), of an offline file.
    """
    command = [sys.executable, "-m", "ecg_edge.benchmarks.memory", str(path), json.dumps(shape)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return float(done.stdout) if done.returncode == 0 and done.stdout.strip() else None


def main(arguments: list[str]) -> int:
    """Open, run, and print MB; nothing where the kernel does not tell."""
    path, shape = Path(arguments[0]), json.loads(arguments[1])
    _imports(path)
    if not _STATUS.exists():
        return 1
    _PEAK.write_text("5")  # the imports' own peak is not the network's
    before = _kb("VmRSS")
    work = opened(path, shape)
    for _ in range(_RUNS):
        work()
    sys.stdout.write(f"{(_kb('VmHWM') - before) / 1024:.2f}\n")
    return 0


def opened(path: Path, shape: Any) -> Callable[[], object]:
    """Open a file; return what runs it once: a hop, or a window."""
    from ecg_edge.benchmarks import rivals

    if shape is None:
        return rivals.stream(path)
    if len(shape) == 2:
        return rivals.window(path, shape[0])
    return rivals.foreign(path, tuple(shape))


def _imports(path: Path) -> None:
    """Import what a device has anyway: it is not the network's memory."""
    runtime = "litert_backend" if path.suffix == ".tflite" else "onnx_backend"
    for module in ("device.model", "device.stream", f"device.{runtime}", "export.estimates", "benchmarks.rivals"):
        importlib.import_module(f"ecg_edge.{module}")


def _kb(key: str) -> int:
    return next(int(line.split()[1]) for line in _STATUS.read_text().splitlines() if line.startswith(key))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
