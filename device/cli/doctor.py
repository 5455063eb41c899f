"""The verb ``doctor``: whether this machine is ready, and what to do where it is not."""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from ecg_edge.device.cli.child_probe import SLOW, why_not, why_not_all
from ecg_edge.firmware_bridge.console import emit_json, hint, say
from ecg_edge.firmware_bridge.errors import EcgEdgeError
from ecg_edge.firmware_bridge.extras import EXTRAS
from ecg_edge.firmware_bridge.plugins import Plugins

_RUNTIMES = ("ai_edge_litert",)
_UNKNOWN = "whether it loads is not known: it took more than a minute"
_LATER = "ask again when the machine has less to do: ecg-edge doctor"
_LARGE = ("train", "evaluate", "export", "export-tf")
_LOAD_OURS = "import ecg_edge.device.live.open_sinks, ecg_edge.firmware_bridge.ports.transport"
_LOAD_ONE = (
    "from ecg_edge.device.inference import load, shipped\n"
    "for path in list(shipped.shipped_models().values())[:1]: load.load_model(path)"
)
_LOAD_LITERT = f"import os\nos.environ['ECG_EDGE_RUNTIME'] = 'litert'\n{_LOAD_ONE}"


@dataclass(frozen=True)
class Inspection:
    """One thing looked at; `ok` is None where it is neither good nor bad."""

    what: str
    ok: bool | None
    text: str
    fix: str = ""


