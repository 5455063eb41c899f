"""The verb ``send``: ten seconds of a recording to a FHIR or DICOMweb server."""

from __future__ import annotations

import argparse

from ecg_edge.device.hand_on.post import post
from ecg_edge.device.listeners.secret_file import find_secret
from ecg_edge.device.recording.stretch import file_rate, stretch_of
from ecg_edge.firmware_bridge.console import emit_json, hint, say
from ecg_edge.firmware_bridge.errors import EcgEdgeError


def send(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge send`` says; return the exit status."""
    a = arguments
    try:
        token = find_secret(None, a.token_file, "ECG_EDGE_SEND_TOKEN") or ""
        stored = stretch_of(a.record, a.at, a.seconds, file_rate(a.fs), a.unit)
        answer = post(stored, a.url, a.kind, token, a.plain_http)
    except EcgEdgeError as e:
        if a.json:
            emit_json({"error": e.message, "fix": e.fix, "exit": e.exit_code})
        raise
    if a.json:
        emit_json({"url": a.url, "status": answer.status, "location": answer.location, "exit": 0})
    else:
        say(f"{a.url}: {answer.status} {answer.location}".rstrip())
    hint("reconstructed leads are marked as estimates, not for diagnosis")
    return 0
