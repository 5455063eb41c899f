"""Text as the Arduino plotter takes it: ``[label:]value`` parts a line, separated by space, tab or comma."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import Channel, Event
from ecg_edge.firmware_bridge.framing.framed_decoder import stream_info
from ecg_edge.firmware_bridge.framing.text_lines import LONGEST, Rows, TextDecoder
from ecg_edge.firmware_bridge.lead_names import lead_name

_NUMBER = rb"(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[nN][aA][nN]|!)"
_LABEL = rb"[^\s,:]+"
_PART = re.compile(rb"(?:(" + _LABEL + rb"):)?(" + _NUMBER + rb")")
_SPLIT = re.compile(rb"[ \t,]+")
_END = re.compile(rb"\r?\n\Z")
_TAG = re.compile(_LABEL + rb":")
_MOST = 32
"""Channels of a line, at most."""

Shape = tuple[bytes, ...]


def shape_of(line: bytes) -> Shape | None:
    """Label of each value of a line (empty where it has none); None where it is no line of values."""
    parts = [_PART.fullmatch(word) for word in _words(line)]
    if not parts or len(parts) > _MOST:
        return None
    labels = [b"" if part is None else part[1] or b"" for part in parts]
    if any(part is None for part in parts) or any(label.isdigit() for label in labels):
        return None
    return tuple(labels)


def _words(line: bytes) -> list[bytes]:
    return [word for word in _SPLIT.split(_END.sub(b"", line)) if word]


@dataclass(frozen=True)
class _Settings:
    leads: Sequence[str] | None
    gain: float | None
    fs: Fraction

    def channels(self, names: Sequence[str]) -> list[Channel]:
        """One channel for each name; mV as written, or counts of a 10-bit 5 V converter behind a gain."""
        if self.gain is None:
            return [Channel(name, 1.0) for name in names]
        return [Channel(name, 5000 / 1024 / self.gain, 512, bits=10) for name in names]


class Plotter(TextDecoder):
    """Decoder of plotter text: two lines of one shape in a row say what the channels are."""

    def __init__(self, settings: _Settings) -> None:
        super().__init__(stream_info("plotter", settings.fs, settings.channels(["I"]), (settings.leads or ())[:1]))
        self._settings = settings
        self._head: list[bytes] = []
        self._header: list[bytes] = []
        self._fresh = True
        self._pattern = re.compile(rb"(?!)")
        self._columns = 1

    @property
    def buffered(self) -> int:
        """Bytes kept for later: bounded, whatever is fed."""
        return super().buffered + sum(map(len, self._head))

    def good(self) -> re.Pattern[bytes]:
        """Pattern of a run of good lines."""
        return self._pattern

    def lines(self, text: bytes, events: list[Event]) -> None:
        """As `TextDecoder.lines`; until the channels are known, lines wait for one of their own shape."""
        while not self._announced and text:
            stop = text.index(b"\n") + 1
            line, text = text[:stop], text[stop:]
            before = self._head[0] if self._head else b""
            self._head = []
            if stop > LONGEST:
                self._fresh = False
                self._pass(before)
                self.drop(line)
            elif before and shape_of(before) == shape_of(line) is not None:
                self._settle(shape_of(line) or ())
                if self._fresh and not any(shape_of(line) or ()) and len(before) < len(line):
                    self.drop(before)  # the rest of a line that began before we listened
                    before = b""
                text = before + line + text
                break
            else:
                self._pass(before)
                self._head = [line]
        if text:
            super().lines(text, events)

    def close(self) -> list[Event]:
        """End of stream."""
        for line in self._head:
            self.drop(line)
        self._head = []
        return super().close()

    def read(self, run: bytes) -> Rows:
        """Read a run of good lines."""
        words = np.array(_words(_TAG.sub(b"", run).replace(b"\r", b" ").replace(b"\n", b" ")))
        off = words == b"!"
        values = np.where(off, b"nan", words).astype(np.float64)
        lengths = np.array([len(line) + 1 for line in run.split(b"\n")[:-1]], np.int64)
        return Rows(values.reshape(-1, self._columns), off.reshape(-1, self._columns), lengths)

    def salvage(self, line: bytes) -> tuple[int, Rows | None]:
        """Read a lone ``!``: all leads are off."""
        if line.strip() != b"!":
            return 1, None
        nothing = np.full((1, self._columns), np.nan)
        return 0, Rows(nothing, np.isnan(nothing), np.array([len(line)], np.int64))

    def _pass(self, line: bytes) -> None:
        """Pass over a line before the stream; one of labels alone may name the columns."""
        if not line:
            return
        self._fresh = False
        self.drop(line)
        words = _words(line)
        if words and all(re.fullmatch(_LABEL, word) and not _PART.fullmatch(word) for word in words):
            self._header = words

    def _settle(self, shape: Shape) -> None:
        """Fix the channels."""
        labels = list(shape)
        if not any(labels) and len(self._header) == len(labels):
            labels = self._header
        names = _names(labels)
        wanted = self._settings.leads or ()
        if len(wanted) > len(names):
            raise UsageError(
                f"the text has {len(names)} value(s) a line, but {len(wanted)} leads are named",
                f"--leads with at most {len(names)} name(s)",
            )
        self.info = stream_info("plotter", self._settings.fs, self._settings.channels(names), wanted)
        self._columns = len(names)
        parts = [(re.escape(label) + b":" if label else b"") + _NUMBER for label in shape]
        self._pattern = re.compile(rb"(?:[ \t,]*" + rb"[ \t,]+".join(parts) + rb"[ \t,]*\r?\n)+")


def _names(labels: Sequence[bytes]) -> list[str]:
    """Channel names: leads in their canonical spelling, other labels as written, each once."""
    names: list[str] = []
    for k, label in enumerate(labels):
        text = label.decode("utf-8", "replace")
        try:
            name = lead_name(text)
        except UsageError:
            name = text or ("I" if k == 0 else f"ch{k + 1}")
        names.append(f"ch{k + 1}" if name in names else name)
    return names


def plotter(leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None) -> Plotter:
    """Decode plotter text.

    Parameters
    ----------
    leads : sequence of str, optional
        Lead of each column; labels that are leads say it themselves.
    gain : float, optional
        Gain before a 10-bit converter of 5 V: ``mV = (value * 5000 / 1024 - 2500) / gain``.
        Without it the values are mV.
    fs : Fraction, optional
        Rate of the sketch, 250 Hz by default: the text does not say it.

    Notes
    -----
    ``nan`` and ``!`` (lead off) make a value invalid. A line that is not of the stream's shape is
    counted bad and its sample lost. Counts are the values rounded, -1 where there is none.
    """
    return Plotter(_Settings(leads, gain, fs or Fraction(250)))
