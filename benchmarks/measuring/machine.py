"""What must stand beside a timing: the machine, its governor, its heat and whether it holds back."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

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
    }
    board = _read(Path("/proc/device-tree/model")).strip("\0")
    return out | ({"board": board} if board else {}) | readings(sys)


def readings(sys: Path = _SYS) -> dict[str, Any]:
    """What changes while one measures: load, governor, frequency, the hottest zone's temperature, throttling."""
    cpu = sys / "devices/system/cpu/cpu0/cpufreq"
    heat = [t for zone in sys.glob("class/thermal/thermal_zone*/temp") if (t := _number(zone, 1e-3)) is not None]
    found = {
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "governor": _read(cpu / "scaling_governor"),
        "frequency_mhz": _number(cpu / "scaling_cur_freq", 1e-3),
        "temperature_c": max(heat, default=None),
        "throttling": throttling(),
    }
    return {k: v for k, v in found.items() if v not in ("", None)}


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
