r"""A decoder of your own: bytes of a device that ecg-edge does not know, to twelve leads.

    python docs/examples/own_decoder.py [PORT]

The device sends lines `I;II;n`: two leads in microvolts and a sample number from 0 to 255. Without a port a
capture is made up, with two samples missing. In a package of your own, an entry point of the group
`ecg_edge.decoders` makes it available to `ecg-edge run --as` and `ecg-edge decode --as`.
"""

import sys
from fractions import Fraction

import numpy as np

import ecg_edge as ee

INFO = ee.StreamInfo("semicolon board", Fraction(250), (ee.Channel("I", 0.001), ee.Channel("II", 0.001)))


class Semicolons:
    """Incremental: a line may be cut anywhere; what does not look like one is skipped and counted."""

    name = "semicolons"

    def __init__(self) -> None:
        self.tally = ee.Tally()
        self._rest, self._next, self._described = b"", 0, False

    def feed(self, data: bytes, arrival: float = 0.0) -> list:
        """Take the next bytes and return what they complete."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-64:]  # noise without a line end must not fill the memory
        events = [] if self._described else [INFO]
        self._described = True
        for line in lines:
            try:
                one, two, number = map(int, line.split(b";"))
            except ValueError:
                self.tally.bad_frames += 1
                continue
            if lost := (number - self._next) % 256:
                events.append(ee.Gap(self._next, self._next + lost))
                self.tally.lose(self._next, self._next + lost)
            counts = np.array([[one, two]], np.int32)
            at, self._next = self._next + lost, self._next + lost + 1
            events.append(ee.SampleBlock(at, counts, (counts * 0.001).astype(np.float32), np.ones((1, 2), bool),
                                         arrival=arrival))  # fmt: skip
            self.tally.samples += 1
        return events

    def close(self) -> list:
        """End of stream: nothing is held back."""
        return []

    def opening(self) -> bytes:
        """The board sends by itself."""
        return b""

    request = closing = opening


def capture() -> bytes:
    """Ten seconds of the board, two samples lost on the way."""
    from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

    uv = np.rint(1000 * SyntheticHeart(250, ("I", "II")).read(2500)).astype(int)
    return b"".join(b"%d;%d;%d\n" % (*uv[k], k % 256) for k in range(2500) if k not in (700, 701))


if len(sys.argv) > 1:
    with ee.open_stream(sys.argv[1], device=Semicolons()) as blocks:
        for block in blocks:
            print(block.index, block.lead("V2")[-1])

decoded = ee.decode_bytes(Semicolons(), capture())
print(f"{decoded.tally.samples} samples, lost: {decoded.tally.lost_ranges}")
mv = np.full((int(decoded.index[-1]) + 1, 2), np.nan)
mv[decoded.index] = decoded.mv  # lost samples are NaN: the rows that depend on them are invalid
twelve = ee.reconstruct(mv, fs=decoded.info.fs, leads=decoded.info.leads)
print(f"{len(twelve)} rows, {int((~twelve.valid.all(axis=1)).sum())} of them not to be used")
