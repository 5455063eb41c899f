"""What the tests of the bridge share: a two-lead device, its stream, and event equality."""

import warnings
from fractions import Fraction

import numpy as np
import pytest

from ecg_edge.device.live.coalesce import coalesce
from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.ecglink.encoder import EcgLinkEncoder
from ecg_edge.firmware_bridge.events import Channel, Gap, SampleBlock, StreamInfo

with warnings.catch_warnings():
    # Importing wfdb warns of what pandas will change one day: theirs to mend, not a failure of ours.
    warnings.simplefilter("ignore")
    import wfdb


def two_leads(fs=250, tick_hz=32768, lsb_mv=0.0005, **more):
    return StreamInfo(
        device="test patch",
        fs=Fraction(fs),
        channels=(Channel("I", lsb_mv), Channel("II", lsb_mv)),
        tick_hz=Fraction(tick_hz) if tick_hz else None,
        samples_per_frame=5,
        **more,
    )


class Wire:
    """A device reduced to its frames: five samples each, content a function of the index."""

    def __init__(self, info=None, boot=0, first_tick=1000):
        self.info = info or two_leads()
        self.encoder = EcgLinkEncoder(self.info, boot)
        self.first_tick = first_tick

    def counts(self, index, n=5):
        row = np.arange(index, index + n) % 100_000
        return np.stack([row, -row], axis=1)

    def ticks(self, index):
        return self.first_tick + round(index * float((self.info.tick_hz or 0) / self.info.fs))

    def frame(self, index, n=5, ticks=None):
        ticks = self.ticks(index) if ticks is None else ticks
        return self.encoder.samples(self.counts(index, n), index, ticks)

    def frames(self, start, stop):
        return [self.frame(i) for i in range(start, stop, 5)]


def plain(events):
    """Events as values that compare: blocks that adjoin joined, by all they hold."""
    return [
        (e.index, e.counts.tolist(), e.mv.tolist(), e.valid.tolist(), e.lead_off, e.ticks, e.arrival)
        if isinstance(e, SampleBlock)
        else e
        for e in coalesce(events)
    ]


def decode(stream, cuts=()):
    """Events of a stream fed in the pieces that `cuts` make, and the decoder."""
    decoder, events, at = EcgLinkDecoder(), [], 0
    for cut in [*sorted(cuts), len(stream)]:
        events += decoder.feed(stream[at:cut])
        at = cut
    return events + decoder.close(), decoder


def blocks(events):
    return [e for e in events if isinstance(e, SampleBlock)]


def gaps(events):
    return [e for e in events if isinstance(e, Gap)]


def write_record(folder, name, fs, mv, names, units=("mV",) * 3, gains=(100_000.0,) * 3):
    """Write a WFDB record of three signals with the reference package; return its path."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wfdb.wrsamp(
            name,
            fs=fs,
            units=list(units),
            sig_name=list(names),
            p_signal=mv,
            fmt=["24"] * 3,
            adc_gain=list(gains),
            baseline=[0] * 3,
            write_dir=str(folder),
        )
    return str(folder / name)


@pytest.fixture(scope="session")
def kit():
    """The helpers above under one name (tests import no helper modules)."""

    class Kit:
        pass

    for helper in (two_leads, Wire, plain, decode, blocks, gaps, write_record):
        setattr(Kit, helper.__name__, staticmethod(helper))
    return Kit
