"""Times of samples on a host's clock that run as the samples do: arrival jitters, the samples do not."""

from __future__ import annotations

from collections import deque

_FOLLOW = 5e-4
"""Most that the stamps' clock may differ from nominal, as a share: more than any crystal is off."""
_STEP = 0.5
"""Most that the stamps' clock may go back from block to block, in samples."""
_LATE_S = 0.25
_SUSTAINED_S = 2.0


class SteadyStamps:
    """Stamps are ``index / fs + offset``; they never go back.

    The offset follows the device's clock slowly, so a burst after a stall keeps the times of its samples. Where all
    samples of two seconds are late, the source has lost time of unknown length: the offset jumps ahead by that.

    Parameters
    ----------
    fs : float
        In Hz.
    latency_s : float
        By how much a row is older than its arrival.
    """

    def __init__(self, fs: float, latency_s: float) -> None:
        self._fs, self._latency_s = fs, latency_s
        self._offset: float | None = None
        self._last = 0
        self._late: deque[tuple[float, float]] = deque()

    def stamp(self, index: int, now: float) -> float:
        """Return the time of sample `index`, which has arrived at `now`; indices rise."""
        wanted = now - self._latency_s - index / self._fs
        if self._offset is None:
            self._offset, self._last = wanted, index
        most = _FOLLOW * max(0, index - self._last) / self._fs
        self._last = index
        least = -min(most, _STEP / self._fs)  # a block of many rows must not begin before the last one's end
        self._offset += min(most, max(least, wanted - self._offset))
        self._offset += self._lost_time(now, wanted - self._offset)
        return index / self._fs + self._offset

    def _lost_time(self, now: float, late: float) -> float:
        if late <= _LATE_S:
            self._late.clear()
            return 0.0
        self._late.append((now, late))
        while len(self._late) > 2 and now - self._late[1][0] >= _SUSTAINED_S:
            self._late.popleft()
        if now - self._late[0][0] < _SUSTAINED_S:
            return 0.0
        least = min(late for _, late in self._late)
        self._late.clear()
        return least
