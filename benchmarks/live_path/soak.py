"""A day on a bad cable: every sample accounted for, memory flat, the time axis true.

A virtual patch in a process of its own sends through a pseudo-terminal to ``ecg-edge run`` in another process.
Frames are dropped, corrupted and repeated, plugs are pulled, an electrode comes off. Afterwards the recording
is held against what was really sent, sample by sample.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.benchmarks.live_path.soak_truth import FRAME, FS, LEADS, LSB_MV, hold_against
from ecg_edge.benchmarks.measuring.process import status_kb
from ecg_edge.device.inference.load import load_model
from ecg_edge.firmware_bridge.errors import EcgEdgeError

FAULTS = "drop=1%,corrupt=0.5%,dup=0.5%,stall=600/2,leadoff=900/20"
UNPLUGGED_S = 4
_SAMPLE_S = 1.0
_WARM_SHARE = 0.15
_PATIENCE_S = 60
_ALLOWED_MB = 5.0


@dataclass(frozen=True)
class Plan:
    """One soak.

    Attributes
    ----------
    name : str
        For the table.
    seconds : float
        Of signal.
    speed : float
        Times the pace of the clock.
    unplugs : int
        How often the plug is pulled.
    boots : int
        How often the device is switched off and on, its counter at zero again.
    ppm : float
        By which the device's clock is fast; tells at the pace of the clock alone.
    """

    name: str
    seconds: float
    speed: float = 1.0
    unplugs: int = 0
    boots: int = 1
    ppm: float = 0.0


def soak(plan: Plan, folder: Path, model: str = "i-ii-int8") -> dict[str, Any]:
    """Run a plan, recording into `folder`, and hold the recording against the truth.

    Returns
    -------
    dict
        What was sent, lost and recorded; ``checks``: name to whether it holds.

    Raises
    ------
    EcgEdgeError
        A process did not come up, or did not end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "patch"
    load_model(model)
    logs = [folder / f"faults-{k}.json" for k in range(plan.boots)]
    began = time.monotonic()
    with _patch(plan, link, logs[0]) as first:
        run = subprocess.Popen(
            [*_run(plan.speed), str(link), "--model", model, "--out", str(folder), "--mains", "off", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        said: list[str] = []
        threading.Thread(target=lambda: said.extend(run.stderr or ()), daemon=True).start()
        memory = _Memory(run.pid)
        try:
            _watch(first, run, memory)
            for log in logs[1:]:
                with _patch(plan, link, log) as patch:
                    _watch(patch, run, memory)
        finally:
            run.send_signal(signal.SIGINT)
        try:
            out, _ = run.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            run.kill()
            raise EcgEdgeError("the run did not end when told", "look at the machine's load") from None
    if not out.strip():
        raise EcgEdgeError(f"the run failed: {''.join(said[-5:])}", "try it alone: ecg-edge demo")
    summary = json.loads(out.splitlines()[-1])
    return _verdict(plan, summary, [json.loads(log.read_text()) for log in logs], memory, time.monotonic() - began)


_COMMAND = (sys.executable, "-m", "ecg_edge")


def _run(speed: float) -> list[str]:
    """The command `run`; a patch that plays faster loses the more signal while it is plugged in again."""
    longest = f"from ecg_edge.device import lead_block; lead_block.LONG_GAP_S *= {max(1.0, speed):g}"
    return [
        sys.executable,
        "-c",
        f"{longest}; from ecg_edge.device.cli.main import main; raise SystemExit(main())",
        "run",
    ]


@contextlib.contextmanager
def _patch(plan: Plan, link: Path, log: Path) -> Iterator[subprocess.Popen[str]]:
    seconds = plan.seconds / plan.boots
    fault = FAULTS
    if plan.unplugs:
        fault += f",unplug={seconds / (plan.unplugs + 1):.3f}/{UNPLUGGED_S}/{plan.unplugs}"
    if plan.ppm:
        fault += f",clock={plan.ppm:g}"
    words = [
        "simulate",
        "--link",
        str(link),
        "--leads",
        ",".join(LEADS),
        "--fs",
        str(FS),
        "--lsb-uv",
        f"{1e3 * LSB_MV:g}",
    ]
    words += [
        "--frame-ms",
        f"{1000 * FRAME / FS:g}",
        "--seconds",
        f"{seconds:g}",
        "--fault",
        fault,
        "--fault-log",
        str(log),
        "--speed",
        f"{plan.speed:g}",
    ]
    child = subprocess.Popen([*_COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                             start_new_session=True)  # fmt: skip
    with child:
        try:
            if not child.stdout or not child.stdout.readline().strip():
                raise EcgEdgeError("the virtual patch did not start", "try it alone: ecg-edge simulate")
            yield child
        finally:
            child.terminate()


def _watch(patch: subprocess.Popen[str], run: subprocess.Popen[str], memory: _Memory) -> None:
    """Look at the run's memory until the patch has sent everything."""
    while patch.poll() is None:
        if run.poll() is not None:
            raise EcgEdgeError(f"the run ended by itself with status {run.returncode}", "see its messages")
        memory.look()
        with contextlib.suppress(subprocess.TimeoutExpired):
            patch.wait(_SAMPLE_S)


class _Memory:
    """Resident memory of a process over time, in MB."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.mb: list[float] = []

    def look(self) -> None:
        with contextlib.suppress(OSError):
            self.mb.append(status_kb("VmRSS", self._pid) / 1024)

    def growth_mb(self) -> float:
        """Mean of the last tenth less that of the first tenth after warm-up."""
        x = np.array(self.mb[int(_WARM_SHARE * len(self.mb)) :])
        if len(x) < 10:
            return float("nan")
        n = max(1, len(x) // 10)
        return float(x[-n:].mean() - x[:n].mean())


def _verdict(
    plan: Plan, summary: dict[str, Any], logs: list[dict[str, Any]], memory: _Memory, seconds: float
) -> dict[str, Any]:
    axis = hold_against(summary["recording"], logs)
    total = summary["samples_in"] + summary["samples_lost"]
    notes = summary["notes"]
    checks = {
        "every sample is what was sent, or marked as lost or off": axis["wrong"] == 0,
        "the time axis is true to the sample": axis["rows"] == total and axis["misplaced"] == 0,
        "as many rows as the axis is long": summary["samples_out"] == -(-total * summary["fs_out"] // FS),
        "no block dropped by a full queue": summary["dropped_blocks"] == 0,
        "every plug pulled was noted": notes.get("disconnect", 0) >= plan.unplugs + plan.boots - 1,
    }
    drift = summary["drift_ppm"]
    if plan.ppm:
        checks["the drift of the clocks is found within 20 ppm"] = drift is not None and abs(drift + plan.ppm) <= 20
    if len(memory.mb) >= 120:
        checks[f"memory flat within {_ALLOWED_MB:g} MB"] = abs(memory.growth_mb()) <= _ALLOWED_MB
    return {
        "plan": vars(plan),
        "faults": FAULTS,
        "took_s": round(seconds, 1),
        "times_real": round(plan.seconds / seconds, 1),
        "samples_in": summary["samples_in"],
        "samples_lost": summary["samples_lost"],
        "off_or_lost_marked": axis["marked"],
        "in_cable_when_pulled": axis["in_cable"],
        "notes": notes,
        "rss_mb": {"growth": round(memory.growth_mb(), 2), "most": round(max(memory.mb, default=0.0), 1)},
        "latency_ms": {k: v for k, v in summary["latency_ms"].items() if k in ("p50", "p99", "max")},
        "drift_ppm": None if drift is None else round(drift, 1),
        "checks": checks,
    }
