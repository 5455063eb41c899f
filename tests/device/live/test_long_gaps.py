"""A gap of nearly an hour costs no rows: in memory, in files, in messages."""

import json
from datetime import timedelta
from fractions import Fraction

import pytest

from ecg_edge.device.live.run_settings import Models, RunSettings
from ecg_edge.device.live.runner import Runner
from ecg_edge.device.monitor.frames import encode_frames
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.recording.stored_recording import read_stored
from ecg_edge.device.sinks.json_lines import JsonLines
from ecg_edge.device.sinks.sink_thread import SinkThread
from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.events import Gap
from tests.support.fakes import ListSink, ListSource, block, info, walk
from tests.support.tiny_model import tiny_model

FS, GAP_S = 1000, 3540
BEFORE, BEHIND = 2500, 2500 + FS * GAP_S


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("m"))


@pytest.fixture
def ran(model, tmp_path):
    """A run over the gap: recorder, JSON lines and all the blocks."""
    counts, lines, clock = walk(2 * BEFORE), [], ManualClock()
    recorder, sink = Recorder(tmp_path), ListSink()
    json_lines = JsonLines(lambda kind, line: lines.append(line), clock.now)
    json_lines.lossless = True
    lists = [
        [info(fs=FS)],
        *([block(counts[k : k + 500], k)] for k in range(0, BEFORE, 500)),
        [Gap(BEFORE, BEHIND)],
        *([block(counts[BEFORE + k : BEFORE + k + 500], BEHIND + k)] for k in range(0, BEFORE, 500)),
    ]
    sinks = [SinkThread(s) for s in (recorder, json_lines, sink)]
    summary = Runner(ListSource(lists), Models(lambda _: model), sinks, RunSettings(), clock=clock).run()
    assert summary.error is None and summary.counts.lost == FS * GAP_S
    return tmp_path, lines, sink, recorder


def test_it_is_two_pairs_of_records_with_true_dates(ran):
    folder, _, _, recorder = ran
    names = sorted(p.stem for p in folder.glob("*.hea"))
    assert len(names) == 4 and [n for n in names if n.endswith("_measured")] == [names[1], names[3]]
    assert names[1] == f"{names[0]}_measured" and names[3] == f"{names[2]}_measured"
    assert sum(p.stat().st_size for p in folder.iterdir()) < 100_000
    first, second = (read_stored(str(folder / names[k])) for k in (1, 3))
    assert second.started - first.started == timedelta(seconds=GAP_S + BEFORE / FS)
    assert recorder.path.name == names[2]
    said = b"".join(p.read_bytes() for p in folder.glob("*.atr"))
    assert said.count(b"continued in") == said.count(b"continues") == 2 and said.count(b"3540.") >= 4


def test_messages_frames_and_blocks_leap(ran):
    _, lines, sink, _ = ran
    leads = [d for d in map(json.loads, lines) if d["type"] == "leads"]
    assert sum(map(len, lines)) < 200_000
    assert [n.kind for n in sink.notes] == ["gap"]
    assert sum(map(len, sink.blocks)) < 600 and sum(len(d["uv"]["I"]) for d in leads) < 600
    frames = [f for b in sink.blocks for f in encode_frames(b, 0)]
    assert sum(map(len, frames)) < 50_000
    end = sink.blocks[-1].index + len(sink.blocks[-1])
    assert end == int(Fraction(100, FS) * (BEHIND + BEFORE)) == leads[-1]["index"] + len(leads[-1]["uv"]["I"])
