"""A listening socket with a bounded number of places, so that no crowd can take the recorder's descriptors."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from ecg_edge.device.listeners.allowance import Allowance
from ecg_edge.device.listeners.fair_queue import FairQueue, neighbourhood

PLACES = 32
"""Connections of one listener, those included that have not greeted yet."""
GREET_S = 5.0
"""Time for the TLS handshake, and again for the request or the token."""
BACKLOG = 8
"""Connections accepted in one turn of the event loop."""
PER_S, AT_ONCE = 50.0, 32
"""Connections let in a second, and at once: each costs the recording half a millisecond of this process."""
WAITING = 192
"""Connections that wait to be let in."""
_SEEN_PER_S, _SEEN_IN_A_TURN = 1000.0, 32
_REST_S = 0.05
_KEPT = 64
"""Descriptors that no client gets."""


class GuardedSocket(socket.socket):
    """Lets in as long as there is a place, fairly among addresses; closes at once who is too many at the door.

    Where all places are taken, a client that has not greeted is shut down: the oldest of the address that was let in
    most. So one who greets at once finds a way in. Belongs to one event loop: it watches `fileno` and calls `accept`.
    What it watches is a bell: the socket itself is emptied at once, so that nobody waits unseen behind others.

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
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)
        self._places = places
        self._queue: FairQueue[tuple[socket.socket, Any]] = FairQueue(now)
        self._lets_in, self._sees = Allowance(PER_S, AT_ONCE, now), Allowance(_SEEN_PER_S, WAITING, now)
        self._inside: dict[Guest, bool] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._later: asyncio.TimerHandle | None = None
        self._rung = self._shut = False

    @property
    def guests(self) -> int:
        """Connections that are open now."""
        return len(self._inside)

    @property
    def waiting(self) -> int:
        """Connections that wait to be let in."""
        return len(self._queue)

    def fileno(self) -> int:
        """What to watch: it can be read while somebody may be accepted."""
        return self._bell.fileno()

    def listen(self, backlog: int = 0) -> None:
        """Listen; within an event loop, begin to see who comes. `backlog` bounds a turn alone."""
        super().listen(WAITING)
        with contextlib.suppress(RuntimeError):  # no loop runs yet
            self._loop = asyncio.get_running_loop()
            self._watch()

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept who is next.

        Raises
        ------
        ConnectionAbortedError
            There is no place for it; an event loop goes on to the next.
        BlockingIOError
            Nobody waits, or all must wait.
        """
        if self._shut or not self._queue or not self._lets_in.take():
            self._hush()
            self._ring()
            raise BlockingIOError
        address, (accepted, peer) = self._queue.serve()
        guest = Guest(self, accepted, address)
        if not self._place():
            guest.close()
            raise ConnectionAbortedError("no place is free")
        self._inside[guest] = False
        return guest, peer

    def greeted(self, fileno: int) -> None:
        """Keep this client from now on: it has a place until it leaves, and its address is ahead of strangers."""
        for guest in self._inside:
            if guest.fileno() == fileno:
                self._inside[guest] = True
                self._queue.trust(guest.address)

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

    def close(self) -> None:
        """Close, and turn away who waits."""
        self._shut = True
        if self._loop is not None:
            self._loop.remove_reader(super().fileno())
            self._loop = None
        if self._later is not None:
            self._later.cancel()
        while self._queue:
            self._queue.refuse()[0].close()
        for s in (self._bell, self._rope):
            s.close()
        super().close()

    def _watch(self) -> None:
        if self._loop is not None and not self._shut:
            self._loop.add_reader(super().fileno(), self._see)

    def _see(self) -> None:
        """Queue who has come; of too many, the last is closed."""
        for _ in range(_SEEN_IN_A_TURN):
            try:
                accepted, peer = super().accept()
            except (BlockingIOError, InterruptedError):
                break
            except OSError:  # it has gone by itself, or the machine is short of something
                self._rest()
                break
            self._queue.join(neighbourhood(peer[0]) if isinstance(peer, tuple) else "", (accepted, peer))
            if len(self._queue) > WAITING or accepted.fileno() > _last_descriptor():
                self._queue.refuse()[0].close()
            if not self._sees.take():
                self._rest()
                break
        self._ring()

    def _rest(self) -> None:
        """Leave who comes to the kernel for a moment: even to be turned away costs a little."""
        if self._loop is not None:
            self._loop.remove_reader(super().fileno())
            self._loop.call_later(_REST_S, self._watch)

    def _ring(self) -> None:
        """Have the event loop accept: now, or as soon as it may."""
        if self._loop is None or self._shut or self._rung or not self._queue:
            return
        if not (wait := self._lets_in.wait_s()):
            self._rope.send(b".")
            self._rung = True
        elif self._later is None:
            self._later = self._loop.call_later(wait, self._ring_again)

    def _ring_again(self) -> None:
        self._later = None
        self._ring()

    def _hush(self) -> None:
        if self._rung:
            self._bell.recv(1)
            self._rung = False

    def _place(self) -> bool:
        if len(self._inside) < self._places:
            return True
        silent = [guest for guest, greeted in self._inside.items() if not greeted]
        if not silent or len(self._inside) >= self._places + BACKLOG:
            return False
        leaver = max(silent, key=lambda g: (not self._queue.knows(g.address), self._queue.lately(g.address)))
        self._inside[leaver] = True  # it is on its way out and is not asked twice
        leaver.hang_up()
        return True


class Guest(socket.socket):
    """One accepted connection; closing it frees its place."""

    def __init__(self, host: GuardedSocket, accepted: socket.socket, address: str) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        self._host, self.address = host, address

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
