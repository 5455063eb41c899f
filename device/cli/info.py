"""The verb ``info``: what a model file, or a recording, says of itself."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

from ecg_edge.device.inference.load import Model, load_model, read_description
from ecg_edge.device.inference.shipped import shipped_models
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.device.recording.stretch import file_rate
from ecg_edge.firmware_bridge.console import emit_json, hint, say, table
from ecg_edge.firmware_bridge.errors import EcgEdgeError, OfflineModelError
from ecg_edge.firmware_bridge.lead_names import SKIN, electrodes_of
from ecg_edge.firmware_bridge.recordings.open_recording import SUFFIXES, open_recording
from ecg_edge.firmware_bridge.recordings.recording import Recording


def info(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge info`` says; return the exit status."""
    if arguments.model and (recording := _recording(arguments.model, arguments.fs, arguments.unit)):
        return _say_recording(arguments, recording)
    if arguments.model:
        described = _of(arguments.model)
        if arguments.json:
            emit_json(described)
        else:
            say(_text(described))
        runs = described["kind"] == "streaming"
        hint(
            f"next: {try_out(arguments.model, load_model(arguments.model).spec)}"
            if runs
            else "next: ecg-edge info   (the streaming models)"
        )
        return 0
    all_of_them = [describe(load_model(path)) for path in shipped_models().values()]
    if arguments.json:
        emit_json({"models": all_of_them})
    elif all_of_them:
        say(_list(all_of_them))
    else:
        say("this build contains no model")
    hint("next: ecg-edge info MODEL" if all_of_them else "next: ecg-edge run --model FILE")
    return 0


def _recording(name: str, fs: str | None, unit: str) -> Recording | None:
    """The recording of that name; None where it is a model, or neither."""
    if Path(name).suffix in (".onnx", ".tflite") or name in shipped_models():
        return None
    try:
        return open_recording(name, file_rate(fs), unit)
    except EcgEdgeError:
        if Path(name).suffix.lower() in SUFFIXES:
            raise  # it can be nothing else, and what is wrong with it helps more
        return None


def _say_recording(arguments: argparse.Namespace, recording: Recording) -> int:
    signals = [
        {"label": s.label, "lead": s.lead.lead, "unit": s.unit, "fs": float(s.fs), "provenance": s.provenance}
        for s in recording.signals
    ]
    started = recording.started.isoformat() if recording.started else None
    about = {"name": recording.name, "format": recording.source, "started": started,
             "seconds": float(recording.seconds), "notes": len(recording.notes)}  # fmt: skip
    if arguments.json:
        emit_json({**about, "signals": signals, "warnings": list(recording.assumed)})
    else:
        say(table([[key, str("not stated" if value is None else value)] for key, value in about.items()]))
        say(table([["signal", "lead", "unit", "Hz", "provenance"],
                   *([s.label, s.lead.lead, s.unit, f"{float(s.fs):g}", s.provenance or "not stated"]
                     for s in recording.signals)]))  # fmt: skip
    for remark in recording.assumed:
        hint(f"warning: {remark}")
    hint(f"next: ecg-edge measure {shlex.quote(arguments.model)}")
    return 0


def try_out(model: str, spec: ModelSpec) -> str:
    """Return the command that runs a model on a source that has what it reads: it works without a device."""
    source = "synthetic:" if spec.any_lead else f"synthetic:leads={','.join(spec.input_leads)}"
    return f"ecg-edge run {source} --model {shlex.quote(model)} --monitor"


def _of(name: str) -> dict[str, Any]:
    """A streaming file is opened, and so proved to run; one for whole records is read."""
    try:
        return describe(load_model(name))
    except OfflineModelError:
        return _described(*read_description(name))


def describe(model: Model) -> dict[str, Any]:
    """Everything a user may want to know of a model, as plain values."""
    runtime = f"{model.backend.name} on {model.backend.runs_on}"
    return _described(model.path, model.spec, model.file_sha256) | {"runtime": runtime}


def _described(path: Path, spec: ModelSpec, digest: str) -> dict[str, Any]:
    return {
        "name": path.name,
        "path": str(path),
        "sha256": digest,
        "model_id": spec.model_id,
        "kind": spec.kind,
        "precision": spec.precision,
        "input_leads": list(spec.input_leads),
        "target_leads": list(spec.target_leads),
        "electrodes": list(SKIN) if spec.any_electrode else _electrodes(spec),
        "placements": ["+".join(s.leads) for s in spec.subsets],
        "fs": spec.fs,
        "hop": spec.hop,
        "lookahead": spec.lookahead,
        "receptive_field_s": spec.receptive_field / spec.fs,
        "algorithmic_latency_ms": 1e3 * spec.algorithmic_latency_s,
        "settling_s": spec.settling_s,
        "size_bytes": path.stat().st_size,
        "state_bytes": sum(s.initial().nbytes for s in spec.states),
        "states": dict(Counter(s.dtype for s in spec.states)),
        "macs_per_s": _macs_per_s(spec),
        "interval_level": spec.head.interval_level,
        "conditioning": spec.conditioning.to_dict(),
        "quantisation": spec.quantisation,
        "training": spec.training,
        "accuracy": spec.accuracy,
        "licence": spec.licence,
    }


