"""The answer to who asks for a page: made beside the event loop, one at a time."""

from __future__ import annotations

import asyncio

from ecg_edge.device.monitor.front_door import HttpResponse, refuse, respond
from ecg_edge.device.monitor.held import Held
from ecg_edge.device.monitor.screen_page import screen_page
from ecg_edge.firmware_bridge.errors import RecordingError, UsageError

_PDF = "application/pdf"


class PageMaker:
    """Makes pages in a thread: frames go on meanwhile. Belongs to one event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def answer(self, held: Held, query: str) -> HttpResponse:
        """Return the page, or why there is none.

        Parameters
        ----------
        held : Held
        query : str
            As in the address; see `screen_page`.
        """
        if self._turn.locked():
            return refuse(429, "Too Many Requests", "another page is being made: ask again")
        async with self._turn:
            return await asyncio.to_thread(_made, held, query)


def _made(held: Held, query: str) -> HttpResponse:
    try:
        return respond(200, "OK", _PDF, screen_page(held, query))
    except UsageError as e:
        return refuse(400, "Bad Request", f"{e.message}: {e.fix}")
    except RecordingError as e:
        return refuse(404, "Not Found", e.message)
