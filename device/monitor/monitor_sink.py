"""The web monitor: a sink that shows twelve live leads in any browser, without an install."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.monitor import frames as wire
from ecg_edge.device.monitor.front_door import FrontDoor
from ecg_edge.device.monitor.hub import Hub
from ecg_edge.device.sinks.exposure import check_exposure
from ecg_edge.device.sinks.messages import end_message, header_message, note_message, status_message
from ecg_edge.device.sinks.sink import RunHeader, SinkBase, Status
from ecg_edge.firmware_bridge.clock import Clock, SystemClock
from ecg_edge.firmware_bridge.errors import MissingExtraError, PortBusyError, UsageError

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

HISTORY_S = 10
_QUEUE = 32
_MAX_CLIENTS = 16
_MAX_MESSAGE = 1024
_SEND_BUFFER = 65536
_CLOSE_S = 1.0

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # port scans and closed tabs are no news for the user's terminal


class MonitorSink(SinkBase):
    """Serve the page and the live stream on one port, from a thread of its own.

    Every browser has a small bounded queue: a slow one loses frames, which its page shows, and
    delays neither the run nor the other browsers.

    Parameters
    ----------
    host : str
        Address to listen on. Anything but loopback needs a token.
    port : int
        TCP port; 0 takes a free one.
    token : str, optional
        Secret that must be part of the page's address (``?token=``).
    clock : Clock
        Dates the notes.

    Raises
    ------
    UsageError
        The address is open to the network and there is no token, it is too short, or the port is out of range.
    """

    name = "monitor"
    extra = "web"

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, token: str | None = None, clock: Clock | None = None
    ) -> None:
        check_exposure(host, token)
        if not 0 <= port <= 65535:
            raise UsageError(f"{port} is no TCP port", "choose one from 1024 to 65535, or 0 for a free one")
        self._host, self._port, self._token = host, port, token
        self._clock = clock or SystemClock()
        self._url = ""
        self._sequence = 0
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Address to open in a browser, token included.

        Raises
        ------
        UsageError
            Before `open`.
        """
        if not self._url:
            raise UsageError("the monitor has no address before it is open", "call open(header) first")
        return self._url

    @property
    def where(self) -> str:
        """Address of the page, in words, once it is open."""
        return f"monitor: {self._url}" if self._url else ""

    @property
    def frames_dropped(self) -> int:
        """Frames that browsers lost because they were too slow, all of them together."""
        return self._hub.dropped if self._url else 0

    def open(self, header: RunHeader) -> None:
        """Bind the port and start serving.

        Raises
        ------
        MissingExtraError
            The package websockets is not installed.
        PortBusyError
            The port is taken or needs privileges.
        UsageError
            The address is none of this machine's.
        """
        try:
            import websockets.asyncio.server  # noqa: F401
        except ImportError as e:
            raise MissingExtraError("websockets", self.extra) from e
        self._hub = Hub(header_message(header), HISTORY_S * header.spec.fs, _QUEUE)
        listener = _bind(self._host, self._port)
        self._url = _address(self._host, listener.getsockname()[1], self._token)
        self._sequence = 0
        self._connections: set[ServerConnection] = set()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._serve_forever, args=(listener,), name="monitor", daemon=True)
        self._thread.start()

    def leads(self, block: LeadBlock) -> None:
        """Hand twelve leads to every browser; returns at once."""
        frames = wire.encode_frames(block, self._sequence)
        self._sequence += len(frames)
        for data in frames:
            self._post(self._hub.frame, data, wire.frame_rows(data))

    def note(self, note: Note) -> None:
        """Tell every browser what happened."""
        self._post(self._hub.note, note_message(note, self._clock.now()), note.kind != "held")

    def status(self, status: Status) -> None:
        """Give every browser fresh figures."""
        self._post(self._hub.status, status_message(status))

    def close(self) -> None:
        """Say goodbye to every browser and free the port. Calling it again does nothing."""
        if self._thread is None:
            return
        self._post(self._hub.end, end_message())
        self._post(self._stop.set)
        self._thread.join()
        self._thread = None

    def _post(self, call: Callable[..., None], *args: object) -> None:
        if self._thread is None:
            raise UsageError("the monitor is not open", "call open(header) first")
        self._loop.call_soon_threadsafe(call, *args)

    def _serve_forever(self, listener: socket.socket) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve(listener))
        finally:
            self._loop.close()

    async def _serve(self, listener: socket.socket) -> None:
        from websockets.asyncio.server import serve

        door = FrontDoor(self._host, self._token)

        def process_request(connection: ServerConnection, request: Request) -> Response | None:
            return _respond(door, self._hub, request)

        async with serve(
            self._welcome,
            sock=listener,
            process_request=process_request,
            compression=None,  # a Pi's time is worth more than 3 kB/s
            max_size=_MAX_MESSAGE,
            close_timeout=_CLOSE_S,
            logger=_log,
        ):
            await self._stop.wait()
            # Not every version of websockets gives up on a browser that has stopped reading.
            self._loop.call_later(_CLOSE_S, self._abort)

    def _abort(self) -> None:
        for connection in self._connections:
            connection.transport.abort()

    async def _welcome(self, connection: ServerConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        # Without this the kernel would buffer minutes of ECG for a browser that sleeps.
        connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._connections.add(connection)
        client = self._hub.join()
        pump = asyncio.ensure_future(client.pump(connection.send))
        try:
            await connection.wait_closed()
        finally:
            self._connections.discard(connection)
            self._hub.leave(client)
            pump.cancel()
            with contextlib.suppress(ConnectionClosed, asyncio.CancelledError):
                await pump


def _respond(door: FrontDoor, hub: Hub, request: Request) -> Response | None:
    from websockets.datastructures import Headers
    from websockets.http11 import Response

    if getattr(request, "method", "GET") != "GET":  # older versions of websockets refuse other methods themselves
        return Response(405, "Method Not Allowed", Headers({"Allow": "GET", "Content-Length": "0"}))
    host, origin = (", ".join(request.headers.get_all(name)) for name in ("Host", "Origin"))
    answer = door.answer(request.path, host, origin)
    if answer is not None:
        return Response(answer.status, answer.reason, Headers(answer.headers), answer.body)
    if len(hub.clients) >= _MAX_CLIENTS:
        return Response(503, "Service Unavailable", Headers({"Content-Length": "0", "Connection": "close"}))
    return None


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server((where[0], port), family=family)
    except OSError as e:
        if e.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PortBusyError(
                f"the monitor cannot have port {port}: {e}", "choose another port, or 0 for a free one"
            ) from e
        raise UsageError(f"the monitor cannot listen on {host}:{port}: {e}", "use 127.0.0.1, or 0.0.0.0") from e


def _address(host: str, port: int, token: str | None) -> str:
    name = host
    with contextlib.suppress(ValueError):
        ip = ipaddress.ip_address(host)
        name = socket.gethostname() if ip.is_unspecified else f"[{host}]" if ip.version == 6 else host
    return f"http://{name}:{port}/" + (f"?token={quote(token, safe='')}" if token else "")
