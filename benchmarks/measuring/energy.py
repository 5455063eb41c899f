"""Joules: from the machine's own counters and sensors, or from an external meter's record."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from ecg_edge.firmware_bridge.errors import UsageError

_SYS = Path("/sys")
_EVERY_S = 0.1
"""Seconds between two readings of a sensor of power."""
_INPUT = re.compile(r"vdd_in|vin|5v_in|5v0", re.IGNORECASE)
_PMIC = re.compile(r"(\S+)_(A|V) (?:current|volt)\(\d+\)=([\d.]+)")
Clock = Callable[[], float]


def _integer(path: Path) -> float | None:
    try:
        return float(int(path.read_text()))
    except (OSError, ValueError):
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


class Energy:
    """What the machine says of its power.

    It looks for Intel RAPL packages first: counters of energy, which wrap. Then it looks for an INA sensor on the
    input rail of a Jetson, the one that tegrastats shows. Last it asks a Raspberry Pi 5's power chip (``vcgencmd
    pmic_read_adc``) for the sum over its rails. That sum lacks what the board takes past them.

    Parameters
    ----------
    sys : Path
        Where the kernel's tree is.
    vcgencmd : callable, optional
        Gives the text of ``vcgencmd pmic_read_adc``; empty where there is none.

    Attributes
    ----------
    source : str
        Where the figures come from; empty where the machine does not tell.
    """

    def __init__(self, sys: Path = _SYS, vcgencmd: Callable[[], str] | None = None) -> None:
        zones = sorted((sys / "class/powercap").glob("intel-rapl:?"))
        self._zones = [z for z in zones if _integer(z / "energy_uj") is not None]
        self._watts: Callable[[], float | None] = lambda: None
        self.source = "RAPL" if self._zones else ""
        if not self._zones and (rail := ina_rail(sys)):
            self.source, self._watts = "INA", rail
        elif not self._zones:
            ask = vcgencmd or _vcgencmd
            if pmic_watts(ask()) is not None:
                self.source, self._watts = "PMIC", lambda: pmic_watts(ask())

    def over(self, work: Callable[[], object], seconds: float, clock: Clock = time.perf_counter) -> tuple[float, int]:
        """Joules while `work` is called over and over for so long, and the number of calls.

        A sensor of power is read ten times a second between calls, and its value holds until the next reading. The
        time of a reading does not count. The joules are NaN where the machine reports no energy.
        """
        calls, joules, start = 0, 0.0, clock()
        before = self._counters()
        while clock() - start < seconds:
            begun = clock()
            while clock() - begun < _EVERY_S:
                work()
                calls += 1
            took = clock() - begun
            if not self._zones:
                watts = self._watts()
                joules += took * (float("nan") if watts is None else watts)
        return (self._between(before, self._counters()) if self._zones else joules), calls

    def _counters(self) -> list[float]:
        return [1e-6 * (_integer(z / "energy_uj") or 0.0) for z in self._zones]

    def _between(self, before: list[float], after: list[float]) -> float:
        spans = [1e-6 * (_integer(z / "max_energy_range_uj") or 0.0) for z in self._zones]
        return sum((b - a) % span if span else b - a for a, b, span in zip(before, after, spans, strict=True))


def ina_rail(sys: Path) -> Callable[[], float | None] | None:
    """How to read, in watts, the input rail of an INA sensor; None where there is none.

    Known are the kernel's ``ina3221`` (volts and amperes, JetPack 5 and later), NVIDIA's ``ina3221x``
    (milliwatts, JetPack 4) and sensors that tell power themselves (``ina2xx``).
    """
    found: list[tuple[str, Callable[[], float | None]]] = []
    for volts in sorted(sys.glob("bus/i2c/drivers/ina*/*/hwmon/hwmon*/in[0-9]_input")):
        amperes = volts.with_name(volts.name.replace("in", "curr", 1))
        if amperes.is_file():
            label = _text(volts.with_name(volts.name.replace("_input", "_label")))
            found.append((label, lambda v=volts, a=amperes: _product(v, a, 1e-6)))  # type: ignore[misc]
    for name in sorted(sys.glob("bus/i2c/drivers/ina*/*/iio:device*/rail_name_[0-9]")):
        power = name.with_name(f"in_power{name.name[-1]}_input")
        found.append((_text(name), lambda p=power: _product(p, None, 1e-3)))  # type: ignore[misc]
    for power in sorted(sys.glob("bus/i2c/drivers/ina*/*/hwmon/hwmon*/power1_input")):
        found.append(("", lambda p=power: _product(p, None, 1e-6)))  # type: ignore[misc]
    found = [(label, read) for label, read in found if read() is not None]
    named = [read for label, read in found if _INPUT.search(label)]
    return next(iter(named or [read for _, read in found]), None)


def _product(a: Path, b: Path | None, scale: float) -> float | None:
    x, y = _integer(a), 1.0 if b is None else _integer(b)
    return None if x is None or y is None else x * y * scale


def pmic_watts(text: str) -> float | None:
    """Sum over the rails of amperes times volts in what ``vcgencmd pmic_read_adc`` says; None where it says none."""
    rails: dict[str, dict[str, float]] = {}
    for rail, unit, value in _PMIC.findall(text):
        rails.setdefault(rail, {})[unit] = float(value)
    both = [r["A"] * r["V"] for r in rails.values() if len(r) == 2]
    return sum(both) if both else None


def _vcgencmd() -> str:
    if not shutil.which("vcgencmd"):
        return ""
    done = subprocess.run(["vcgencmd", "pmic_read_adc"], capture_output=True, text=True, check=False, timeout=5)
    return done.stdout


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
