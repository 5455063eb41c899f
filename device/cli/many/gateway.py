"""The verb ``gateway``: a word with a gateway that runs on this machine."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ecg_edge.device.gateway.control import ask_gateway, find_gateway
from ecg_edge.device.gateway.gateway_file import read_gateway
from ecg_edge.device.live.config_file import parse_value
from ecg_edge.firmware_bridge.console import emit_json, hint, say, table
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError

Document = dict[str, Any]


def gateway(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge gateway`` says; return the exit status."""
    a = arguments
    try:
        answer = ask_gateway(_path(a), _request(a))
    except EcgEdgeError as e:
        if a.json:
            emit_json({"error": e.message, "fix": e.fix, "exit": e.exit_code})
        raise
    if a.json:
        emit_json({**answer, "exit": 0})
    elif a.do == "status":
        say(_text(answer))
    else:
        say(" ".join(f"{k} {v}" for k, v in answer.items()))
        hint("next: ecg-edge gateway status")
    return 0


def _path(a: argparse.Namespace) -> Path:
    named = read_gateway(Path(a.config)).control if a.config else None
    return find_gateway(a.socket or named)


def _request(a: argparse.Namespace) -> Document:
    if a.do != "status" and not a.name:
        raise UsageError(f"gateway {a.do} needs a name", "list the beds: ecg-edge gateway status")
    if (a.do != "add" and a.settings) or (a.do == "status" and a.name):
        raise UsageError(f"gateway {a.do} takes no more words", "ecg-edge gateway -h")
    if a.do == "status":
        return {"do": "status"}
    if a.do == "remove":
        return {"do": "remove", "name": a.name}
    return {"do": "add", "patch": {**dict(map(_setting, a.settings)), "name": a.name}}


def _setting(word: str) -> tuple[str, Any]:
    key, equals, text = word.partition("=")
    if not equals or not key:
        raise UsageError(f"{word!r} is no setting", "write KEY=VALUE: source=tcp://10.0.0.9:4000")
    return key, parse_value(text)


def _text(answer: Document) -> str:
    rows = [("bed", "state", "worker", "rate", "samples", "lost", "source")]
    for bed in answer["beds"]:
        status = json.loads(bed["status"]) if bed["status"] else {}
        rate = status.get("heart_rate_bpm") if bed["state"] == "running" and status.get("connected") else None
        rows.append((
            bed["name"], bed["state"], str(bed["worker"]), "–" if rate is None else f"{rate:.0f}/min",
            str(status.get("samples_in", "–")), str(status.get("samples_lost", "–")), bed["source"],
        ))  # fmt: skip
    workers = [("worker", "process", "alive", "died")]
    workers += [(str(w["worker"]), str(w["pid"]), f"{w['alive_s']:.0f} s", str(w["deaths"])) for w in answer["workers"]]
    return f"{table(rows)}\n\n{table(workers)}"
