"""The ward's one port: overview, monitors, figures; a board for the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ecg_edge.device.listeners.guarded_socket import BACKLOG, GREET_S
from ecg_edge.device.listeners.loop_thread import LoopThread
from ecg_edge.device.listeners.streams import turn_out
from ecg_edge.device.listeners.tls import server_tls
from ecg_edge.device.monitor.front_door import PROVING, Secrets
from ecg_edge.device.monitor.held import NOTHING
from ecg_edge.device.monitor.hub import Client
from ecg_edge.device.monitor.monitor_sink import as_response, bind_port, page_address
from ecg_edge.device.monitor.page_answer import PageMaker
from ecg_edge.device.ward.door import FULL, Admitted, WardDoor
from ecg_edge.device.ward.limits import SILENCE_S, Limits
from ecg_edge.device.ward.overview import Overview
from ecg_edge.device.ward.settings import WardSettings
from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.errors import EcgEdgeError, MissingExtraError

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

STRIPS_EVERY_S = 0.1
_STRIPS_A_SECOND = 10
PLACES = 96
MOST_WATCHERS = 64
_MAX_MESSAGE = 1024
_SEND_BUFFER = 65536
_CLOSE_S = 1.0

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())


class WardServer:
    """Serves from a thread of its own; its methods may be called from any other and return at once.

    Parameters
    ----------
    settings : WardSettings
        Address and secrets.
    clock : Clock
        Says how old figures are.
    log : callable
        Takes lines about limits; called in the server's thread.

    Raises
    ------
    MissingExtraError
        The package websockets is not installed.
    PortBusyError, UsageError
        The address cannot be had, or would be open to the network without a token.
    """

    def __init__(self, settings: WardSettings, clock: Clock, log: Callable[[str], None]) -> None:
        try:
            import websockets.asyncio.server  # noqa: F401
        except ImportError as e:
            raise MissingExtraError("websockets", "web") from e
        full, view = settings.secrets()
        self._tls = server_tls(settings.tls_cert, settings.tls_key)
        self._overview = Overview(clock, log)
        self._listener = bind_port(settings.host, settings.port, PLACES)
        port = self._listener.getsockname()[1]
        self.url = page_address(settings.host, port, self._tls is not None)
        self._door = WardDoor(
            settings.host, full, view, settings.allow_host, f"ecg-edge-{port}", self._tls is not None,
            self._overview.metrics,
        )  # fmt: skip
        self._admitted: weakref.WeakKeyDictionary[ServerConnection, Admitted] = weakref.WeakKeyDictionary()
        self._connections: set[ServerConnection] = set()
        self._thread = LoopThread("ward", self._serve)

    def place(self, name: str, low: float | None, high: float | None, silence_s: float | None) -> None:
        """A bed is there, or has other limits."""
        limits = Limits(low, high, SILENCE_S if silence_s is None else silence_s)
        self._thread.post(self._overview.place, name, limits)

    def remove(self, name: str) -> None:
        """A bed has gone."""
        self._thread.post(self._overview.remove, name)

    def state(self, name: str, state: str, why: str) -> None:
        """State of a bed's run."""
        self._thread.post(self._overview.state, name, state, why)

    def hear(self, name: str, kind: str, text: str) -> None:
        """A bed's header, note or figures."""
        self._thread.post(self._overview.hear, name, kind, text)

    def show(self, name: str, frame: bytes) -> None:
        """A frame of a bed's leads."""
        self._thread.post(self._overview.show, name, frame)

    def flush(self) -> None:
        """Wait until what was handed over has been taken."""
        done = threading.Event()
        self._thread.post(done.set)
        done.wait(_CLOSE_S)

    def close(self) -> None:
        """End all conversations and free the port."""
        self._thread.close()

    async def _serve(self, stop: asyncio.Event) -> None:
        from websockets.asyncio.server import serve

        tls: dict[str, Any] = {"ssl": self._tls, "ssl_handshake_timeout": GREET_S} if self._tls else {}
        self._pages = PageMaker()
        ticking = asyncio.ensure_future(self._tick())
        async with serve(
            self._welcome,
            sock=self._listener,
            backlog=BACKLOG,
            open_timeout=GREET_S,
            **tls,
            process_request=self._process,
            compression=None,
            max_size=_MAX_MESSAGE,
            close_timeout=_CLOSE_S,
            logger=_log,
        ):
            await stop.wait()
            ticking.cancel()
            self._listener.shut()
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_later(_CLOSE_S, self._abort)
        await turn_out(self._listener)

    async def _tick(self) -> None:
        turn = 0
        while True:
            await asyncio.sleep(STRIPS_EVERY_S)
            self._overview.tick_strips()
            turn += 1
            if turn % _STRIPS_A_SECOND == 0:
                self._overview.tick_tiles()

    def _abort(self) -> None:
        for connection in self._connections:
            connection.transport.abort()

    async def _process(self, connection: ServerConnection, request: Request) -> Response | None:
        from websockets.datastructures import Headers
        from websockets.http11 import Response

        if getattr(request, "method", "GET") != "GET":
            return Response(405, "Method Not Allowed", Headers({"Allow": "GET", "Content-Length": "0"}))
        names = ("Host", "Origin", "Authorization", "Cookie")
        host, origin, authorization, cookies = (", ".join(request.headers.get_all(name)) for name in names)
        peer = connection.remote_address
        secrets = Secrets(authorization, cookies, str(peer[0]) if peer else "")
        found = self._door.answer(request.path, host, origin, self._overview.beds, secrets)
        if not isinstance(found, Admitted):
            if found.status == 200 and request.path in PROVING:
                self._listener.greeted(connection.transport.get_extra_info("socket").fileno())
            return as_response(found)
        if found.page is not None:
            self._listener.greeted(connection.transport.get_extra_info("socket").fileno())
            hub = self._overview.hub(found.bed or "")
            return as_response(await self._pages.answer(hub.held() if hub else NOTHING, found.page))
        if self._overview.watchers >= MOST_WATCHERS:
            return Response(503, "Service Unavailable", Headers({"Content-Length": "0", "Connection": "close"}))
        self._admitted[connection] = found
        return None

    async def _welcome(self, connection: ServerConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        own = connection.transport.get_extra_info("socket")
        self._listener.greeted(own.fileno())
        # Without this the kernel would buffer minutes of ECG for a browser that sleeps.
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        admitted = self._admitted[connection]
        hub = self._overview if admitted.bed is None else self._overview.hub(admitted.bed)
        if hub is None:
            return
        client: Client = hub.join(admitted.role) if isinstance(hub, Overview) else hub.join()
        self._connections.add(connection)
        pump = asyncio.ensure_future(client.pump(connection.send))
        try:
            async for message in connection:
                if admitted.bed is None:
                    client.push(self._obey(message, admitted.role))
        except ConnectionClosed:
            pass
        finally:
            self._connections.discard(connection)
            hub.leave(client)
            pump.cancel()
            with contextlib.suppress(ConnectionClosed, asyncio.CancelledError):
                await pump

    def _obey(self, message: str | bytes, role: str) -> str:
        """Set limits, as the page asks; return what it is told."""
        text = "only the full token may set limits"
        try:
            if role == FULL:
                asked = json.loads(message)
                values = (asked["low"], asked["high"], asked["silence"])
                low, high, silence = (None if v is None else float(v) for v in values)
                self._overview.set_limits(str(asked["set"]), low, high, SILENCE_S if silence is None else silence)
                text = ""
        except EcgEdgeError as e:
            text = e.message
        except (ValueError, KeyError, TypeError, RecursionError):
            text = "not understood"
        return json.dumps({"type": "set", "error": text})
