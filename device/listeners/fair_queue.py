"""Who is served next where more clients wait than can be served: fair among their addresses."""

from __future__ import annotations

import itertools
import socket
import time
from bisect import insort
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

HEAD_START = 32
"""Connections by which an address that has proved itself is ahead: a page and its files."""
HALF_S = 30.0
"""What an address has had counts half after this time."""
_REMEMBERED = 4096
_KNOWN = 256
T = TypeVar("T")


class FairQueue(Generic[T]):
    """Serves first whose address has had least lately, and refuses first whose address has had most.

    A client's rank is what its address has been served lately, plus those of the same address that wait before it.
    So an address not seen lately is served at once, however many others wait, and one address has first in, first out.

    Parameters
    ----------
    now : callable
        Seconds of a clock that never goes back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._line: list[tuple[float, int, str, T]] = []
        self._waiting: Counter[str] = Counter()
        self._served: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._turn = itertools.count()

    def __len__(self) -> int:
        return len(self._line)

    def join(self, address: str, client: T) -> None:
        """Queue a client."""
        rank = self.lately(address) + self._waiting[address] - (HEAD_START if self.knows(address) else 0)
        insort(self._line, (rank, next(self._turn), address, client))
        self._waiting[address] += 1

    def refuse(self) -> T:
        """Take who would be served last.

        Raises
        ------
        IndexError
            Nobody waits.
        """
        return self._leave(-1)[1]

    def serve(self) -> tuple[str, T]:
        """Take who is next, with its address.

        Raises
        ------
        IndexError
            Nobody waits.
        """
        address, client = self._leave(0)
        self._served[address] = self.lately(address) + 1, self._now()
        self._served.move_to_end(address)
        if len(self._served) > _REMEMBERED:
            self._served.popitem(last=False)
        return address, client

    def lately(self, address: str) -> float:
        """How many of this address have been served; each counts half after `HALF_S`."""
        if address not in self._served:
            return 0.0
        count, at = self._served[address]
        return count * float(0.5 ** ((self._now() - at) / HALF_S))

    def trust(self, address: str) -> None:
        """Remember an address that has proved itself; of very many, the oldest is forgotten."""
        self._known[address] = None
        self._known.move_to_end(address)
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)

    def knows(self, address: str) -> bool:
        """Whether an address has proved itself."""
        return address in self._known

    def _leave(self, place: int) -> tuple[str, T]:
        _, _, address, client = self._line.pop(place)
        self._waiting[address] -= 1
        if not self._waiting[address]:
            del self._waiting[address]
        return address, client


def neighbourhood(address: str) -> str:
    """A host's address; of IPv6 the /64 it may choose its address from."""
    if ":" not in address:
        return address
    try:
        prefix = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])[:8]
    except OSError:
        return address
    return f"{prefix.hex(':', 2)}::/64"
