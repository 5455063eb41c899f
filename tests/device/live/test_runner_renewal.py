"""A run whose device is not what was believed ends, for one that begins anew."""

import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from ecg_edge.device.analysis.numbers_watch import NOTHING
from ecg_edge.device.live import execute as module
from ecg_edge.device.live.execute import execute
from ecg_edge.device.live.options import Options
from ecg_edge.device.live.run_settings import Models, RunSettings
from ecg_edge.device.live.runner import Runner
from ecg_edge.device.sinks.sink_thread import SinkThread
from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.errors import NotAnEcgStreamError
from ecg_edge.firmware_bridge.events import Gap
from tests.support.fakes import ListSink, ListSource, block, info, walk
from tests.support.tiny_model import tiny_model

BEFORE, AFTER = replace(info(), serial="A"), replace(info(), serial="B")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("m"))


class Paced(ListSource):
    """A live source: each list arrives when its samples have been taken, at a true rate."""

    def __init__(self, lists, clock, step_s, **more):
        super().__init__(lists, **more)
        self.live, self._clock, self._step_s = True, clock, step_s

    def get(self, timeout=None):
        self._clock.advance(self._step_s)
        return [replace(e, arrival=self._clock.monotonic()) if hasattr(e, "arrival") else e for e in super().get()]


def run(model, true_hz=250.0, events=None, seconds=15, **settings):
    clock, sink = ManualClock(), ListSink()
    counts = walk(int(true_hz * seconds))
    lists = events or [[info()], *([block(counts[k : k + 25], k)] for k in range(0, len(counts), 25))]
    source = Paced(lists, clock, 25 / true_hz)
    settings = RunSettings(**settings)
    runner = Runner(source, Models(lambda leads: model), [SinkThread(sink)], settings, clock=clock)
    return runner.run(), sink


def test_a_wrong_rate_is_noted_and_gives_no_heart_rate(model):
    summary, sink = run(model, 192.0)
    assert [n.text for n in sink.notes if n.kind == "rate"] == [
        "samples arrive at 192.0 Hz, not at 250 Hz: times are wrong; give --fs 192"
    ]
    assert summary.heart_rate_bpm is None and summary.renewal is None
    assert any("192.0 Hz" in w for w in sink.statuses[-1].warnings)


def test_a_rate_too_slow_for_an_ecg_is_not_offered(model):
    _, sink = run(model, 40.0, seconds=30)
    (note,) = [n.text for n in sink.notes if n.kind == "rate"]
    assert "too slow for an ECG" in note and "--fs" not in note


def test_a_run_without_one_valid_value_says_so_and_fails(model):
    nothing = [block(np.zeros((25, 2), np.int32), k, np.zeros((25, 2), bool)) for k in range(0, 2500, 25)]
    summary, sink = run(model, events=[[info()], *([b] for b in nothing)])
    assert summary.exit_code == 1 and NOTHING in summary.error.message
    assert NOTHING in [n.text for n in sink.notes] and NOTHING in sink.statuses[-1].warnings


def test_a_right_rate_is_not(model):
    summary, sink = run(model, 250.0, follow_rate=("fake",))
    assert summary.renewal is None and not any(n.kind == "rate" for n in sink.notes)


def test_a_run_that_follows_ends_for_the_rate_found(model):
    summary, sink = run(model, 192.0, follow_rate=("fake",))
    assert summary.renewal.fs == 192 and len(sink.natives) * 25 < 10 * 250
    options = summary.renewal.applied(Options(source="x", device="auto"))
    assert (options.fs, options.device) == (192.0, "fake")


def test_a_device_that_cannot_be_given_a_rate_is_not_followed(model):
    assert run(model, 192.0, follow_rate=("plotter",))[0].renewal is None


def test_another_device_ends_the_record(model):
    counts = walk(200)
    events = [[BEFORE], [block(counts[:100])], [AFTER], [Gap(100, 15_000)], [block(counts[100:], 15_000)]]
    summary, sink = run(model, events=events, follow_device=True)
    assert summary.renewal.stranger and "B, not A" in summary.renewal.reason
    assert sum(map(len, sink.natives)) == 100 and summary.counts.lost == 0
    kept = summary.renewal.applied(Options(source="x", patient="Anna", calibration="a.cal", out="r"))
    assert (kept.patient, kept.calibration, kept.out) == (None, None, "r")


def test_whoever_does_not_follow_is_refused(model):
    counts = walk(100)
    summary, _ = run(model, events=[[BEFORE], [block(counts)], [AFTER]])
    assert isinstance(summary.error, NotAnEcgStreamError) and "another person" in summary.error.message


def test_the_same_device_is_no_stranger(model):
    counts = walk(200)
    summary, _ = run(model, events=[[BEFORE], [block(counts[:100])], [BEFORE], [block(counts[100:], 100)]])
    assert summary.error is None and summary.renewal is None and summary.counts.samples_in == 200


def test_a_device_that_is_too_slow_is_refused(model):
    summary, _ = run(model, events=[[replace(info(), fs=Fraction(20))]])
    assert isinstance(summary.error, NotAnEcgStreamError) and "80 Hz" in summary.error.fix


def test_a_long_gap_ends_when_told_to(model):
    """It has no rows, and the run goes on behind it until it is told to end."""
    clock, sink = ManualClock(), ListSink()
    source = ListSource([[info()], [block(walk(100))], [block(walk(100), 250 * 86400)]])
    runner = Runner(source, Models(lambda leads: model), [SinkThread(sink)], RunSettings(), clock=clock)
    sink.leads = lambda b: (sink.blocks.append(b), runner._stop.set() if b.index > 100 else None)
    runner.run()
    assert sum(map(len, sink.blocks)) < 200


def test_execute_begins_anew(model, monkeypatch):
    seen = []

    def once(options, *rest):
        seen.append(options)
        return run(model, 192.0 if options.fs is None else 250.0, follow_rate=() if options.fs else ("fake",))[0]

    monkeypatch.setattr(module, "_once", once)
    summary = execute(Options(source="x", device="plotter"), ManualClock(), threading.Event())
    assert summary.renewal is None and [o.fs for o in seen] == [None, 192.0]


@pytest.mark.parametrize("raised", [False, True])
def test_a_run_begun_anew_in_which_nothing_arrives_does_not_empty_the_summary(model, monkeypatch, raised):
    lost = NotAnEcgStreamError("nothing arrives", "connect it")

    def once(options, *rest):
        if options.fs is None:
            return run(model, 192.0, follow_rate=("fake",))[0]
        if raised:
            raise lost
        return replace(run(model, events=[[]])[0], error=lost)

    monkeypatch.setattr(module, "_once", once)
    summary = execute(Options(source="x", device="plotter"), ManualClock(), threading.Event())
    assert summary.info is not None and summary.counts.samples_in > 0
    assert summary.error is lost and summary.renewal is None and summary.to_dict()["fs_in"] == 250