def doctor(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge doctor`` says; return the exit status."""
    if arguments.placement:
        return _placement(arguments.placement, arguments.out, arguments.force)
    if arguments.recover:
        return _recover(arguments.recover, arguments.json)
    findings = [*_core(), *_extras(), *_parts()]
    bad = [f for f in findings if f.ok is False]
    if arguments.json:
        emit_json({"ready": not bad, "findings": [asdict(f) for f in findings], "exit": int(bool(bad))})
    else:
        for f in findings:
            mark = {True: "ok  ", False: "BAD ", None: "-   "}[f.ok]
            say(f"{mark}{f.what}: {f.text}" + (f"\n      fix: {f.fix}" if f.fix else ""))
    hint("next: ecg-edge demo" if not bad else f"next: {bad[0].fix}")
    return int(bool(bad))


def _placement(text: str, out: str | None, force: bool) -> int:
    """Draw where electrodes are; say what follows exactly from their channels."""
    from ecg_edge.device.lead_algebra import known_leads
    from ecg_edge.device.recording.safe_files import refuse_replacing
    from ecg_edge.device.torso import electrodes, torso

    worn = electrodes(text)
    channels = [f"{worn[0]}-{other}" for other in worn[1:]]
    drawing, known = torso(worn, ", ".join(worn)), known_leads(channels)[0]
    if out:
        refuse_replacing([Path(out)], force)
        Path(out).write_text(drawing, encoding="utf-8")
    else:
        say(drawing.rstrip())
    hint(f"channels {', '.join(channels)}; exact from them: {', '.join(known) or 'none of the twelve'}")
    return 0


def _recover(record: str, as_json: bool) -> int:
    from ecg_edge.device.recording.wfdb_writer import recover_record

    n = recover_record(Path(record.removesuffix(".hea") + ".hea"))
    if as_json:
        emit_json({"record": record, "samples": n, "exit": 0})
    else:
        say(f"{record}: {n} samples can be read")
    hint(f"next: ecg-edge run {shlex.quote('replay:' + record.removesuffix('.hea'))}")
    return 0


def _core() -> list[Inspection]:
    found = sys.version_info[:2] >= (3, 10)
    text, fix = f"{platform.python_version()} on {platform.machine()}", "" if found else "use 3.10 or later"
    names = [_name(r) for r in requires("ecg-edge") or [] if "extra ==" not in r]
    broken = why_not_all(_import(name) for name in (*names, *_RUNTIMES))
    other = next((m for m in _RUNTIMES if _importable(m) and not broken[_import(m)]), None)
    return [
        Inspection("python", found, text, fix),
        *(_package(name, broken[_import(name)], other) for name in names),
    ]


def _package(name: str, why: str, other: str | None) -> Inspection:
    """One package of the core; `other` runs models where onnxruntime does not."""
    try:
        text = version(name)
    except PackageNotFoundError:
        text = "another build" if _importable(_module(name)) else "missing"
    if not why:
        return Inspection(name, True, text)
    if why == SLOW:
        return Inspection(name, None, f"{text}; {_UNKNOWN}", _LATER)
    if text != "missing":
        text = f"{text} is here and cannot be loaded: {why}"
    if name == "onnxruntime" and other:
        hint_ = "" if "missing" in text else "ECG_EDGE_RUNTIME=litert keeps it from being tried"
        return Inspection(name, None, f"{text}; LiteRT is here and runs the .tflite models", hint_)
    again = "" if text == "missing" else "--force-reinstall "
    return Inspection(name, False, text, f"pip install {again}{name}")


def _name(requirement: str) -> str:
    return requirement.split(";")[0].rstrip("0123456789.,<>=!~ *")


def _import(name: str) -> str:
    """Line that imports what is used of a package."""
    return "import serial.tools.list_ports" if name == "pyserial" else f"import {_module(name)}"


def _module(name: str) -> str:
    """What a package is imported as; onnxruntime-gpu and its like bring the same module under another name."""
    return name.replace("-", "_").replace("pyserial", "serial")


def _extras() -> list[Inspection]:
    """Loaded where that is quick; the large ones are only looked for."""
    light = [x for x in EXTRAS if x.name not in _LARGE]
    broken = why_not_all(f"import {m}" for x in light for m in x.modules if _importable(m))
    out = []
    for extra in EXTRAS:
        missing = [m for m in extra.modules if not _importable(m)]
        faults = [f"{m} cannot be loaded: {why}" for m in extra.modules if (why := broken.get(f"import {m}"))]
        text = f"not installed: {', '.join(missing)}" if missing else "; ".join(faults) or "there"
        if not missing and any(broken.get(f"import {m}") == SLOW for m in extra.modules):
            out.append(Inspection(f"extra {extra.name}", None, f"{extra.purpose}: there; {_UNKNOWN}", _LATER))
            continue
        again = "" if missing else "--force-reinstall "
        fix = f'pip install {again}"ecg-edge[{extra.name}]"' if missing or faults else ""
        ok = False if faults and not missing else None if missing else True
        out.append(Inspection(f"extra {extra.name}", ok, f"{extra.purpose}: {text}", fix))
    return out


def _parts() -> list[Inspection]:
    """What needs the core to be loaded; nothing where that would end this process, too."""
    if why := why_not(_LOAD_OURS):
        return [Inspection("plug-ins, ports, models", None, _UNKNOWN, _LATER)] if why == SLOW else []
    from ecg_edge.device.live.open_sinks import plugin_sinks
    from ecg_edge.firmware_bridge.decoders.catalogue import plugin_devices
    from ecg_edge.firmware_bridge.recordings.open_recording import plugin_formats

    brought = {"decoder": plugin_devices(), "sink": plugin_sinks(), "recording format": plugin_formats()}
    found = [inspection for kind, plugins in brought.items() for inspection in _plugins(kind, plugins)]
    return [*found, *_ports(), *_models()]


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
    from ecg_edge.firmware_bridge.ports.transport import list_ports

    if why_not(_import("pyserial")):
        return []
    ports = list_ports()
    if not ports:
        return [Inspection("serial ports", None, "none; plug a device in, or try without one: ecg-edge demo")]
    out = []
    for port in ports:
        ok = os.access(port.device, os.R_OK | os.W_OK)
        fix = "" if ok else "sudo usermod -aG dialout $USER, then log in again"
        text = "may be opened" if ok else "no permission"
        out.append(Inspection(port.device, ok, f"{port.description}: {text}", fix))
    return out


def _models() -> list[Inspection]:
    if (why := why_not(_LOAD_ONE)) == SLOW:
        return [Inspection("models", None, _UNKNOWN, _LATER)]
    if why and not why_not(_LOAD_LITERT):
        return [Inspection("models", False, f"they run with LiteRT alone: {why}", "export ECG_EDGE_RUNTIME=litert")]
    if why:
        return [Inspection("models", False, f"they cannot be run: {why}", "see the runtimes above")]
    from ecg_edge.device.inference.load import load_model
    from ecg_edge.device.inference.shipped import shipped_models

    out = []
    for name, path in shipped_models().items():
        try:
            model = load_model(path)
            runs = f"{model.backend.name} on {model.backend.runs_on}"
            leads = "+".join(model.spec.input_leads)
            out.append(Inspection(f"model {name}", True, f"{leads}, {model.spec.precision}, {runs}"))
        except EcgEdgeError as e:
            out.append(Inspection(f"model {name}", False, e.message, e.fix))
    return out or [Inspection("models", None, "none shipped with this build", "name one with --model")]
