"""A device that samples at another rate than it states: noted within five seconds, followed, its heart rate right."""

import threading
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from ecg_edge.benchmarks.live_path.virtual_port import VirtualPort
from ecg_edge.device.analysis.beat_detector import BeatDetector
from ecg_edge.device.analysis.rate_watch import RateWatch
from ecg_edge.device.live import execute, open_stream
from ecg_edge.device.live.options import Options
from ecg_edge.device.sources.open_source import open_source
from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.ecglink.encoder import EcgLinkEncoder
from ecg_edge.firmware_bridge.events import Channel, StreamInfo
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from tests.support.fakes import ListSink, block, walk

TRUE_HZ, STATED_HZ, BPM, N = 192, 250, 65.0, 8


class _Patch:
    """An EcgLink patch that states 250 Hz and takes 192 samples a second, in virtual time."""

    def __init__(self, clock, tick_hz=Fraction(32768)):
        channels = (Channel("I", 5e-4), Channel("II", 5e-4))
        info = StreamInfo("patch", Fraction(STATED_HZ), channels, samples_per_frame=N, tick_hz=tick_hz)
        self._encoder, self._heart = EcgLinkEncoder(info), SyntheticHeart(TRUE_HZ, ("I", "II"), BPM, seed=1)
        self._clock, self._tick_hz, self._index, self._described = clock, tick_hz, 0, -1.0
        self.port = VirtualPort(clock, until=60.0)
        self.port.step = self._step

    def _step(self):
        self._clock.advance(N / TRUE_HZ)
        now = self._clock.monotonic()
        if self.port.poll() and now - self._described >= 1:
            self._described = now
            self.port.send(self._encoder.describe())
        while (self._index + N) / TRUE_HZ <= now:  # the host's thread moves the clock as well
            counts = np.rint(self._heart.read(N) / 5e-4).astype(int)
            ticks = int(self._index * self._tick_hz / TRUE_HZ) if self._tick_hz else 0
            if self.port.poll():
                self.port.send(self._encoder.samples(counts, self._index, ticks))
            self._index += N


class _Follower(ListSink):
    def __init__(self, port):
        super().__init__()
        self._port = port

    def native(self, block):
        super().native(block)
        self._port.follow(block.arrival)


@pytest.mark.parametrize("tick_hz", [Fraction(32768), None])
def test_a_run_follows_ecglink(tick_hz, monkeypatch):
    clock = ManualClock()
    patch, sinks = _Patch(clock, tick_hz), []

    def open_sinks(*_, **__):
        sinks.append(_Follower(patch.port))
        return [execute.SinkThread(sinks[-1])]

    monkeypatch.setattr(execute, "open_source", partial(open_source, opener=patch.port.connect))
    monkeypatch.setattr(execute, "open_sinks", open_sinks)
    summary = execute.execute(Options(source=patch.port.address, seconds=14), clock, threading.Event())
    first, second = sinks
    assert [n.kind for n in first.notes] == ["rate", "renewal"] and "not at 250 Hz" in first.notes[0].text
    assert sum(map(len, first.natives)) / TRUE_HZ <= 5
    assert second.header.info.fs == TRUE_HZ and not [n for n in second.notes if n.kind == "rate"]
    assert summary.error is None and summary.counts.samples_in == 14 * TRUE_HZ
    assert summary.heart_rate_bpm == pytest.approx(BPM, abs=2)


def test_a_stream_follows_ecglink_and_rows_go_on(monkeypatch):
    clock = ManualClock()
    patch = _Patch(clock)
    monkeypatch.setattr(open_stream, "open_source", partial(open_source, opener=patch.port.connect))
    beats, at, natives = BeatDetector(100), 0, 0
    with open_stream.open_stream(patch.port.address, clock=clock) as stream:
        for block in stream:
            assert block.index == at
            at += len(block)
            patch.port.follow(block.arrival)
            if stream.info.fs == TRUE_HZ:
                natives += len(block)
                beats.feed(block.lead("II"), block.valid[:, 1])
            if natives > 1400:
                break
    [note] = [n for n in stream.notes if n.kind == "rate"]
    assert "not at 250 Hz: begun anew" in note.text and note.index / TRUE_HZ <= 5
    assert beats.heart_rate() == pytest.approx(BPM, abs=2)


def test_whoever_gives_the_rate_is_not_corrected(monkeypatch):
    clock = ManualClock()
    patch = _Patch(clock)
    monkeypatch.setattr(open_stream, "open_source", partial(open_source, opener=patch.port.connect))
    with open_stream.open_stream(patch.port.address, clock=clock, fs=TRUE_HZ) as stream:
        for block in stream:
            patch.port.follow(block.arrival)
            if block.index > 800:
                break
    assert stream.info.fs == TRUE_HZ and not stream.notes


def test_ticks_that_firmware_counts_wrongly_are_not_believed():
    watch = RateWatch(Fraction(250), Fraction(1000))
    for k in range(0, 5000, 10):
        watch.event(replace(block(walk(10), k, arrival=(k + 10) / 250), ticks=4 * k + k // 4))
        assert watch.off_hz is None
