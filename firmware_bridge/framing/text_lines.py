"""What the decoders of text have in common: whole lines, runs of good ones at once, the others one by one."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.events import Event, Gap, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.lead_names import electrode_bits, electrodes_of
from ecg_edge.firmware_bridge.tally import Tally

LONGEST = 256
"""Bytes of a line, at most; what is longer is no line of samples."""


@dataclass(frozen=True)
class Rows:
    """Lines that were read.

    Attributes
    ----------
    values : ndarray of float64, shape (n, n_channels)
        Numbers as written; NaN where there is none.
    off : ndarray of bool, shape (n, n_channels)
        Where the line says that a lead is off.
    lengths : ndarray of int64, shape (n,)
        Bytes of each line.
    """

    values: npt.NDArray[np.float64]
    off: npt.NDArray[np.bool_]
    lengths: npt.NDArray[np.int64]


class TextDecoder:
    """Base of the decoders of text; fulfils `decoder.Decoder`.

    A subclass gives `good`, `read` and `salvage`.

    Parameters
    ----------
    info : StreamInfo
        What the decoder announces before the first samples.
    """

    def __init__(self, info: StreamInfo) -> None:
        self.name, self.info = info.device, info
        self.tally = Tally(loss_known=False)
        self._rest = b""
        self._announced = False
        self._index = self._bytes = self._excess = 0
        self._last: npt.NDArray[np.float32] | None = None
        self._arrival = 0.0
        self.nothing = -1
        """The count where there is no value."""

    @property
    def buffered(self) -> int:
        """Bytes kept for later: bounded, whatever is fed."""
        return len(self._rest)

    def feed(self, data: bytes, arrival: float = 0.0) -> list[Event]:
        """Take the next bytes and return what they complete (`decoder.Decoder.feed`)."""
        self._arrival = arrival
        events: list[Event] = []
        data = self._rest + data
        cut = data.rfind(b"\n") + 1
        self._rest = data[cut:]
        if cut:
            self.lines(data[:cut], events)
        # of a line without end just enough is kept to know it for too long
        self._excess += len(self._rest[LONGEST + 1 :])
        self._rest = self._rest[: LONGEST + 1]
        return events

    def close(self) -> list[Event]:
        """End of stream: a line without its end is no line."""
        self._skip(len(self._rest) + self._excess)
        self._rest, self._excess = b"", 0
        return []

    def opening(self) -> bytes:
        """Nothing: these sketches stream at once and read no commands."""
        return b""

    def request(self) -> bytes:
        """Nothing: see `opening`."""
        return b""

    def closing(self) -> bytes:
        """Nothing."""
        return b""

    def good(self) -> re.Pattern[bytes]:
        """Pattern of a run of good lines."""
        raise TypeError(f"{type(self).__name__} must define good")

    def read(self, run: bytes) -> Rows:
        """Read a run of good lines."""
        raise TypeError(f"{type(self).__name__} must define read")

    def salvage(self, line: bytes) -> tuple[int, Rows | None]:
        """Samples that a damaged line lost, and what can still be read in it (after the loss)."""
        return 1, None

    def lines(self, text: bytes, events: list[Event]) -> None:
        """Take whole lines."""
        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")) + 1
        starts = np.concatenate(([0], ends[:-1]))
        pos = 0
        for k in np.flatnonzero(ends - starts > LONGEST):
            self._some(text[pos : starts[k]], events)
            self.damaged(text[starts[k] : ends[k]], events)
            pos = int(ends[k])
        self._some(text[pos:], events)

    def _some(self, text: bytes, events: list[Event]) -> None:
        """Take whole lines of acceptable length."""
        pos = 0
        while pos < len(text):
            run = self.good().match(text, pos)  # a line may show that the pattern is another
            if run is not None:
                self.accept(self.read(run[0]), events)
                pos = run.end()
                continue
            stop = text.index(b"\n", pos) + 1
            self.damaged(text[pos:stop], events)
            pos = stop

    def drop(self, line: bytes) -> None:
        """Pass over a line that is neither sample nor damage."""
        self._skip_line(line)

    def accept(self, rows: Rows, events: list[Event]) -> None:
        """Give out rows, one block for each stretch of lines that take equally long and have the same leads off."""
        if not self._announced:
            self._announced = True
            events.append(self.info)
        counts, mv, valid = self._convert(rows)
        masks = self._masks(rows.off)
        changes = (np.diff(rows.lengths) != 0) & (self.info.tick_hz is not None) | (np.diff(masks) != 0)
        starts = self._bytes + np.concatenate(([0], np.cumsum(rows.lengths)))
        for a, b in itertools.pairwise([0, *(np.flatnonzero(changes) + 1).tolist(), len(counts)]):
            ticks = None if self.info.tick_hz is None else int(starts[a])
            events.append(
                SampleBlock(
                    self._index + a, counts[a:b], mv[a:b], valid[a:b], int(masks[a]), ticks, arrival=self._arrival
                )
            )
        self._bytes = int(starts[-1])
        self._index += len(counts)
        self.tally.samples += len(counts)

    def damaged(self, line: bytes, events: list[Event]) -> None:
        """Take a line that is none of samples."""
        lost, rows = (1, None) if len(line) > LONGEST else self.salvage(line)
        kept = 0 if rows is None else int(rows.lengths.sum())
        self._skip_line(line, kept)
        if self._announced:
            self.tally.bad_frames += 1
            if lost:
                self.lose(lost, events)
        if rows is not None:
            self.accept(rows, events)

    def lose(self, n: int, events: list[Event]) -> None:
        """Count samples that a damaged line lost."""
        self.tally.lose(self._index, self._index + n)
        events.append(Gap(self._index, self._index + n))
        self._index += n

    def _skip_line(self, line: bytes, kept: int = 0) -> None:
        self._skip(len(line) - kept)
        if len(line) > LONGEST:
            self._skip(self._excess)
            self._excess = 0

    def _skip(self, n: int) -> None:
        self.tally.skipped_bytes += n
        self._bytes += n

    def _convert(self, rows: Rows) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Counts (`nothing` where there is none), mV (the last value held there) and validity."""
        lsb = np.array([c.lsb_mv for c in self.info.channels])
        zero = np.array([c.offset for c in self.info.channels])
        limit = np.iinfo(np.int32)
        with np.errstate(over="ignore"):  # what is too large is not valid
            values = np.where(rows.off, np.nan, rows.values) / np.array([c.per_count for c in self.info.channels])
            scaled = (values - zero) * lsb
        valid = np.where(np.isnan(lsb), np.isfinite(values), np.abs(scaled) <= np.finfo(np.float32).max)
        counts = np.rint(np.clip(np.where(valid, values, self.nothing), limit.min, limit.max)).astype(np.int32)
        mv = np.where(valid, scaled, 0).astype(np.float32)
        before = np.zeros(len(lsb), np.float32) if self._last is None else self._last
        held = np.vstack((before, mv))
        source = np.where(valid, np.arange(1, len(mv) + 1)[:, None], 0)
        mv = np.take_along_axis(held, np.maximum.accumulate(source, axis=0), axis=0)
        self._last = mv[-1]
        return counts, mv, valid

    def _masks(self, off: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Electrodes that may be off: all that the channel's lead is made from."""
        bits = [electrode_bits(electrodes_of(lead)) for lead in self.info.leads]
        masks = np.bitwise_or.reduce(np.where(off, np.array(bits, np.int64), 0), axis=1)
        return np.asarray(masks, np.int64)
