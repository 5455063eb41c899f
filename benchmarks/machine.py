"""What must stand beside a timing: the machine, its governor, its heat, and its energy counters."""

from __future__ import annotations

import csv
import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

from ecg_edge.firmware_bridge.errors import UsageError

_PACKAGES = ("ecg-edge", "numpy", "scipy", "onnxruntime", "ai-edge-litert", "torch")
_SYS = Path("/sys")
_THROTTLED = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}


def facts(sys: Path = _SYS) -> dict[str, Any]:
    """Everything this machine says of itself; what it does not say is missing."""
    out: dict[str, Any] = {
        "machine": platform.machine(),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: v for name in _PACKAGES if (v := _version(name))},
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }
    found = {
        "board": _read(Path("/proc/device-tree/model")).strip("\0"),
        "governor": _read(sys / "devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "frequency_mhz": _number(sys / "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", 1e-3),
        "temperature_c": _number(sys / "class/thermal/thermal_zone0/temp", 1e-3),
        "throttling": throttling(),
    }
    return out | {k: v for k, v in found.items() if v not in ("", None)}


def _cpu_name() -> str:
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _number(path: Path, scale: float) -> float | None:
    text = _read(path)
    return float(text) * scale if text.lstrip("-").isdigit() else None


def throttling() -> str | None:
    """What a Raspberry Pi's firmware says of its supply and heat (``vcgencmd get_throttled``); None elsewhere."""
    if not shutil.which("vcgencmd"):
        return None
    done = subprocess.run(["vcgencmd", "get_throttled"], capture_output=True, text=True, check=False, timeout=5)
    return read_throttled(done.stdout)


def read_throttled(text: str) -> str:
    """Say in words what ``throttled=0x50005`` means: now, and since the start."""
    try:
        bits = int(text.strip().partition("=")[2], 16)
    except ValueError:
        return "unknown"
    now = [name for bit, name in _THROTTLED.items() if bits >> bit & 1]
    before = [name for bit, name in _THROTTLED.items() if bits >> (16 + bit) & 1]
    return f"now: {', '.join(now) or 'none'}; since start: {', '.join(before) or 'none'}"


class Energy:
    """Joules between two readings of the machine's own counters.

    Looks for Intel RAPL packages (``energy_uj``, which wrap) and, on Jetson, the INA power rail, whose
    power is taken as constant between readings.

    Attributes
    ----------
    source : str
        Where the figures come from; empty where the machine does not tell.
    """

    def __init__(self, sys: Path = _SYS) -> None:
        zones = sorted((sys / "class/powercap").glob("intel-rapl:?"))
        self._zones = [z for z in zones if _read(z / "energy_uj").isdigit()]
        self._rail = next(iter(sorted(sys.glob("bus/i2c/drivers/ina3221*/*/hwmon/hwmon*/power1_input"))), None)
        self.source = "RAPL" if self._zones else "INA3221" if self._rail else ""

    def read(self) -> tuple[float, ...]:
        """Present counters, in joules; the rail's power in watts."""
        if self._zones:
            return tuple(float(_read(z / "energy_uj")) * 1e-6 for z in self._zones)
        if self._rail:
            return ((_number(self._rail, 1e-6) or 0.0),)
        return ()

    def joules(self, before: tuple[float, ...], after: tuple[float, ...], seconds: float) -> float | None:
        """Energy between two readings `seconds` apart; None where the machine does not tell."""
        if self._zones:
            spans = [_number(z / "max_energy_range_uj", 1e-6) or 0.0 for z in self._zones]
            return sum((b - a) % span if span else b - a for a, b, span in zip(before, after, spans, strict=True))
        return seconds * (before[0] + after[0]) / 2 if self._rail else None


def external_meter(path: Path, start: float, stop: float) -> float:
    """Joules an external meter recorded between two times.

    Parameters
    ----------
    path : Path
        CSV with the columns ``time_s`` (seconds since 1970) and ``power_w``.
    start, stop : float
        Seconds since 1970.

    Raises
    ------
    UsageError
        Not such a file, or it does not cover the time.
    """
    try:
        with path.open(newline="") as f:
            rows = [(float(r["time_s"]), float(r["power_w"])) for r in csv.DictReader(f)]
    except (OSError, KeyError, ValueError, TypeError) as e:
        raise UsageError(f"{path} is no meter's record: {e!r}", "columns: time_s (since 1970), power_w") from e
    rows = sorted(rows)
    if not rows or rows[0][0] > start or rows[-1][0] < stop:
        raise UsageError(f"{path} does not cover the run", "start the meter before, stop it after")
    total = 0.0
    for (t0, p0), (t1, _) in pairwise(rows):
        total += p0 * max(0.0, min(t1, stop) - max(t0, start))
    return total
