"""Measurements beside a run: every ten seconds, of what is known, in a thread of their own."""

import json
import time
from dataclasses import replace

import numpy as np

from ecg_edge.device.cli.main import main
from ecg_edge.device.lead_algebra import Provenance, twelve_from_basis
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.measurements.live import LiveMeasurements
from ecg_edge.train.intervals.known_beats import KnownBeats, make

FS = 100
KINDS = (Provenance.MEASURED,) * 2 + (Provenance.DERIVED,) * 4 + (Provenance.RECONSTRUCTED,) * 6


def blocks(seconds, start=0, kinds=KINDS):
    mv = (make(KnownBeats(), FS, seconds)[0] @ twelve_from_basis().T).astype(np.float32)
    whole = LeadBlock.empty(start, len(mv), kinds, fs=FS)
    whole = replace(whole, mv=mv, valid=np.ones(mv.shape, bool), warmup=np.zeros(len(mv), bool))
    return [whole.rows(k, k + 8) for k in range(0, len(mv), 8)]


def said(live):
    """Notes once the thread has finished."""
    ends = time.monotonic() + 60
    while live._running and not live._running.done() and time.monotonic() < ends:
        time.sleep(0.01)
    return list(live.notes(2.5))


def test_ten_seconds_give_one_note_at_their_end_and_figures():
    live = LiveMeasurements(FS)
    for block in blocks(9):
        live.feed(block)
    assert said(live) == [] and live.latest == {}
    live = LiveMeasurements(FS)
    for block in blocks(10):
        live.feed(block)
    (note,) = said(live)
    assert note.kind == "measurements" and note.index == note.stop == 2500
    assert "QRS 9" in note.text and "from I II III aVR aVL aVF" in note.text
    assert live.latest["qt"]["unit"] == "ms" and "amplitudes" not in live.latest
    assert said(live) == []


def test_a_leap_another_provenance_and_a_reset_begin_anew():
    for more in (blocks(6, start=2000), blocks(6, start=600, kinds=(Provenance.MEASURED,) * 12)):
        live = LiveMeasurements(FS)
        for block in [*blocks(6), *more]:
            live.feed(block)
        assert said(live) == []
    live = LiveMeasurements(FS)
    for block in blocks(10):
        live.feed(block)
    said(live)
    live.reset()
    assert live.latest == {}


def test_what_is_kept_is_bounded_while_nobody_asks():
    live = LiveMeasurements(FS)
    for block in blocks(60):
        live.feed(block)
    assert live._kept < 11 * FS
    said(live)


def test_a_run_states_them_when_asked(capsys):
    assert main(["run", "synthetic:", "--seconds", "3", "--measure", "--jsonl"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert any(d.get("type") == "status" for d in found)
    assert all("measurements" in d for d in found if d.get("type") == "status")
