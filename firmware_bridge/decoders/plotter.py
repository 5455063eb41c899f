"""Text as the Arduino plotter takes it: ``[label:]value`` parts a line, separated by space, tab, comma or semicolon."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ecg_edge.firmware_bridge.array_types import BoolArray, FloatArray
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import NO_VALUE, Channel, Event
from ecg_edge.firmware_bridge.framing.framed_decoder import NOT_A_VOLTAGE, stream_info
from ecg_edge.firmware_bridge.framing.text_columns import Named, named, settled, undecided
from ecg_edge.firmware_bridge.framing.text_dialect import Dialect, Shape, dialect_of, undressed
from ecg_edge.firmware_bridge.framing.text_lines import LONGEST, Rows, TextDecoder

STEP_MV = 1e-4
"""Millivolts of a count where the text has millivolts: finer than any of them is written."""
_FINE_TO_MV = 20_000.0
"""Beyond it steps are coarser: a converter's counts of 24 bits, printed as they are, fit 32 bits."""
_MOST_COUNTS = 2.0**32
_SURE = 256
"""Lines that are looked at where no word says which column is which: a second, in which a heart beats."""
_LIVE = 16
"""Lines of one shape that a run waits for: a few numbers at boot are no stream."""
_SURE_S = 1.5
"""No longer than that, whatever the rate."""
_TIMED_S = 1.0
"""So long lines arrive before their rate is taken from it."""
_LATEST, _LATEST_S = 1024, 4.0
"""Where several columns could be the ECG, a beat is waited for: lines and seconds, at most."""
_ANOTHER = 64
"""Lines of one other shape in a row by which the first one was a mistake."""
_ENDS = re.compile(rb"[\r\n]+")
_BLANK = b" \t\0\r\n"
_WORD = re.compile(rb"[^\x00-\x20,:;=]*[A-Za-z#\x80-\xff][^,:;=]*")


@dataclass(frozen=True)
class _Settings:
    leads: Sequence[str] | None
    gain: float | None
    fs: Fraction
    patient: bool = False

    def channel(self, column: Named, largest: float = 0.0) -> Channel:
        """MV as written, or counts of a 10-bit 5 V converter behind a gain; `largest` is the largest number so far."""
        if not column.volts:
            return Channel(column.name, NOT_A_VOLTAGE, bits=32)
        if self.gain is None:
            step = STEP_MV * 10.0 ** max(0, math.ceil(math.log10(max(1.0, largest * column.mv / _FINE_TO_MV))))
            return Channel(column.name, step, bits=32, per_count=step / column.mv)
        return Channel(column.name, 5000 / 1024 / self.gain, 512, bits=10)


