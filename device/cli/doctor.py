"""The verb ``doctor``: whether this machine is ready, and what to do where it is not."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from ecg_edge.device.inference.load import load_model
from ecg_edge.device.inference.shipped import shipped_models
from ecg_edge.device.live.open_sinks import plugin_sinks
from ecg_edge.device.recording.wfdb_writer import recover_record
from ecg_edge.firmware_bridge.console import emit_json, hint, say
from ecg_edge.firmware_bridge.decoders.catalogue import plugin_devices
from ecg_edge.firmware_bridge.errors import EcgEdgeError
from ecg_edge.firmware_bridge.extras import EXTRAS
from ecg_edge.firmware_bridge.plugins import Plugins
from ecg_edge.firmware_bridge.ports.transport import list_ports


@dataclass(frozen=True)
class Inspection:
    """One thing looked at; `ok` is None where it is neither good nor bad."""

    what: str
    ok: bool | None
    text: str
    fix: str = ""


def doctor(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge doctor`` says; return the exit status."""
    if arguments.recover:
        return _recover(arguments.recover, arguments.json)
    findings = [*_core(), *_extras(), *_plugins("decoder", plugin_devices()), *_plugins("sink", plugin_sinks())]
    findings += [*_ports(), *_models()]
    bad = [f for f in findings if f.ok is False]
    if arguments.json:
        emit_json({"ready": not bad, "findings": [asdict(f) for f in findings], "exit": int(bool(bad))})
    else:
        for f in findings:
            mark = {True: "ok  ", False: "BAD ", None: "-   "}[f.ok]
            say(f"{mark}{f.what}: {f.text}" + (f"\n      fix: {f.fix}" if f.fix else ""))
    hint("next: ecg-edge demo" if not bad else f"next: {bad[0].fix}")
    return int(bool(bad))


def _recover(record: str, as_json: bool) -> int:
    n = recover_record(Path(record.removesuffix(".hea") + ".hea"))
    if as_json:
        emit_json({"record": record, "samples": n, "exit": 0})
    else:
        say(f"{record}: {n} samples can be read")
    hint(f"next: ecg-edge run replay:{record.removesuffix('.hea')}")
    return 0


def _core() -> list[Inspection]:
    found = sys.version_info[:2] >= (3, 10)
    out = [
        Inspection(
            "python",
            found,
            f"{platform.python_version()} on {platform.machine()}",
            "" if found else "use 3.10 or later",
        )
    ]
    for requirement in requires("ecg-edge") or []:
        if "extra ==" in requirement:
            continue
        name = requirement.split(";")[0].rstrip("0123456789.,<>=!~ *")
        try:
            out.append(Inspection(name, True, version(name)))
        except PackageNotFoundError:
            # onnxruntime-gpu and its like bring the same module under another name.
            there: bool | None = _importable(name.replace("-", "_").replace("pyserial", "serial"))
            text, fix = ("another build", "") if there else ("missing", f"pip install {name}")
            if not there and name == "onnxruntime" and _importable("ai_edge_litert"):
                there, text = None, "missing; LiteRT is here and runs the .tflite models"
            out.append(Inspection(name, there, text, fix))
    return out


def _extras() -> list[Inspection]:
    out = []
    for extra in EXTRAS:
        missing = [m for m in extra.modules if not _importable(m)]
        text = f"not installed: {', '.join(missing)}" if missing else "there"
        fix = f'pip install "ecg-edge[{extra.name}]"' if missing else ""
        out.append(Inspection(f"extra {extra.name}", None if missing else True, f"{extra.purpose}: {text}", fix))
    return out


def _plugins(kind: str, plugins: Plugins) -> list[Inspection]:
    """What other packages bring; nothing where there is none."""
    out = [Inspection(f"{kind} {name}", True, f"from {plugins.package[name]}") for name in plugins.good]
    return out + [Inspection(f"{kind} {name}", False, e.message, e.fix) for name, e in plugins.broken.items()]


def _importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


def _ports() -> list[Inspection]:
    ports = list_ports()
    if not ports:
        return [Inspection("serial ports", None, "none; plug a device in, or try without one: ecg-edge demo")]
    out = []
    for port in ports:
        ok = os.access(port.device, os.R_OK | os.W_OK)
        fix = "" if ok else "sudo usermod -aG dialout $USER, then log in again"
        out.append(
            Inspection(port.device, ok, f"{port.description}: {'may be opened' if ok else 'no permission'}", fix)
        )
    return out


def _models() -> list[Inspection]:
    out = []
    for name, path in shipped_models().items():
        try:
            spec = load_model(path).spec
            out.append(Inspection(f"model {name}", True, f"{'+'.join(spec.input_leads)}, {spec.precision}"))
        except EcgEdgeError as e:
            out.append(Inspection(f"model {name}", False, e.message, e.fix))
    return out or [Inspection("models", None, "none shipped with this build", "name one with --model")]
