"""The web monitor: a sink that shows twelve live leads in any browser, without an install."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.listeners.address import host_in_url, listen_tcp
from ecg_edge.device.listeners.exposure import check_exposure
from ecg_edge.device.listeners.guarded_socket import BACKLOG, GREET_S, PLACES, GuardedSocket
from ecg_edge.device.listeners.loop_thread import LoopThread
from ecg_edge.device.listeners.streams import turn_out
from ecg_edge.device.monitor import frames as wire
from ecg_edge.device.monitor.front_door import PROVING, FrontDoor, HttpResponse, PageAsked, Secrets
from ecg_edge.device.monitor.hub import Hub
from ecg_edge.device.monitor.page_answer import PageMaker
from ecg_edge.device.sinks.messages import end_message, header_message, note_message, status_message
from ecg_edge.device.sinks.sink import RunHeader, SinkBase, Status
from ecg_edge.firmware_bridge.clock import Clock, SystemClock
from ecg_edge.firmware_bridge.errors import NOT_LOADABLE, MissingExtraError, PortBusyError, UsageError

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

HISTORY_S = 60
"""What a browser is greeted with."""
_KEPT_S = 310
"""What pages can be made of: as much as a browser looks back."""
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
        Secret that the page asks for; a program sends it as ``Authorization: Bearer TOKEN``.
    clock : Clock
        Dates the notes.
    allowed : iterable of str
        Host names that a reverse proxy in front of it has.
    tls : ssl.SSLContext, optional
        The page and its socket speak TLS.

    Raises
    ------
    UsageError
        The address is open to the network and there is no token, it is too short, or the port is out of range.
    """

    name = "monitor"
    extra = "web"

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        clock: Clock | None = None,
        *,
        allowed: Iterable[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        check_exposure(host, token)
        if not 0 <= port <= 65535:
            raise UsageError(f"{port} is no TCP port", "choose one from 1024 to 65535, or 0 for a free one")
        self._host, self._port, self._token = host, port, token
        self._allowed, self._tls = tuple(allowed), tls
        self._clock = clock or SystemClock()
        self._url = ""
        self._sequence = 0
        self._thread: LoopThread | None = None

    @property
    def url(self) -> str:
        """Address to open in a browser.

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
        except NOT_LOADABLE as e:
            raise MissingExtraError("websockets", self.extra) from e
        self._hub = Hub(header_message(header), HISTORY_S * header.spec.fs, _QUEUE, _KEPT_S * header.spec.fs)
        self._listener = bind_port(self._host, self._port)
        self._bound = self._listener.getsockname()[1]
        self._url = page_address(self._host, self._bound, self._tls is not None)
        self._sequence = 0
        self._connections: set[ServerConnection] = set()
        self._thread = LoopThread(self.name, self._serve)

    def redated(self, header: RunHeader) -> None:
        """Greet whoever comes from now on with the right date."""
        self._post(self._hub.greet, header_message(header))

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
        self._thread.close()
        self._thread = None

    def _post(self, call: Callable[..., None], *args: object) -> None:
        if self._thread is None:
            raise UsageError("the monitor is not open", "call open(header) first")
        self._thread.post(call, *args)

    async def _serve(self, stop: asyncio.Event) -> None:
        from websockets.asyncio.server import serve

        door = FrontDoor(self._host, self._token, self._allowed, f"ecg-edge-{self._bound}", self._tls is not None)
        pages = PageMaker()

        async def process_request(connection: ServerConnection, request: Request) -> Response | None:
            answer = _respond(door, self._hub, request, connection.remote_address)
            proved = isinstance(answer, PageAsked) or (
                answer is not None and answer.status_code == 200 and request.path in PROVING
            )
            if proved:
                self._listener.greeted(connection.transport.get_extra_info("socket").fileno())
            if isinstance(answer, PageAsked):
                return as_response(await pages.answer(self._hub.held(), answer.query))
            return answer

        tls: dict[str, Any] = {"ssl": self._tls, "ssl_handshake_timeout": GREET_S} if self._tls else {}
        async with serve(
            self._welcome,
            sock=self._listener,
            backlog=BACKLOG,
            open_timeout=GREET_S,
            **tls,
            process_request=process_request,
            compression=None,  # a Pi's time is worth more than 3 kB/s
            max_size=_MAX_MESSAGE,
            close_timeout=_CLOSE_S,
            logger=_log,
        ):
            await stop.wait()
            self._listener.shut()
            await asyncio.sleep(0)  # whom the loop has just accepted gets its transport
            # Not every version of websockets gives up on a browser that has stopped reading.
            asyncio.get_running_loop().call_later(_CLOSE_S, self._abort)
        await turn_out(self._listener)

    def _abort(self) -> None:
        for connection in self._connections:
            connection.transport.abort()

    async def _welcome(self, connection: ServerConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        own = connection.transport.get_extra_info("socket")
        self._listener.greeted(own.fileno())
        # Without this the kernel would buffer minutes of ECG for a browser that sleeps.
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
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


def as_response(answer: HttpResponse) -> Response:
    """Return an answer as the package websockets sends it."""
    from websockets.datastructures import Headers
    from websockets.http11 import Response

    return Response(answer.status, answer.reason, Headers(answer.headers), answer.body)


def _respond(door: FrontDoor, hub: Hub, request: Request, peer: Any) -> Response | PageAsked | None:
    from websockets.datastructures import Headers
    from websockets.http11 import Response

    if getattr(request, "method", "GET") != "GET":  # older versions of websockets refuse other methods themselves
        return Response(405, "Method Not Allowed", Headers({"Allow": "GET", "Content-Length": "0"}))
    names = ("Host", "Origin", "Authorization", "Cookie")
    host, origin, authorization, cookies = (", ".join(request.headers.get_all(name)) for name in names)
    secrets = Secrets(authorization, cookies, str(peer[0]) if peer else "")
    answer = door.answer(request.path, host, origin, secrets)
    if answer is not None:
        return answer if isinstance(answer, PageAsked) else as_response(answer)
    if len(hub.clients) >= _MAX_CLIENTS:
        return Response(503, "Service Unavailable", Headers({"Content-Length": "0", "Connection": "close"}))
    return None


def bind_port(host: str, port: int, places: int = PLACES) -> GuardedSocket:
    """Listen for browsers.

    Raises
    ------
    PortBusyError
        The port is taken or needs privileges.
    UsageError
        The address is none of this machine's.
    """
    try:
        return listen_tcp(host, port, places)
    except OSError as e:
        if e.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PortBusyError(
                f"the monitor cannot have port {port}: {e}", "choose another port, or 0 for a free one"
            ) from e
        raise UsageError(f"the monitor cannot listen on {host}:{port}: {e}", "use 127.0.0.1, or 0.0.0.0") from e


def page_address(host: str, port: int, tls: bool) -> str:
    """Return what a browser is to open."""
    name = host_in_url(host)
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_unspecified:
            name = socket.gethostname()
    return f"{'https' if tls else 'http'}://{name}:{port}/"