def _electrodes(spec: ModelSpec) -> list[str]:
    """Electrodes that the inputs are taken from."""
    return [e for e in SKIN if any(e in electrodes_of(name) for name in spec.input_leads)]


def _macs_per_s(spec: ModelSpec) -> float | None:
    """Of body and head, per second of signal."""
    body = spec.training.get("macs_per_hop")
    if not isinstance(body, int | float):
        return None
    return float(body) * spec.fs / spec.hop + 2.0 * spec.n_regressors * len(spec.target_leads) * spec.fs


def _list(models: list[dict[str, Any]]) -> str:
    rows = [["name", "leads", "precision", "latency", "size"]]
    for m in models:
        size, latency = f"{m['size_bytes'] / 1024:.0f} KiB", f"{m['algorithmic_latency_ms']:.0f} ms"
        rows.append([Path(m["name"]).stem, "+".join(m["input_leads"]), m["precision"], latency, size])
    return table(rows)


def _text(m: dict[str, Any]) -> str:
    rows = [
        ["model", f"{m['name']} ({m['precision']}, {m['kind']})"],
        *([["runs in", m["runtime"]]] if "runtime" in m else []),
        ["leads", f"{_inputs(m)} -> {', '.join(m['target_leads'])} at {m['fs']} Hz"],
        ["electrodes", f"{', '.join(m['electrodes'])}   (ecg-edge doctor --placement RA,V2,V5 draws them)"],
        *([["placements", "measured for " + ", ".join(m["placements"])]] if m["placements"] else []),
        [
            "latency",
            f"{m['algorithmic_latency_ms']:.0f} ms algorithmic: hop {m['hop']}, look-ahead {m['lookahead']} samples",
        ],
        ["", "a run adds: device filter, frame, resampler, link, compute, display (run --json, bench)"],
        ["memory", f"file {m['size_bytes']} bytes, state {m['state_bytes']} bytes per stream"],
        [
            "work",
            f"{m['macs_per_s'] / 1e6:.1f} million multiply-accumulates per second" if m["macs_per_s"] else "unknown",
        ],
        ["context", f"{m['receptive_field_s']:.2f} s; settled {m['settling_s']:g} s after a reset"],
        ["filters", ", ".join(f"{k} {_short(v)}" for k, v in m["conditioning"].items())],
        ["interval", f"{100 * m['interval_level']:g} %"],
        ["states", ", ".join(f"{n} {kind}" for kind, n in sorted(m["states"].items())) + "; each pair of one scale"],
        *(["training", f"{k}: {_plain(v)}"] for k, v in m["training"].items()),
        ["licence", m["licence"]],
        ["sha256", m["sha256"]],
        ["model_id", m["model_id"]],
    ]
    return "\n".join(
        [table(rows), "", *_accuracy(m["accuracy"]), "reconstructed leads are estimates, not for diagnosis"]
    )


def _inputs(m: dict[str, Any]) -> str:
    """What is measured; an any-electrode model lists placements that are no leads."""
    if any("-" in name for name in m["placements"]):
        return "one to four channels between any electrodes"
    return ", ".join(m["input_leads"])


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _plain(value: object) -> str:
    """Settings as ``name value`` pairs; everything else as it is."""
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return str(value)


def _accuracy(accuracy: dict[str, Any]) -> list[str]:
    """One table over all precisions, as `export` measured them."""
    tables = {k: v for k, v in accuracy.items() if isinstance(v, dict) and isinstance(v.get("leads"), dict)}
    if not tables:
        return []
    first = next(iter(tables.values()))
    title = f"accuracy on {first.get('set')}, {first.get('records')} records"
    if any("+" in name for name in tables):  # an any-lead model: a table for each lead set would not fit a screen
        means = [
            [name, *(_figure(t.get("mean", {}).get(key)) for key in ("rmse_mv", "r"))] for name, t in tables.items()
        ]
        return [title + ", means over the hidden leads", table([["measured", "RMSE mV", "r"], *means]), ""]
    rows = [["lead", *(f"{k} {what}" for k in tables for what in ("RMSE mV", "r"))]]
    for lead in (*first["leads"], "mean"):
        cells = [(t["mean"] if lead == "mean" else t["leads"].get(lead, {})) for t in tables.values()]
        rows.append([lead, *(_figure(c.get(key)) for c in cells for key in ("rmse_mv", "r"))])
    return [title, table(rows), ""]


def _figure(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "" if value is None else str(value)
