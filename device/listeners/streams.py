"""Byte streams of a listener: what a stranger may do to them, and how long."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from ecg_edge.device.listeners.guarded_socket import BACKLOG, GREET_S, GuardedSocket

STRANGERS = (OSError, EOFError, ValueError, asyncio.TimeoutError, asyncio.LimitOverrunError)
"""What reading from and writing to a stranger may raise; the end of that stranger alone."""
_LINE = 8192
_TURNS = 100
Welcome = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def start_server(welcome: Welcome, listener: GuardedSocket, tls: ssl.SSLContext | None) -> asyncio.Server:
    """Serve streams; lines and request heads are bounded, and so is the time of a TLS handshake."""
    return await asyncio.start_server(
        welcome, sock=listener, ssl=tls, ssl_handshake_timeout=GREET_S if tls else None, backlog=BACKLOG, limit=_LINE
    )


async def turn_out(listener: GuardedSocket) -> None:
    """Accept nobody more, end all conversations, and wait until the event loop has closed them."""
    listener.shut()
    await asyncio.sleep(0)  # whom the loop has just accepted gets its transport
    listener.hang_up()
    for _ in range(_TURNS):
        if not listener.guests:
            return
        await asyncio.sleep(0.01)


def peer_of(writer: asyncio.StreamWriter) -> str:
    """A client's address; of a Unix socket nothing."""
    name = writer.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple) else ""
