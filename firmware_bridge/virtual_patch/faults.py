"""What can go wrong on a link, on purpose and repeatable, and the record of what really did."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from ecg_edge.firmware_bridge.errors import UsageError

_CHANCES = ("drop", "corrupt", "dup")
_TIMES = ("stall", "unplug", "leadoff")
_PPM = "clock"
_MOST_PPM = 10_000
_HELP = "for example --fault drop=1%,corrupt=0.1%,dup=1%,stall=10/2,unplug=30/5/3,leadoff=60/5,clock=200"
DUPLICATED, LEAD_OFF = "dup", "leadoff"
_ARRIVED = (DUPLICATED, LEAD_OFF)
UNREAD = ("no_reader", "stopped")
"""Kinds of samples that were not sent, because nobody wanted them."""


@dataclass(frozen=True)
class Faults:
    """What is to go wrong.

    Attributes
    ----------
    drop, corrupt, dup : float
        Chance of each sample frame to be lost, to have bytes changed, to be sent twice.
    stall : tuple of float or None
        (T, D): every T seconds nothing is sent for D seconds, then all at once.
    unplug : tuple of float or None
        (T, D): T seconds after the first sample the link hangs up for D seconds; again after each T more
        until it was `unplugs` times.
    unplugs : int
        How often.
    leadoff : tuple of float or None
        (T, D): every T seconds electrode LA is off for D seconds.
    clock : float
        By how many parts per million the device's clock is fast.
    """

    drop: float = 0.0
    corrupt: float = 0.0
    dup: float = 0.0
    stall: tuple[float, float] | None = None
    unplug: tuple[float, float] | None = None
    unplugs: int = 1
    leadoff: tuple[float, float] | None = None
    clock: float = 0.0

    def stalled(self, t: float) -> bool:
        """Whether nothing is sent `t` seconds after the first sample."""
        return self.stall is not None and t >= self.stall[0] and t % self.stall[0] < self.stall[1]

    def unplugged(self, t: float) -> bool:
        """Whether the link is down `t` seconds after the first sample."""
        return (
            self.unplug is not None and 1 <= t // self.unplug[0] <= self.unplugs and t % self.unplug[0] < self.unplug[1]
        )

    def electrode_off(self, t: float) -> bool:
        """Whether LA is off `t` seconds after the first sample."""
        return self.leadoff is not None and t >= self.leadoff[0] and t % self.leadoff[0] < self.leadoff[1]


def parse_faults(text: str) -> Faults:
    """Parse ``"drop=1%,stall=10/2"``.

    Parameters
    ----------
    text : str
        ``drop``, ``corrupt`` and ``dup`` take a chance per frame (``1%`` or ``0.01``). ``stall``, ``unplug`` and
        ``leadoff`` take ``T/D`` in seconds (``10/2``, ``10s/500ms``), ``unplug`` also ``T/D/N``: N times. ``clock``
        takes parts per million.

    Raises
    ------
    UsageError
        An unknown fault, one named twice, or a value out of range.
    """
    values: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, value = part.partition("=")
        if name not in (*_CHANCES, *_TIMES, _PPM):
            raise UsageError(f"unknown fault {name!r}", f"use {', '.join((*_CHANCES, *_TIMES, _PPM))}; {_HELP}")
        if name in values:
            raise UsageError(f"fault {name} named twice", _HELP)
        if name == "unplug" and value.count("/") == 2:
            value, _, times = value.rpartition("/")
            values["unplugs"] = _often(part, times)
        if name == _PPM:
            values[name] = _ppm(part, value)
        else:
            values[name] = _chance(part, value) if name in _CHANCES else _times(part, value)
    return Faults(**values)


class FaultDice:
    """Decide the fate of each frame; the same seed gives the same fates.

    Each fault has a generator of its own, so that adding one fault does not move the others.
    """

    def __init__(self, faults: Faults, seed: int = 0) -> None:
        self._chances = [(name, getattr(faults, name), random.Random(f"{seed}:{name}")) for name in _CHANCES]
        self._where = random.Random(f"{seed}:where")

    def fate(self) -> str:
        """Return what happens to the next frame: ``"drop"``, ``"corrupt"``, ``"dup"`` or nothing."""
        hit = [name for name, chance, rng in self._chances if rng.random() < chance]
        return hit[0] if hit else ""

    def damage(self, wire: bytes) -> bytes:
        """Return a frame with one to three bytes changed; the byte that ends it stays."""
        out = bytearray(wire)
        for at in self._where.sample(range(len(out) - 1), min(self._where.randint(1, 3), len(out) - 1)):
            out[at] ^= self._where.randint(1, 255)
        return bytes(out)


@dataclass
class FaultLog:
    """The truth a receiver's account is held against, in device sample indices.

    Attributes
    ----------
    ranges : list of (kind, start, stop)
        Half-open; kinds are ``drop``, ``corrupt``, ``dup``, ``unplug``, ``full`` (no room on
        the link), ``no_reader`` (nobody was listening) and ``stopped`` (between STOP and START).
    """

    ranges: list[tuple[str, int, int]] = field(default_factory=list)

    def add(self, kind: str, start: int, stop: int) -> None:
        """Note a range, joining it to the one before if they touch."""
        if stop <= start:
            return
        if self.ranges and self.ranges[-1][0] == kind and self.ranges[-1][2] == start:
            start = self.ranges.pop()[1]
        self.ranges.append((kind, start, stop))

    def lost(self) -> list[tuple[int, int]]:
        """Return the ranges that did not reach the wire whole, sorted and joined."""
        joined: list[tuple[int, int]] = []
        for start, stop in sorted((a, b) for kind, a, b in self.ranges if kind not in _ARRIVED):
            if joined and start <= joined[-1][1]:
                start, before = joined.pop()
                stop = max(stop, before)
            joined.append((start, stop))
        return joined

    def lost_between(self, first: int, stop: int) -> list[tuple[int, int]]:
        """Return the lost ranges inside ``[first, stop)`` as a receiver counts that began at `first`."""
        cut = ((max(a, first) - first, min(b, stop) - first) for a, b in self.lost())
        return [(a, b) for a, b in cut if a < b]

    def count(self, kind: str) -> int:
        """Return the samples of a kind."""
        return sum(b - a for k, a, b in self.ranges if k == kind)

    def document(self) -> dict[str, Any]:
        """Return the log as JSON."""
        kinds = sorted({kind for kind, _, _ in self.ranges})
        return {
            "lost": [list(span) for span in self.lost()],
            "samples_by_kind": {kind: self.count(kind) for kind in kinds},
            "events": [{"kind": k, "start": a, "stop": b} for k, a, b in self.ranges],
        }


def _chance(part: str, value: str) -> float:
    percent = value.endswith("%")
    try:
        chance = float(value.removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        chance = -1.0
    if not 0 <= chance <= 1:
        raise UsageError(f"bad fault {part!r}", f"give a chance from 0 to 100 %; {_HELP}")
    return chance


def _often(part: str, value: str) -> int:
    if not value.isdigit() or not 1 <= int(value) <= 100_000:
        raise UsageError(f"bad fault {part!r}", f"give how often as a whole number; {_HELP}")
    return int(value)


def _ppm(part: str, value: str) -> float:
    try:
        ppm = float(value)
    except ValueError:
        ppm = float("nan")
    if not abs(ppm) <= _MOST_PPM:
        raise UsageError(f"bad fault {part!r}", f"give parts per million; {_HELP}")
    return ppm


def _times(part: str, value: str) -> tuple[float, float]:
    first, _, second = value.partition("/")
    at, long = _seconds(first), _seconds(second)
    if not (at > 0 and long > 0):
        raise UsageError(f"bad fault {part!r}", f"give two times in seconds, T/D; {_HELP}")
    if long >= at and not part.startswith("unplug="):
        raise UsageError(f"bad fault {part!r}", "it must be shorter than the time between two of them")
    return at, long


def _seconds(text: str) -> float:
    scale = 1e-3 if text.endswith("ms") else 1.0
    try:
        value = float(text.removesuffix("ms" if scale < 1 else "s")) * scale
    except ValueError:
        return -1.0
    return value if value < 1e9 else -1.0
