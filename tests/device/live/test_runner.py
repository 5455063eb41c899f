import errno
import json
import threading

import numpy as np
import pyedflib
import pytest
import wfdb

from ecg_edge.device.cli.main import main
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.live.run_settings import Models, RunSettings
from ecg_edge.device.live.runner import Runner
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.recording.stored_recording import read_stored
from ecg_edge.device.sinks.sink_thread import SinkThread
from ecg_edge.device.sources.paced_source import PacedSource
from ecg_edge.device.sources.rescaled import RescaledSource
from ecg_edge.device.sources.synthetic_source import synthetic
from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.errors import DeviceLostError, DiskFullError, LeadMismatchError, PortBusyError
from ecg_edge.firmware_bridge.events import DeviceStatus, Disconnected, Gap, Reconnected, SampleBlock
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from tests.device.sinks.test_sink_thread import PATIENCE, Failing, Held
from tests.support import fakes


def runner(model, source, *sinks, **options):
    about = {name: options.pop(name) for name in ("leads", "seconds", "patient") if name in options}
    models = Models(model if callable(model) else lambda leads: model)
    return Runner(
        source, models, sinks, RunSettings(**about), clock=options.pop("clock", None) or ManualClock(), **options
    )


def test_every_sink_gets_everything_and_the_summary_counts_it(model):
    counts, lists = fakes.stream()
    lists[50] = [Gap(490, 500), DeviceStatus(battery_percent=80)]
    sink, source = fakes.ListSink(), fakes.ListSource(lists)
    summary = runner(model, source, SinkThread(sink)).run()
    assert source.started and source.stopped and sink.closed == 1
    assert (np.concatenate([b.counts for b in sink.natives]) == np.delete(counts, np.s_[490:500], 0)).all()
    want, notes = fakes.drain(Pipeline(model, fakes.info(), mains_hz=50), [e for x in lists for e in x])
    assert fakes.join(sink.blocks)[1]["mv"].tobytes() == fakes.join(want)[1]["mv"].tobytes()
    assert sink.notes == notes
    d = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    assert (d["samples_in"], d["samples_out"], d["samples_lost"], d["exit"]) == (990, 400, 10, 0)
    assert d["lost_ranges"] == [[490, 500]] and d["notes"] == {"held": 1}
    assert d["provenance"]["aVR"] == "derived" and len(d["leads"]) == 12
    assert d["model"]["sha256"] == model.file_sha256
    assert set(d["latency_ms"]) == {"p50", "p99", "max", "algorithmic", "terms"}


