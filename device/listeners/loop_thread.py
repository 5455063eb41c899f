"""An event loop in a thread of its own, for one listener."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # a stranger's broken connection is no news for the user's terminal


class LoopThread:
    """Runs a server until it is closed.

    Parameters
    ----------
    name : str
        Of the thread.
    serve : callable
        Makes the coroutine; it ends soon after the event it is given is set.
    """

    def __init__(self, name: str, serve: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
        self._loop = asyncio.SelectorEventLoop()  # the guarded sockets need one, on Windows as well
        self._loop.set_exception_handler(_note_down)
        self._stop = asyncio.Event()
        self._serve = serve
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def post(self, call: Callable[..., object], *args: object) -> None:
        """Call a function in the loop's thread; return at once."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(call, *args)

    def close(self) -> None:
        """End the server and its thread."""
        if self._thread.is_alive():
            self.post(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve(self._stop))
        finally:
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self._loop.close()


def _note_down(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    _log.error("%s", context.get("message"), exc_info=context.get("exception"))
