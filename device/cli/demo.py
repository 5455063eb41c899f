"""The verb ``demo``: a virtual patch in a process of its own, and a run on it."""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from ecg_edge.device.cli.run import report
from ecg_edge.device.inference.shipped import default_model
from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.device.live.execute import execute
from ecg_edge.device.live.options import Options
from ecg_edge.device.live.summary import Summary
from ecg_edge.device.personal_calibration.file import Calibration, read_calibration
from ecg_edge.firmware_bridge.clock import SystemClock
from ecg_edge.firmware_bridge.console import hint, say, table
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.extras import needing
from ecg_edge.firmware_bridge.lead_names import parse_channels
from ecg_edge.firmware_bridge.virtual_patch.child_process import (
    PATCH_FS,
    PATCH_LEADS,
    command_of,
    end_child,
    virtual_patch,
)

_PATIENT = "demo"
_TWELVE_PACE: tuple[str, ...] = ()


def demo(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge demo`` says; return the exit status."""
    return report(lambda: _demo(arguments), arguments.json, _next)


def _demo(a: argparse.Namespace) -> Summary:
    with contextlib.ExitStack() as ends:
        leads = parse_channels(a.leads or PATCH_LEADS)
        model = a.model or str(default_model(leads))
        port = ends.enter_context(virtual_patch(",".join(leads)))
        hint(f"a virtual patch on {port}: synthetic heart, {', '.join(leads)} at {PATCH_FS} Hz")
        if a.calibrated and a.leads:
            raise UsageError("--calibrated shows leads I and II", "leave --leads out, or --calibrated")
        file = Path(ends.enter_context(tempfile.TemporaryDirectory())) / f"{_PATIENT}.calibration"
        if a.calibrated:
            twelve = ends.enter_context(virtual_patch(",".join(BASIS), _TWELVE_PACE))
            hint(f"a virtual twelve-lead device on {twelve}: the same patient; the calibration comes in a while")
            ends.enter_context(_calibrating(model, twelve, file))
        options = Options(
            source=port,
            model=model,
            out=a.out,
            monitor=not a.headless,
            port=a.port,
            seconds=a.seconds,
            mains="off",
            fallback="none",
            reconnect=False,
            calibration=str(file) if a.calibrated else None,
            calibration_later=a.calibrated,
            patient=_PATIENT if a.calibrated else None,
            placement="same" if a.calibrated else "again",
        )
        summary = execute(options, SystemClock(), threading.Event())
        if a.calibrated and not a.json:
            say(_worth(read_calibration(file)) if file.exists() else "the run ended before the calibration came")
        return summary


@contextlib.contextmanager
def _calibrating(model: str, port: str, out: Path) -> Iterator[None]:
    """Run ``ecg-edge calibrate`` beside the run; its hints are for those who run it themselves."""
    command = command_of(
        "calibrate", "--model", model, "--live", port, "--patient", _PATIENT, "--out", str(out), "--mains", "off"
    )
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                             start_new_session=True)  # fmt: skip
    with child:
        try:
            yield
        finally:
            end_child(child)


def _worth(c: Calibration) -> str:
    """What the calibration expects to gain, by cross-validation inside its reference."""
    rows = [["lead", "model's own head", "calibrated"]]
    rows += [[lead, f"{e['rmse_before_mv']:.3f} mV", f"{e['rmse_after_mv']:.3f} mV"] for lead, e in c.expected.items()]
    return f"{c.label}; error on stretches left out:\n{table(rows)}"


def _next(summary: Summary) -> str:
    if summary.error:
        return "ecg-edge doctor"
    if summary.recording:
        return needing("web", f"ecg-edge run replay:{summary.recording}_measured --monitor")
    return "ecg-edge run SOURCE --monitor, with your own device as SOURCE (ecg-edge doctor names the ports)"
