"""Sources, sinks and streams of events that tests can steer."""

from fractions import Fraction

import numpy as np

from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.sinks.sink import SinkBase
from ecg_edge.firmware_bridge.events import Channel, SampleBlock, StreamInfo

LSB = 0.001


def info(leads=("I", "II"), fs=250, per_frame=1):
    return StreamInfo("fake", Fraction(fs), tuple(Channel(x, LSB) for x in leads), samples_per_frame=per_frame)


def block(counts, index=0, valid=None, lead_off=0, arrival=0.0):
    counts = np.asarray(counts, np.int32)
    flags = np.ones(counts.shape, bool) if valid is None else np.asarray(valid, bool)
    return SampleBlock(index, counts, (counts * LSB).astype(np.float32), flags, lead_off, None, arrival)


def walk(n, n_leads=2, seed=0):
    """A random walk in counts: slow enough to look like a signal, never the same twice."""
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.integers(-9, 10, (n, n_leads)), axis=0).astype(np.int32)


def drain(pipeline, events):
    """Feed all, flush, and split what comes out into one joined LeadBlock and the notes."""
    out = [x for event in events for x in pipeline.feed(event)]
    out += list(pipeline.flush())
    blocks = [x for x in out if isinstance(x, LeadBlock)]
    return blocks, [x for x in out if not isinstance(x, LeadBlock)]


def join(blocks):
    """Return index of the first row and the stacked arrays; asserts that nothing is missing between."""
    at = blocks[0].index
    for b in blocks:
        assert b.index == at, "blocks are not contiguous"
        at += len(b)
    fields = ("mv", "valid", "warmup", "sigma")
    rows = {f: np.concatenate([getattr(b, f) for b in blocks]) for f in fields}
    rows["held"] = np.concatenate([np.zeros(len(b), bool) if b.held is None else b.held for b in blocks])
    return blocks[0].index, rows


class ListSink(SinkBase):
    """Keeps everything it is given, and loses nothing."""

    takes = (SampleBlock, LeadBlock)
    lossless = True

    def __init__(self, name="list", **traits):
        vars(self).update(traits)
        self.name, self.header, self.closed = name, None, 0
        self.natives, self.blocks, self.notes, self.statuses = [], [], [], []

    def open(self, header):
        self.header = header

    def native(self, block):
        self.natives.append(block)

    def leads(self, block):
        self.blocks.append(block)

    def note(self, note):
        self.notes.append(note)

    def status(self, status):
        self.statuses.append(status)

    def close(self):
        self.closed += 1


class ListSource:
    """Gives prepared lists of events, and then an error or the end."""

    def __init__(self, lists, error=None, dropped=0, url="fake:"):
        self.url = url
        self._lists, self._error = list(lists), error
        self.dropped_blocks, self.live = dropped, False
        self.ended = self.started = self.stopped = False

    def start(self):
        self.started = True

    def stop(self):
        self.stopped = True

    def get(self, timeout=None):
        if self._lists:
            return self._lists.pop(0)
        self.ended = True
        if self._error:
            raise self._error
        return []


def stream(n=1000, step=10, clock=None, described=True):
    """Lists of events as a reader would give them."""
    counts = walk(n)
    blocks = [block(counts[k : k + step], k) for k in range(0, n, step)]
    return counts, ([[info()]] if described else []) + [[b] for b in blocks]