class Plotter(TextDecoder):
    """Decoder of plotter text: the first lines of one shape say what the channels are."""

    def __init__(self, settings: _Settings) -> None:
        only = settings.channel(Named("I"))
        super().__init__(stream_info("plotter", settings.fs, [only], (settings.leads or ())[:1]))
        self._settings = settings
        self.nothing = NO_VALUE if settings.gain is None else -1
        self._dialect = Dialect()
        self._shape: Shape = ()
        self._held: list[bytes] = []
        self._alike = 0  # of those held, how many have the shape of the first
        self._least = _LIVE if settings.patient else 2
        self._since = 0.0
        self._look_at = 0  # lines that are held when the columns are looked at again
        self._header: list[bytes] = []
        self._fresh = self._ended = True
        self._pattern = re.compile(rb"(?!)")
        self._other: tuple[Shape | None, list[bytes]] = None, []

    @property
    def buffered(self) -> int:
        """Bytes kept for later: bounded, whatever is fed."""
        return super().buffered + sum(map(len, self._held)) + sum(map(len, self._other[1]))

    def feed(self, data: bytes, arrival: float = 0.0) -> list[Event]:
        """As `TextDecoder.feed`; a CR ends a line as an LF does, and empty lines are nothing."""
        data = _ENDS.sub(b"\n", data)
        data = data[self._ended and data.startswith(b"\n") :]
        self._ended = data.endswith(b"\n") if data else self._ended
        return super().feed(data, arrival)

    def good(self) -> re.Pattern[bytes]:
        """Pattern of a run of good lines."""
        return self._pattern

    def lines(self, text: bytes, events: list[Event]) -> None:
        """As `TextDecoder.lines`; until the channels are known, lines wait for others of their shape."""
        text = undressed(text, LONGEST)
        while not self._announced and text:
            stop = text.index(b"\n") + 1
            line, text = text[:stop], text[stop:]
            self._meet(line)
            if self._enough():
                self._settle(events)
        if text:
            super().lines(text, events)

    def close(self) -> list[Event]:
        """End of stream: two lines of one shape are enough now."""
        events: list[Event] = []
        if not self._announced and self._alike > 1:
            self._settle(events)
        for line in self._held:
            self.drop(line)
        self._held, self._other = [], (None, [])
        return events + super().close()

    def read(self, run: bytes) -> Rows:
        """Read a run of good lines."""
        values, off = _values(self._dialect.numbers(run, self._shape), self._shape)
        lengths = np.zeros(len(values), np.int64)
        lengths[0] = len(run)  # this text has no clock that would count the bytes of each line
        return Rows(values, off, lengths)

    def salvage(self, line: bytes) -> tuple[int, Rows | None]:
        """Read a lone ``!``: all leads are off."""
        if line.strip(_BLANK) != b"!":
            return 1, None
        nothing = np.full((1, len(self._shape)), np.nan)
        return 0, Rows(nothing, np.isnan(nothing), np.array([len(line)], np.int64))

    def accept(self, rows: Rows, events: list[Event]) -> None:
        """As `TextDecoder.accept`."""
        self._other = None, []
        super().accept(rows, events)

    def damaged(self, line: bytes, events: list[Event]) -> None:
        """As `TextDecoder.damaged`; many such lines of one other shape are the stream's true one."""
        if not line.strip(_BLANK):
            self.drop(line)
            return
        super().damaged(line, events)
        shape = None if len(line) > LONGEST else Dialect().shape(line)
        before = self._other[1] if shape == self._other[0] else []
        self._other = shape, [*before, line] if shape else []
        if shape and len(self._other[1]) >= _ANOTHER:
            self._dialect, self._shape, self._held, self._since = Dialect(), shape, self._other[1], self._arrival
            self._settle(events)

    def _meet(self, line: bytes) -> None:
        """Take a line before the channels are known."""
        if not line.strip(_BLANK):
            self.drop(line)
            return
        shape = None if len(line) > LONGEST else self._dialect.shape(line)
        alike = bool(self._held) and shape == self._shape
        twice = shape is not None and bool(self._held) and shape == self._dialect.shape(self._held[-1])
        if alike or (self._alike >= self._least and not twice and len(self._held) < 2 * _LATEST):
            self._alike += alike  # a damaged line among many waits with them
            self._held.append(line)
        else:
            self._begin_with(line, shape)

    def _begin_with(self, line: bytes, shape: Shape | None) -> None:
        for before in self._held:
            self._pass(before)
        self._held, self._alike = [], 0
        if shape is None:
            self._pass(line)
            return
        self._held, self._alike, self._shape, self._since, self._look_at = [line], 1, shape, self._arrival, 0

    def _enough(self) -> bool:
        if self._alike < self._least:
            return False
        if self._settings.leads or settled(self._shape, self._header):
            return True
        waited = self._arrival - self._since
        if self._alike < _SURE and not (self._alike >= _LIVE and waited >= _SURE_S):
            return False
        return self._alike >= _LATEST or waited >= _LATEST_S or not self._undecided()

    def _undecided(self) -> bool:
        """Whether another beat may decide; looked at every 64 lines."""
        if self._alike < self._look_at:
            return True
        self._look_at = self._alike + 64
        _, _, shape, values = self._whole()
        return undecided(shape, self._header, values, self._rough_hz)

    @property
    def _rough_hz(self) -> float:
        """Rate at which the lines held arrived, or that of the sketch where they are too few."""
        waited = self._arrival - self._since
        return self._alike / waited if waited >= _TIMED_S else float(self._settings.fs)

    def _whole(self) -> tuple[list[bytes], Dialect, Shape, FloatArray]:
        """The lines held that are of the shape, the dialect they show, the shape in it, and their numbers."""
        whole = [line for line in self._held if self._dialect.shape(line) == self._shape]
        dialect = dialect_of(whole)
        shape = dialect.shape(whole[0]) or ()
        return whole, dialect, shape, _values(dialect.numbers(b"".join(whole), shape), shape)[0]

    def _pass(self, line: bytes) -> None:
        """Pass over a line before the stream; one of words alone may name the columns."""
        self._fresh = False
        self.drop(line)
        for cut in (rb"[,;\t]", rb"[\s,;]+"):
            words = [word.strip() for word in re.split(cut, line.strip(b"\0\r\n")) if word.strip()]
            if words and all(_WORD.fullmatch(word) for word in words):
                self._header = words
                if len(words) > 1:
                    return

    def _settle(self, events: list[Event]) -> None:
        """Fix the channels, and take the lines that waited."""
        whole, self._dialect, self._shape, values = self._whole()
        columns = named(self._shape, self._header, None if self._settings.leads else values, self._rough_hz)
        held, self._held, self._alike = self._held, [], 0
        self._pattern = self._dialect.lines_of(self._shape)
        wanted = self._settings.leads or ()
        if len(wanted) > len(columns):
            raise UsageError(
                f"the text has {len(columns)} value(s) a line, but {len(wanted)} leads are named",
                f"leads (--leads) with at most {len(columns)} name(s)",
            )
        self.info = stream_info(
            "plotter", self._settings.fs, list(map(self._settings.channel, columns, _largest(values))), wanted
        )
        self._announced, again, self._last = False, self._announced, None
        if self._fresh and not again and not any(c.label for c in self._shape) and len(whole[0]) < len(whole[1]):
            self.drop(held.pop(0))  # the rest of a line that began before we listened
        super().lines(b"".join(held), events)


