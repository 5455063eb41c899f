"""Who watches: one small queue per browser, and the last seconds for those who come late."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable

from ecg_edge.device.monitor.held import Held

Message = str | bytes
Send = Callable[[Message], Awaitable[None]]


class Client:
    """A browser's queue. When it is full the oldest frame is dropped, never the newest.

    Parameters
    ----------
    greeting : sequence of messages
        Sent first, whatever its length.
    limit : int
        Messages that may wait.
    """

    def __init__(self, greeting: list[Message], limit: int) -> None:
        self._waiting: deque[Message] = deque()
        self._greeting = greeting
        self._limit = limit
        self._wake = asyncio.Event()
        self.dropped = 0

    def push(self, message: Message) -> None:
        """Queue a message; returns at once."""
        if len(self._waiting) >= self._limit:
            self._drop_one()
        self._waiting.append(message)
        self._wake.set()

    def _drop_one(self) -> None:
        """Frames go first: a note lost is never told again, a lost frame shows as a gap."""
        for k, message in enumerate(self._waiting):
            if isinstance(message, bytes):
                del self._waiting[k]
                self.dropped += 1
                return
        self._waiting.popleft()

    async def pump(self, send: Send) -> None:
        """Send what is queued until `send` raises or the task is cancelled."""
        for message in self._greeting:
            await send(message)
        self._greeting = []
        while True:
            while self._waiting:
                await send(self._waiting.popleft())
            self._wake.clear()
            await self._wake.wait()


class Hub:
    """Spreads messages; lives in the event loop's thread.

    Parameters
    ----------
    header : str
        First message of every connection; empty: it follows with `renew`.
    history_rows : int
        Rows of recent frames kept for clients that join late.
    queue : int
        Messages that may wait per client.
    kept_rows : int
        Rows kept for pages, where these are more.
    """

    def __init__(self, header: str, history_rows: int, queue: int, kept_rows: int = 0) -> None:
        self._header, self._history_rows, self._queue = header, history_rows, queue
        self._kept_rows = max(history_rows, kept_rows)
        self._history: deque[tuple[bytes, int]] = deque()
        self._rows = 0
        self._status: list[str] = []
        self._notes: deque[str] = deque(maxlen=20)
        self._left = 0
        self.clients: set[Client] = set()

    @property
    def dropped(self) -> int:
        """Frames that slow browsers did not get. May be read from any thread."""
        return self._left + sum(c.dropped for c in tuple(self.clients))

    def greet(self, header: str) -> None:
        """Begin every connection from now on with this header."""
        self._header = header

    def join(self) -> Client:
        """Add a client; it begins with the header, the latest figures and the last seconds."""
        recent = self._last(self._history_rows)
        header = [self._header] if self._header else []
        client = Client(list(itertools.chain(header, self._status, self._notes, recent)), self._queue)
        self.clients.add(client)
        return client

    def held(self) -> Held:
        """What a page can be made of."""
        frames = [data for data, _ in self._history]
        return Held(self._header, "".join(self._status), list(self._notes), frames)

    def _last(self, rows: int) -> list[Message]:
        found: list[Message] = []
        for data, n in reversed(self._history):
            if rows <= 0:
                break
            found.append(data)
            rows -= n
        return found[::-1]

    def leave(self, client: Client) -> None:
        """Forget a client."""
        self.clients.discard(client)
        self._left += client.dropped

    def renew(self, header: str, history_rows: int) -> None:
        """Begin another run: its header goes to all, nothing of the run before is kept."""
        self._header, self._history_rows, self._rows = header, history_rows, 0
        self._kept_rows = history_rows
        self._history.clear()
        self._status.clear()
        self._spread(header)

    def frame(self, data: bytes, rows: int) -> None:
        """Send a frame to all, and keep it while it is recent."""
        self._history.append((data, rows))
        self._rows += rows
        while self._rows - self._history[0][1] >= self._kept_rows:
            self._rows -= self._history.popleft()[1]
        self._spread(data)

    def status(self, text: str) -> None:
        """Send figures to all, and keep the latest."""
        self._status = [text]
        self._spread(text)

    def note(self, text: str, keep: bool = True) -> None:
        """Send a note to all, and keep the last few that are worth it."""
        if keep:
            self._notes.append(text)
        self._spread(text)

    def end(self, text: str) -> None:
        """Send the last word."""
        self._spread(text)

    def _spread(self, message: Message) -> None:
        for client in self.clients:
            client.push(message)
