"""A recording as one WFDB record after another: a new one after a fixed number of samples, none lost between."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_edge.device.lead_block import LONG_GAP_S
from ecg_edge.device.recording.wfdb_writer import WfdbWriter
from ecg_edge.firmware_bridge.errors import UsageError

_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_UNITS_B = {"kb": 10**3, "mb": 10**6, "gb": 10**9}
_LEAST_S = 10


def parse_rotation(text: str, bytes_per_s: float) -> float:
    """Seconds of ``10min``, ``1h`` or ``500MB``.

    Raises
    ------
    UsageError
        Neither, or less than ten seconds.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]+)", text.strip())
    unit = found[2].lower() if found else ""
    seconds = 0.0
    if found and unit in _UNITS_S:
        seconds = float(found[1]) * _UNITS_S[unit]
    elif found and unit in _UNITS_B:
        seconds = float(found[1]) * _UNITS_B[unit] / bytes_per_s
    if seconds < _LEAST_S:
        raise UsageError(
            f"--rotate {text} is no length of a recording", f"write 1h, 10min or 500MB: {_LEAST_S} s or more"
        )
    return seconds


class RollingRecord:
    """Takes one axis of samples and writes it to records of a given length.

    Parameters
    ----------
    make : callable
        Makes the record that begins at a time.
    started : datetime
        Of sample 0.
    fs : Fraction
        Rate in Hz.
    every_s : float, optional
        Length of a record; without it there is one.
    longest_s : float
        A gap that is longer begins a new record.

    Attributes
    ----------
    n_samples : int
        On the whole axis.
    """

    def __init__(
        self,
        make: Callable[[datetime], WfdbWriter],
        started: datetime,
        fs: Fraction,
        every_s: float | None = None,
        longest_s: float = LONG_GAP_S,
    ) -> None:
        self._make, self._started, self._fs = make, started, fs
        self._every = None if every_s is None else max(1, round(every_s * fs))
        self._longest = longest_s * fs
        self._base = self.n_samples = 0
        self._record = make(started)

    @property
    def path(self) -> Path:
        """Of the newest record, without extension."""
        return self._record.path

    def append(self, counts: npt.NDArray[np.integer], valid: npt.NDArray[np.bool_]) -> None:
        """Append samples; see `WfdbWriter.append`."""
        at = 0
        while at < len(counts):
            n = min(len(counts) - at, self._room())
            self._record.append(counts[at : at + n], valid[at : at + n])
            at += n
            self.n_samples += n

    def skip(self, n: int) -> None:
        """Append `n` invalid samples; over a long gap go on in a new record instead, which costs no rows."""
        if n > self._longest:
            self._renew(self.n_samples + n, f": {float(n / self._fs):.3f} s are missing")
            n = 0
        while n > 0:
            part = min(n, self._room())
            self._record.skip(part)
            self.n_samples += part
            n -= part

    def redate(self, started: datetime) -> None:
        """Mend the time of sample 0: of the newest record and of all that follow."""
        self._started = started
        self._record.redate(self._at(self._base))

    def annotate(self, sample: int, text: str) -> None:
        """Add a note at a sample of the axis; one from before the newest record goes to its start."""
        self._record.annotate(max(0, sample - self._base), text)

    def sync(self) -> None:
        """Bring the header up to date."""
        self._record.sync()

    def discard(self) -> None:
        """Remove the files of a record that nothing was written to."""
        self._record.discard()

    def close(self) -> None:
        """End the record."""
        self._record.close()

    def _room(self) -> int:
        """Samples that still go into this record; a new one is begun where there is none."""
        if self._every is None:
            return 1 << 62
        if self.n_samples - self._base >= self._every:
            self._renew(self.n_samples)
        return self._every - (self.n_samples - self._base)

    def _renew(self, index: int, why: str = "") -> None:
        """Go on in a new record, whose first sample is the one of an index of the axis."""
        fresh = self._make(self._at(index))  # first the new one: what cannot be opened leaves the old one whole
        self._record.annotate(self.n_samples - self._base, f"continued in {fresh.path.name}{why}")
        self._record.close()
        fresh.annotate(0, f"continues {self._record.path.name}{why}")
        self._record, self._base, self.n_samples = fresh, index, index

    def _at(self, index: int) -> datetime:
        """Time of a sample; that of the first one where a leap leads beyond the calendar."""
        try:
            return self._started + timedelta(seconds=float(index / self._fs))
        except OverflowError:
            return self._started
