r"""A decoder of your own: bytes of a device that ecg-edge does not know, to twelve leads.

    python docs/examples/own_decoder.py [PORT]

The device sends lines `I;II;n`: two leads in microvolts and a sample number from 0 to 255. Without a port a
capture is made up: it begins in the middle of a line, two samples are missing, and one line is noise. It is decoded
as a whole, then in pieces of seven bytes. Up to 255 lost samples in a row are counted: eight bits show no more. To
use it by name, as in `ecg-edge run --as semicolons`, a package states a `Device` that makes this decoder:
docs/how-to/add-a-decoder.md.
"""

import re
import sys
from fractions import Fraction
from typing import Any

import numpy as np

import ecg_edge as ee

SAMPLE = re.compile(rb"(-?\d{1,6});(-?\d{1,6});(\d{1,3})\r?")
INFO = ee.StreamInfo("semicolon board", Fraction(250), (ee.Channel("I", 0.001), ee.Channel("II", 0.001)))


class Semicolons:
    """A line may be cut anywhere. What does not look like one is counted in `tally.bad_frames` and skipped."""

    name = "semicolons"

    def __init__(self) -> None:
        self.tally = ee.Tally()
        self._rest, self._at, self._number, self._described = b"", 0, -1, False

    def feed(self, data: bytes, arrival: float = 0.0) -> list[Any]:
        """Take the next bytes and return what they complete."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-64:]  # noise without a line end must not fill the memory
        events: list[Any] = [] if self._described else [INFO]
        self._described = True
        for line in lines:
            if found := SAMPLE.fullmatch(line):
                one, two, number = map(int, found.groups())
                events += self._sample(one, two, number % 256, arrival)
            else:
                self.tally.bad_frames += 1
        return events

    def _sample(self, one: int, two: int, number: int, arrival: float) -> list[Any]:
        """A sample, and before it the gap that its number shows. The first sample begins the axis: none was lost."""
        lost = 0 if self._number < 0 else (number - self._number - 1) % 256
        gap = [ee.Gap(self._at, self._at + lost)] if lost else []
        self.tally.lose(self._at, self._at + lost)
        counts = np.array([[one, two]], np.int32)
        mv, valid = (counts * 0.001).astype(np.float32), np.ones((1, 2), bool)
        block = ee.SampleBlock(self._at + lost, counts, mv, valid, arrival=arrival)
        self._at, self._number = self._at + lost + 1, number
        self.tally.samples += 1
        return [*gap, block]

    def close(self) -> list[Any]:
        """End of stream: nothing is held back."""
        return []

    def opening(self) -> bytes:
        """The board sends by itself."""
        return b""

    request = closing = opening


def capture() -> bytes:
    """Ten seconds of the board: joined in the middle of a line, two samples lost, one line of noise."""
    from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

    uv = np.rint(1000 * SyntheticHeart(250, ("I", "II")).read(2500)).astype(int)
    lines = [b"%d;%d;%d\n" % (*uv[k], (k + 40) % 256) for k in range(2500) if k not in (700, 701)]
    return b"".join([b"7;41\n", *lines[:100], b"\xff\x00 brown-out\n", *lines[100:]])


if len(sys.argv) > 1:
    with ee.open_stream(sys.argv[1], device=Semicolons()) as blocks:
        for block in blocks:
            print(block.index, block.lead("V2")[-1])

data = capture()
decoded = ee.decode_bytes(Semicolons(), data)
print(f"{decoded.tally.samples} samples, lost: {decoded.tally.lost_ranges}, lines skipped: {decoded.tally.bad_frames}")

cut = Semicolons()
for at in range(0, len(data), 7):
    cut.feed(data[at : at + 7])
print("cut into sevens: the same" if cut.tally == decoded.tally else "cut into sevens: NOT the same")

mv = np.full((int(decoded.index[-1]) + 1, 2), np.nan)
mv[decoded.index] = decoded.mv  # lost samples are NaN: up to 40 ms are bridged, as here
twelve = ee.reconstruct(mv, fs=decoded.info.fs, leads=decoded.info.leads)
print(f"{len(twelve)} rows, {0 if twelve.held is None else int(twelve.held.sum())} of them over a bridged gap, "
      f"{int((~twelve.valid.all(axis=1)).sum())} not to be used")  # fmt: skip