def _values(words: Sequence[bytes], shape: Shape) -> tuple[FloatArray, BoolArray]:
    """Numbers of whole lines, NaN where there is none, and where they say that a lead is off."""
    written = np.array(words)
    off = written == b"!"
    values = np.where(off | np.isin(written, (b"ovf", b"null")), b"nan", written).astype(np.float64)
    return values.reshape(-1, len(shape)), off.reshape(-1, len(shape))


def _largest(values: FloatArray) -> list[float]:
    """The largest magnitude of each column, without what no converter sends."""
    size = np.abs(values)
    return [float(x) for x in np.where(size <= _MOST_COUNTS, size, 0.0).max(axis=0)]


def plotter(
    leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None, *, patient: bool = False
) -> Plotter:
    """Decode plotter text.

    Parameters
    ----------
    leads : sequence of str, optional
        Lead of each column that can be one; ``-`` skips a column. Labels that are leads say it themselves.
    gain : float, optional
        Gain before a 10-bit converter of 5 V: ``mV = (value * 5000 / 1024 - 2500) / gain``.
        Without it the values are mV, or what their unit says.
    fs : Fraction, optional
        Rate of the sketch, 250 Hz by default: the text does not say it.
    patient : bool
        For a run: wait for `_LIVE` lines of one shape before the channels are fixed.

    Notes
    -----
    ``nan``, ``inf``, ``ovf`` and ``!`` (lead off) make a value invalid. A line that is not of the stream's shape is
    counted bad and its sample lost; an empty line is neither. Counts are 0.1 µV, or with a gain the
    values rounded; where there is none they are `NO_VALUE`, with a gain -1. Columns that count or tell
    the time are no leads (`text_columns.named`).
    """
    return Plotter(_Settings(leads, gain, fs or Fraction(250), patient))


def patient_plotter(
    leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None
) -> Plotter:
    """As `plotter`, for a run."""
    return plotter(leads, gain, fs, patient=True)
