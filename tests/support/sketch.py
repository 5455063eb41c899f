"""A sketch at a port in virtual time: what it prints goes through the real reader, decoder, pipeline and model."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ecg_edge.benchmarks.live_path.virtual_port import VirtualPort
from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.inference.shipped import default_model
from ecg_edge.device.live.run_settings import Models, RunSettings
from ecg_edge.device.live.runner import Runner
from ecg_edge.device.live.summary import Summary
from ecg_edge.device.sinks.sink import SinkBase
from ecg_edge.device.sinks.sink_thread import SinkThread
from ecg_edge.device.sources.open_source import open_source
from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.events import SampleBlock
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

BPM = 65


def heart(fs=250, seconds=24, leads=("I", "II"), bpm=BPM):
    """Millivolts, a row a sample."""
    return SyntheticHeart(Fraction(fs), leads, heart_rate_bpm=bpm, seed=1).read(round(fs * seconds))


class _Follower(SinkBase):
    name, takes, lossless = "follower", (SampleBlock,), True

    def __init__(self, port):
        self._port, self.notes, self.header, self.mv, self.headers = port, [], None, [], []

    def open(self, header):
        self.header = header
        self.headers.append(header)

    def native(self, block):
        self._port.follow(block.arrival)
        self.mv.append(block.mv)

    def note(self, note):
        self.notes.append(note)


@dataclass
class Ran:
    """How it went."""

    summary: Summary
    header: object
    mv: np.ndarray
    notes: list
    headers: list

    @property
    def rate(self):
        """Heart rate, None where none is stated."""
        return self.summary.heart_rate_bpm

    def told(self, kind):
        """Texts of the notes of one kind."""
        return [note.text for note in self.notes if note.kind == kind]


def play(pieces, hz=250, device="plotter", seconds=9, until=60, samples=None, **options):
    """Run what a device prints; piece k is sent at k / hz seconds after the port was opened.

    Parameters
    ----------
    pieces : sequence of bytes
        A line each, as a rule.
    hz : float
        True rate of the pieces, whatever the device says.
    device : str
        As given with ``--as``; ``auto`` listens.
    seconds : float
        Length of the run.
    until : float
        Virtual seconds after which the run is stopped.
    samples : int, optional
        Pieces that hold samples; nobody follows what is sent after them.
    options
        Of `open_source`: leads, gain, fs.
    """
    clock = ManualClock()
    port = VirtualPort(clock, until=until)
    sent, began = 0, None

    def step():
        nonlocal sent, began
        clock.advance(0.01)
        if not port.poll():
            return
        began = clock.monotonic() if began is None else began
        due = int((clock.monotonic() - began) * hz)
        data, sent = b"".join(pieces[sent:due]), max(sent, min(due, len(pieces)))
        if data:
            port.send(data)
        if samples is not None and sent > samples:
            port.follow(clock.monotonic())

    port.step = step
    follower = _Follower(port)
    source = open_source(port.address, clock, device=device, opener=port.connect, **options)
    models = Models(lambda leads: for_leads(load_model(default_model(leads)), leads))
    runner = Runner(source, models, [SinkThread(follower)], RunSettings(seconds=seconds), clock=clock, stop=port.stop)
    summary = runner.run()
    mv = np.concatenate(follower.mv) if follower.mv else np.zeros((0, 1))
    return Ran(summary, follower.header, mv, follower.notes, follower.headers)
