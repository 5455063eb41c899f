"""A listening socket with a bounded number of places, so that no crowd can take the recorder's descriptors."""

from __future__ import annotations

import errno
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

PLACES = 32
"""Connections of one listener, those included that have not greeted yet."""
GREET_S = 5.0
"""Time for the TLS handshake, and again for the request or the token."""
BACKLOG = 8
"""Connections accepted in one turn of the event loop."""
PER_S = 100.0
"""Connections accepted a second at most, and at once: each costs the recording half a millisecond of this process."""
_WAITING = 128
_KEPT = 64
"""Descriptors that no client gets."""


class GuardedSocket(socket.socket):
    """Accepts as long as there is a place; `accept` closes who is one too many.

    Where all places are taken, the oldest client that has not greeted is shut down: one who greets at once always
    finds a way in. Belongs to one thread, as an event loop does.

    Parameters
    ----------
    family : int
        Of the address, as in `socket.socket`.
    places : int
        Connections at one time.
    now : callable
        Seconds of a clock.
    """

    def __init__(
        self, family: int = socket.AF_INET, places: int = PLACES, now: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._places, self._now = places, now
        self._left, self._at, self._rationed = PER_S, now(), False
        self._inside: dict[Guest, bool] = {}
        self._shut = False

    @property
    def guests(self) -> int:
        """Connections that are open now."""
        return len(self._inside)

    def listen(self, backlog: int = 0) -> None:
        """Listen; many may wait at the door, for in a crowd the honest wait, too. `backlog` bounds a turn alone."""
        super().listen(_WAITING)

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept one connection.

        Raises
        ------
        ConnectionAbortedError
            There is no place for it; an event loop goes on to the next.
        BlockingIOError
            Nobody waits.
        OSError
            With ``ENOBUFS``: a second's connections are spent; asyncio asks again after a second.
        """
        if self._shut or not self._may_accept():
            raise BlockingIOError
        accepted, address = super().accept()
        guest = Guest(self, accepted)
        if guest.fileno() > _last_descriptor() or not self._place():
            guest.close()
            raise ConnectionAbortedError("no place is free")
        self._inside[guest] = False
        return guest, address

    def greeted(self, fileno: int) -> None:
        """Keep this client from now on: it has a place until it leaves."""
        for guest in self._inside:
            if guest.fileno() == fileno:
                self._inside[guest] = True

    def shut(self) -> None:
        """Accept nobody from now on. An event loop that is being closed would lose whom it has just accepted."""
        self._shut = True

    def hang_up(self) -> None:
        """End every conversation."""
        for guest in tuple(self._inside):
            guest.hang_up()

    def leave(self, guest: Guest) -> None:
        """Free the place of a client that is closed."""
        self._inside.pop(guest, None)

    def _may_accept(self) -> bool:
        """Whether a second's connections are not spent yet; the first refusal pauses the event loop's accepting."""
        now = self._now()
        self._left, self._at = min(PER_S, self._left + PER_S * (now - self._at)), now
        if self._left < 1:
            if self._rationed:
                return False
            self._rationed = True
            raise OSError(errno.ENOBUFS, "too many connections a second")
        self._left, self._rationed = self._left - 1, False
        return True

    def _place(self) -> bool:
        if len(self._inside) < self._places:
            return True
        silent = next((guest for guest, greeted in self._inside.items() if not greeted), None)
        if silent is None or len(self._inside) >= self._places + BACKLOG:
            return False
        self._inside[silent] = True  # it is on its way out and is not asked twice
        silent.hang_up()
        return True


class Guest(socket.socket):
    """One accepted connection; closing it frees its place."""

    def __init__(self, host: GuardedSocket, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        self._host = host

    def __hash__(self) -> int:
        return id(self)

    def hang_up(self) -> None:
        """End the conversation; whoever reads or writes here sees the end and closes."""
        try:
            self.shutdown(socket.SHUT_RDWR)
        except OSError:  # it has gone by itself
            return

    def close(self) -> None:
        """Close, and free the place."""
        self._host.leave(self)
        super().close()


def _last_descriptor() -> int:
    """The highest descriptor number a client may have."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit - min(_KEPT, limit // 4)