def test_an_end_asked_for_while_samples_wait_loses_none_of_them(model):
    class Interrupted(fakes.ListSource):
        def get(self, timeout=None):
            stop.set()
            return [event for events in iter(super().get, []) for event in events]

    counts, lists = fakes.stream()
    stop, sink = threading.Event(), fakes.ListSink()
    c = runner(model, Interrupted(lists), SinkThread(sink), stop=stop).run().counts
    assert (c.samples_in, c.rows_out) == (len(counts), len(counts) * 100 // 250)
    assert sum(len(b) for b in sink.blocks) == c.rows_out


def test_the_user_reads_where_sinks_can_be_found_once_all_are_open(model, capsys):
    class Served(fakes.ListSink):
        @property
        def where(self):
            return f"{self.name}: {self.header.source}" if self.header else "too early"

    _, lists = fakes.stream(100)
    runner(model, fakes.ListSource(lists), *(SinkThread(s) for s in (Served("a"), fakes.ListSink(), Served("b")))).run()
    assert capsys.readouterr().err == "a: fake:\nb: fake:\n"


def test_runs_that_share_a_turn_never_work_at_once_and_never_wait_in_it(model):
    turn, held, waited = threading.Lock(), [], []

    class Watch(fakes.ListSource):
        def get(self, timeout=None):
            waited.append(turn.locked())
            return super().get(timeout)

    class Thread(SinkThread):
        def put(self, item):
            held.append(turn.locked())
            super().put(item)

    _, lists = fakes.stream()
    sink = fakes.ListSink()
    summary = runner(model, Watch(lists), Thread(sink), turn=turn).run()
    assert summary.exit_code == 0 and sum(len(b) for b in sink.natives) == 1000
    last_rows = 1  # what comes out at the end comes from no event
    assert len(held) > 100 and all(held[:-last_rows]) and not any(waited) and not turn.locked()


def test_a_full_recording_of_one_patch_does_not_take_the_others_turn(model):
    turn, full, stuck = threading.Lock(), threading.Event(), Held(capacity=16)

    class Thread(SinkThread):
        def ease(self):
            if len(self._items) > 8:
                full.set()
            super().ease()

    _, lists = fakes.stream(2000)
    lists[2:2] = [[Gap(10, 10, "restart", known=False)]]
    run = runner(model, fakes.ListSource(lists), Thread(stuck), turn=turn)
    thread = threading.Thread(target=run.run)
    thread.start()
    try:
        assert full.wait(PATIENCE)
        assert turn.acquire(timeout=PATIENCE)
        turn.release()
        assert thread.is_alive()
    finally:
        stuck.go.set()
        thread.join(PATIENCE)
    assert not thread.is_alive()


def test_header_dates_the_first_sample(model):
    clock = ManualClock()
    sink = fakes.ListSink()
    source = PacedSource(*synthetic(""), clock, url="fake:")
    runner(model, source, SinkThread(sink), clock=clock, seconds=3.01).run()
    assert sink.header.started == ManualClock().now()
    assert sink.header.source == "fake:" and sink.header.latency_terms["frame"] == pytest.approx(4 / 250)
    assert sum(len(b) for b in sink.natives) == 753 and sum(len(b) for b in sink.blocks) == 302
    assert [round(s.elapsed_s) for s in sink.statuses] == [1, 2, 3]
    assert sink.statuses[-1].rate_hz == pytest.approx(250, rel=0.02)


@pytest.mark.parametrize("end", [[Gap(500, 900)], [fakes.block(fakes.walk(10), 900)]])
def test_a_gap_over_the_end_is_cut_there(model, end):
    counts, lists = fakes.stream(500)
    sink = fakes.ListSink()
    more = [[fakes.block(counts[:10], 900)]]
    summary = runner(model, fakes.ListSource([*lists, end, *more]), SinkThread(sink), seconds=2.4).run()
    assert summary.counts.rows_out == 240 and summary.counts.lost == 100
    assert not sink.blocks[-1].valid.any()


class Shown(fakes.ListSink):
    outlet = False


def test_a_full_disk_ends_a_run_that_only_records(model):
    _, lists = fakes.stream(100_000)
    lists[30:30] = [[Gap(290, 290, "restart", known=False)]]
    full, shown = Failing(DiskFullError("full", "buy a disk")), Shown()
    source = fakes.ListSource(lists)
    summary = runner(model, source, SinkThread(shown), SinkThread(full)).run()
    assert isinstance(summary.error, DiskFullError) and summary.exit_code == 1
    assert shown.closed == full.closed == 1 and source.stopped and not source.ended
    assert summary.to_dict()["error"] == "full"


def test_a_full_disk_ends_the_recording_and_not_what_others_see(model):
    clock, full, other = ManualClock(), Full(), fakes.ListSink()
    source = PacedSource(*synthetic(""), clock, url="fake:")
    summary = runner(model, source, SinkThread(full), SinkThread(other), clock=clock, seconds=60).run()
    assert sum(len(b) for b in other.natives) == 15_000
    assert isinstance(summary.error, DiskFullError) and summary.exit_code == 1
    assert [n.text for n in other.notes if n.kind == "outlet"] == [f"{full.name} stopped: full"]
    assert f"{full.name} stopped: full" in other.statuses[-1].warnings


class Full(fakes.ListSink):
    def native(self, block):
        raise DiskFullError("full", "buy a disk")


class Unwritable(fakes.ListSink):
    lossless = False

    def open(self, header):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_standard_output_ends_no_other_outlet(model):
    clock, other, warned = ManualClock(), fakes.ListSink(), []
    source = PacedSource(*synthetic(""), clock, url="fake:")
    bad = SinkThread(Unwritable(), warn=warned.append)
    summary = runner(model, source, bad, SinkThread(other), clock=clock, seconds=10).run()
    assert summary.exit_code == 0 and sum(len(b) for b in other.natives) == 2500
    assert len(warned) == 1 and any("No space left" in w for w in other.statuses[-1].warnings)


def test_a_run_for_a_full_standard_output_alone_ends_with_that_error(model):
    _, lists = fakes.stream(100_000)
    source = fakes.ListSource(lists)
    summary = runner(model, source, SinkThread(Unwritable())).run()
    assert summary.exit_code == 1 and "No space left" in summary.error.message and not source.ended


def test_a_failing_monitor_is_only_a_warning(model):
    _, lists = fakes.stream()
    lists[30:30] = [[Gap(290, 290, "restart", known=False)]]
    warnings, other = [], fakes.ListSink()
    bad = SinkThread(Failing(PortBusyError("port gone"), lossless=False), warn=warnings.append)
    summary = runner(model, fakes.ListSource(lists), bad, SinkThread(other)).run()
    assert summary.exit_code == 0 and warnings == ["failing stopped: port gone"]
    assert sum(len(b) for b in other.natives) == 1000


def test_a_stuck_screen_does_not_delay_the_recording(model, tmp_path):
    counts, lists = fakes.stream(5000)
    lists[2:2] = [[Gap(10, 10, "restart", known=False)]]
    stuck = Held(lossless=False, capacity=8)
    recorder = Recorder(tmp_path)
    finished = []

    class Watch(fakes.ListSource):
        taken = 0

        def get(self, timeout=None):
            self.taken += 1
            if self.taken == 5:  # the note is on its way by now; before it the screen is not stuck
                assert stuck.reached.wait(PATIENCE)
            return super().get(timeout)

        def stop(self):  # the whole source was taken while the screen was still stuck
            finished.append(not stuck.go.is_set())
            stuck.go.set()
            super().stop()

    summary = runner(model, Watch(lists), SinkThread(stuck), SinkThread(recorder)).run()
    assert finished == [True] and summary.dropped_blocks > 500
    assert (wfdb.rdrecord(f"{recorder.path}_measured", physical=False).d_signal == counts).all()


def test_device_lost_is_exit_4_and_what_came_before_is_kept(model):
    _, lists = fakes.stream(300)
    sink = fakes.ListSink()
    source = fakes.ListSource(lists, DeviceLostError("pulled out"))
    summary = runner(model, source, SinkThread(sink)).run()
    assert summary.exit_code == 4 and sink.closed == 1
    assert sum(len(b) for b in sink.blocks) == 120  # the network's look-ahead was flushed too


def test_an_outage_is_noted_at_its_place(model):
    _, lists = fakes.stream(200)
    lists += [[Disconnected(1.0, "unplugged")], [Reconnected(3.5, 2.5, 3)], [fakes.block(fakes.walk(10), 700)]]
    sink = fakes.ListSink()
    summary = runner(model, fakes.ListSource(lists), SinkThread(sink)).run()
    assert [(n.kind, n.index, n.stop) for n in sink.notes] == [
        ("disconnect", 200, 200), ("reconnect", 200, 200), ("gap", 200, 700)
    ]  # fmt: skip
    assert summary.counts.rows_out == 284 and summary.notes["disconnect"] == 1


def test_source_with_other_leads_ends_before_it_begins(model):
    sink = fakes.ListSink()

    def refuse(leads):
        raise LeadMismatchError(f"has {leads}")

    summary = runner(refuse, fakes.ListSource([[fakes.info(("V1",))]]), SinkThread(sink)).run()
    assert isinstance(summary.error, LeadMismatchError) and sink.header is None and summary.exit_code == 1
    json.dumps(summary.to_dict(), allow_nan=False)


def test_leads_are_renamed_for_everybody(model):
    sink = fakes.ListSink()
    lists = [[fakes.info(("a", "b"))], [fakes.block(fakes.walk(50))], [fakes.info(("a", "b"))]]
    summary = runner(model, fakes.ListSource(lists), SinkThread(sink), leads=("I", "II")).run()
    assert sink.header.info.leads == ("I", "II") and summary.exit_code == 0


def test_stop_is_obeyed(model):
    stop = threading.Event()
    clock = ManualClock()
    sink = fakes.ListSink(capacity=8)

    class Stopper(fakes.ListSink):
        def status(self, status):
            stop.set()

    source = PacedSource(*synthetic(""), clock)  # endless
    run = runner(
        model, source, SinkThread(sink), SinkThread(Stopper(capacity=8)),
        clock=clock, stop=stop,
    )  # fmt: skip
    summary = run.run()
    assert summary.exit_code == 0 and sink.closed == 1 and summary.counts.samples_in > 0


def test_latency_is_measured_from_arrival(model):
    clock = ManualClock()
    counts = fakes.walk(500)
    events = [[fakes.info(fs=100)]] + [[fakes.block(counts[k : k + 10], k, arrival=k / 100)] for k in range(0, 500, 10)]

    class Slow(fakes.ListSource):
        def get(self, timeout=None):
            out = super().get(timeout)
            if out and hasattr(out[0], "arrival"):
                clock.advance(out[0].arrival + 0.025 - clock.monotonic())
            return out

    summary = runner(model, Slow(events), clock=clock).run()
    assert summary.to_dict()["latency_ms"]["p50"] == pytest.approx(25, rel=0.02)
    assert summary.to_dict()["latency_ms"]["max"] == pytest.approx(25, rel=0.02)


def test_a_device_that_is_there_and_says_nothing_is_told(model):
    clock = ManualClock()
    _, lists = fakes.stream(500)

    class Source(fakes.ListSource):
        def get(self, timeout=None):
            clock.advance(0.04)
            return super().get(timeout)

    source, sink = Source([*lists[:30], *([[]] * 100), *lists[30:]]), fakes.ListSink()
    source.live = True
    summary = runner(model, source, SinkThread(sink), clock=clock, patient="P 7").run()
    assert [(n.kind, n.index) for n in sink.notes] == [("silent", 290), ("silent", 290)]
    assert "sent nothing" in sink.notes[0].text and "again" in sink.notes[1].text
    assert summary.counts.lost == 0 and sink.header.patient == "P 7"
    assert not all(s.connected for s in sink.statuses) and sink.statuses[-1].connected


def test_the_patient_is_in_the_recording_and_what_is_made_of_it(tmp_path, capsys):
    command = ["run", "synthetic:", "--fast", "--seconds", "12", "--model", "i-ii-int8", "--patient", "P 7"]
    assert main([*command, "--out", str(tmp_path), "--json"]) == 0
    name = json.loads(capsys.readouterr().out)["recording"]
    for suffix in ("", "_measured"):
        assert read_stored(name + suffix).patient == "P 7"
    assert main(["convert", name]) == 0
    with pyedflib.EdfReader(name + ".edf") as edf:
        assert edf.getPatientCode() == "P 7"


def beating(seconds, index=0):
    """A heart at 60 per minute, a block a hop."""
    x = np.rint(SyntheticHeart(250, ("I", "II"), seed=1).read(seconds * 250) / fakes.LSB).astype(np.int32)
    return [[fakes.block(x[k : k + 25], index + k)] for k in range(0, len(x), 25)]


class Ticking(fakes.ListSource):
    """Time passes as samples do, a tenth of a second with every list; while nothing comes, a second."""

    def __init__(self, clock, lists):
        super().__init__(lists)
        self.clock = clock

    def get(self, timeout=None):
        events = super().get(timeout)
        self.clock.advance(0.1 if events and isinstance(events[0], SampleBlock) else 1.0)
        return events


def test_no_figure_outlives_the_device_and_only_fresh_beats_count_afterwards():
    clock, sink = ManualClock(), fakes.ListSink()
    real = load_model("i-ii-int8")
    away = [[Disconnected(0.0, "unplugged")], [], [], []]
    back = [[Reconnected(0.0, 3.0, 1)], [Gap(3000, 3750)], *beating(14, 3750)]
    source = Ticking(clock, [[fakes.info()], *beating(12), *away, *back])
    summary = runner(real, source, SinkThread(sink), clock=clock).run()
    assert summary.exit_code == 0
    states = [s.connected for s in sink.statuses]
    first, last = states.index(False), len(states) - states[::-1].index(False)
    before, lost, after = sink.statuses[:first], sink.statuses[first:last], sink.statuses[last:]
    assert before[-1].heart_rate_bpm and before[-1].st_mv and before[-1].quality
    for s in lost:
        assert (s.heart_rate_bpm, s.st_mv, s.quality, s.lead_off, s.battery_percent) == (None, {}, {}, (), None)
    fresh = [s.heart_rate_bpm for s in after]
    assert fresh[:2] == [None, None] and fresh[-1] == pytest.approx(before[-1].heart_rate_bpm, abs=6)


def test_a_run_that_ends_without_its_device_states_no_rate():
    clock = ManualClock()
    source = Ticking(clock, [[fakes.info()], *beating(12), [Disconnected(0.0, "unplugged")], []])
    summary = runner(load_model("i-ii-int8"), source, SinkThread(fakes.ListSink()), clock=clock).run()
    assert summary.heart_rate_bpm is None and summary.notes["disconnect"] == 1


@pytest.mark.parametrize("known", [True, False])
def test_loss_is_known_only_where_the_decoder_knows(model, known):
    class Counting(fakes.ListSource):
        loss_known = known

    _, lists = fakes.stream(500)
    for source in (Counting(lists), RescaledSource(Counting(lists), {})):
        summary = runner(model, source, SinkThread(fakes.ListSink())).run()
        assert summary.to_dict()["loss_known"] is known


def test_the_summary_calls_a_lead_what_it_was_at_worst(model):
    _, lists = fakes.stream(500)
    summary = runner(model, fakes.ListSource(lists), SinkThread(fakes.ListSink())).run()
    summary.provenance_rows["II"] = {Provenance.MEASURED: 150, Provenance.RECONSTRUCTED: 50}
    d = summary.to_dict()
    assert d["provenance"]["II"] == "reconstructed" and d["provenance"]["I"] == "measured"
    assert d["provenance_s"]["II"] == {"measured": 1.5, "reconstructed": 0.5}
