"""AD8232 with SparkFun's sketch: one number 0 to 1023 a line, ``!`` while a lead is off.

There is no sample clock: at 9600 baud the UART sets the pace. A line of four digits takes 6.25 ms, one of two 4.17 ms.
What is exact is the count of bytes: it is given as device time, 960 ticks a second.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ecg_edge.firmware_bridge.events import Channel, Event, StreamInfo
from ecg_edge.firmware_bridge.framing.framed_decoder import stream_info
from ecg_edge.firmware_bridge.framing.text_lines import Rows, TextDecoder
from ecg_edge.firmware_bridge.lead_names import electrode_bits, electrodes_of

BYTE_HZ = Fraction(960)
"""Bytes a second at 9600 baud, 8N1."""

_VALUE = rb"(?:102[0-3]|10[01]\d|[1-9]\d{1,2}|\d|!)"
_GOOD = re.compile(rb"(?:" + _VALUE + rb"\r\n)+")
_TAIL = re.compile(rb"[^\d\r\n](" + _VALUE + rb"\r\n)\Z")
_CUT = re.compile(rb"[^\r\n]*\r[^\d!]?")


class Ad8232(TextDecoder):
    """Decoder of the sketch's lines."""

    def __init__(self, info: StreamInfo) -> None:
        super().__init__(info)
        self._head = b""
        self._begun = False
        self._digits = 0

    def good(self) -> re.Pattern[bytes]:
        """Pattern of a run of good lines."""
        return _GOOD

    def lines(self, text: bytes, events: list[Event]) -> None:
        """As `TextDecoder.lines`; the first line waits for the second, which shows whether it is whole."""
        if not self._begun:
            text = self._head = self._head + text
            if text.count(b"\n") < 2:
                return
            self._head, self._begun = b"", True
            first, second = (line + b"\n" for line in text.split(b"\n", 2)[:2])
            if len(first) < len(second) and first != b"!\r\n" and _GOOD.fullmatch(second):
                self.drop(first)
                text = text[len(first) :]
        super().lines(text, events)

    def close(self) -> list[Event]:
        """End of stream; a single line is taken as it is."""
        events: list[Event] = []
        if self._head:
            self._begun = True
            super().lines(self._head, events)
        return events + super().close()

    def read(self, run: bytes) -> Rows:
        """Read a run of good lines."""
        words = np.array(run.split())
        off = words == b"!"
        values = np.where(off, b"-1", words).astype(np.float64)
        sizes = np.char.str_len(words).astype(np.int64)
        self._digits = 0 if off[-1] else int(sizes[-1])
        return Rows(values[:, None], off[:, None], sizes + 2)

    def salvage(self, line: bytes) -> tuple[int, Rows | None]:
        """Read on behind a CR whose LF is wrong or missing, or behind garbage before a whole number.

        A number behind garbage is whole if it has as many digits as the one before it, three at least. A longer one
        that lost its front would begin with 0, as no number here does.
        """
        cut = _CUT.match(line)
        if cut is not None and _GOOD.fullmatch(line, cut.end()):
            return 1, self.read(line[cut.end() :])
        tail = _TAIL.search(line)
        if tail is not None and len(tail[1]) - 2 == self._digits >= 3:
            return 0, self.read(tail[1])
        return 1, None


def ad8232(leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None) -> Ad8232:
    """Decode SparkFun's AD8232 sketch: ``mV = (count * 3300 / 1024 - 1650) / gain``, gain 1100.

    Parameters
    ----------
    leads : sequence of str, optional
        I (default) or II, as the electrodes lie.
    gain : float, optional
        Gain of the board.
    fs : Fraction, optional
        Rate of a sketch that keeps one (by `delay` at a faster baud rate): then no device time is given. Without it
        `StreamInfo.fs` is the mean rate of three-digit lines, 192 Hz, and blocks carry the time. Rows of a block are
        equally far apart, by their lines' length.

    Notes
    -----
    Counts are -1 where a lead is off; which electrode it is the sketch does not say.
    """
    channel = Channel("I", 3300 / 1024 / (gain or 1100), 512, bits=10, highpass_hz=0.5, lowpass_hz=40)
    info = stream_info("ad8232", fs or BYTE_HZ / 5, [channel], leads)
    info = replace(info, sensed=electrode_bits(electrodes_of(info.leads[0])))
    return Ad8232(info if fs else replace(info, tick_hz=BYTE_HZ))
