"""Lines for every client of a TCP or Unix socket: programs on the same gateway."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ecg_edge.device.listeners.address import UnixAddress, host_in_url, listen_tcp, split_address
from ecg_edge.device.listeners.exposure import check_exposure
from ecg_edge.device.listeners.guarded_socket import GREET_S, PLACES, GuardedSocket
from ecg_edge.device.listeners.loop_thread import LoopThread
from ecg_edge.device.listeners.streams import STRANGERS, peer_of, start_server, turn_out
from ecg_edge.device.listeners.token_check import TokenCheck, Verdict
from ecg_edge.device.sinks.json_lines import JsonLines
from ecg_edge.firmware_bridge.errors import PortBusyError, UsageError

_QUEUE_BYTES = 4_000_000
"""About a minute of lines; who is slower than that is disconnected and can come back."""
_CROWDED_BYTES = 65_536
"""While all places are taken, who is slower than that makes room."""
_SEND_BUFFER = 16_384
_SAID_BYTES = 65_536
"""A client says its token and no more; who goes on talking is disconnected."""
_CLOSE_S = 1.0


class LineServer:
    """Sends lines to every client; a client that connects late gets the header first.

    Parameters
    ----------
    url : str
        ``tcp://127.0.0.1:9000`` (port 0: any) or ``unix:/run/ecg.sock``.
    token : str, optional
        A client must send it as its first line; needed for an address that others can reach.
    tls : ssl.SSLContext, optional
        Clients must speak TLS; a Unix socket stays as it is.

    Attributes
    ----------
    address : str
        As connected to.

    Raises
    ------
    UsageError
        The URL makes no sense, or is open to the network without a token.
    PortBusyError
        The address cannot be had.
    """

    def __init__(self, url: str, token: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self._check = TokenCheck(token)
        self._token = token
        self._unix: UnixAddress | None = None
        self._header = b""
        self._clients: set[asyncio.StreamWriter] = set()
        self._server = self._listen(url)
        self._tls = None if self._unix else tls
        self._thread = LoopThread("line server", self._serve)

    def _listen(self, url: str) -> GuardedSocket:
        try:
            if url.startswith("unix:"):
                if not (name := url.removeprefix("unix:").removeprefix("//")):
                    raise UsageError(f"--serve {url} names no path", "write unix:/run/ecg.sock")
                path = Path(name)
                self._unix, self.address = UnixAddress(path), f"unix:{path}"
                return self._unix.socket
            host, port = _tcp(url)
            check_exposure(host, self._token)
            server = listen_tcp(host, port)
            host, port = server.getsockname()[:2]
            self.address = f"tcp://{host_in_url(host)}:{port}"
            return server
        except OSError as e:
            raise PortBusyError(f"cannot serve at {url}: {e}", "choose another address with --serve") from e

    def send(self, kind: str, line: str) -> None:
        """Queue a line for everybody; returns at once."""
        self._thread.post(self._spread, kind, line.encode() + b"\n")

    def close(self) -> None:
        """Send what is queued as far as clients take it soon, and close."""
        self._thread.close()
        if self._unix is not None:
            self._unix.remove()

    def _spread(self, kind: str, data: bytes) -> None:
        if kind == "header":
            self._header = data
        most = _QUEUE_BYTES if self._server.guests < PLACES else _CROWDED_BYTES
        for client in tuple(self._clients):
            client.write(data)
            if client.transport.get_write_buffer_size() > most:
                client.transport.abort()

    async def _serve(self, stop: asyncio.Event) -> None:
        server = await start_server(self._welcome, self._server, self._tls)
        await stop.wait()
        self._server.shut()
        for client in self._clients:
            client.close()  # what is queued still goes out
        if leaving := [asyncio.ensure_future(client.wait_closed()) for client in self._clients]:
            await asyncio.wait(leaving, timeout=_CLOSE_S)
        for client in tuple(self._clients):
            client.transport.abort()
        await turn_out(self._server)
        server.close()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(*STRANGERS), contextlib.closing(writer):
            if not self._check.wanted or await asyncio.wait_for(self._knows(reader, writer), GREET_S):
                own = writer.get_extra_info("socket")
                self._server.greeted(own.fileno())
                own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)  # what it lags is to be seen here
                writer.write(self._header)
                self._clients.add(writer)
                await _farewell(reader)
        self._clients.discard(writer)

    async def _knows(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        said = (await reader.readuntil(b"\n")).strip().decode(errors="replace")
        return self._check.check(said, peer_of(writer)) is Verdict.RIGHT


def _tcp(url: str) -> tuple[str, int]:
    try:
        host, port = split_address(url.removeprefix("tcp://"))
    except ValueError:
        host, port = "", 0
    if not url.startswith("tcp://") or not host:
        raise UsageError(f"--serve {url} is no address", "write tcp://127.0.0.1:9000 or unix:/run/ecg.sock")
    return host, port


async def _farewell(reader: asyncio.StreamReader) -> None:
    """Wait until a client has left, or has said too much."""
    left = _SAID_BYTES
    while left > 0 and (said := await reader.read(left)):
        left -= len(said)


class SocketLines(JsonLines):
    """The lines for every client; see `LineServer`."""

    name = "line server"

    def __init__(
        self, url: str, token: str | None, now: Callable[[], datetime], tls: ssl.SSLContext | None = None
    ) -> None:
        server = LineServer(url, token, tls)
        self._address = server.address
        super().__init__(server.send, now, server.close)

    @property
    def where(self) -> str:
        """Address to connect to, in words."""
        return f"lines: {self._address}"
