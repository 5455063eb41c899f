"""Lines to whoever connects: a TCP or Unix socket for programs on the same gateway."""

from __future__ import annotations

import contextlib
import hmac
import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from ecg_edge.device.sinks.exposure import check_exposure
from ecg_edge.device.sinks.json_lines import JsonLines
from ecg_edge.firmware_bridge.errors import PortBusyError, UsageError

_QUEUE_BYTES = 4_000_000
"""About a minute of lines; who is slower than that is disconnected and can come back."""
_GREETED_WITHIN = 4096
_POLL_S = 0.2


class LineServer:
    """Sends lines to every client; a client that connects late gets the header first.

    Parameters
    ----------
    url : str
        ``tcp://127.0.0.1:9000`` (port 0: any) or ``unix:/run/ecg.sock``.
    token : str, optional
        A client must send it as its first line; needed for an address that others can reach.

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

    def __init__(self, url: str, token: str | None = None) -> None:
        self._token = token
        self._unix: Path | None = None
        self._header = b""
        self._clients: dict[socket.socket, _Client] = {}
        self._lock = threading.Lock()
        self._stop = False
        self._server = self._listen(url)
        self._server.setblocking(False)
        self._wake_r, self._wake_w = socket.socketpair()
        self._wake_r.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ)
        self._selector.register(self._wake_r, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="line server", daemon=True)
        self._thread.start()

    def _listen(self, url: str) -> socket.socket:
        try:
            if url.startswith("unix:"):
                return self._listen_unix(Path(url.removeprefix("unix:").removeprefix("//")))
            parts = urlsplit(url)
            if parts.scheme != "tcp" or not parts.hostname or parts.port is None:
                raise UsageError(f"--serve {url} is no address", "write tcp://127.0.0.1:9000 or unix:/run/ecg.sock")
            check_exposure(parts.hostname, self._token)
            server = socket.create_server((parts.hostname, parts.port))
            host, port = server.getsockname()[:2]
            self.address = f"tcp://{host}:{port}"
            return server
        except (OSError, ValueError) as e:
            raise PortBusyError(f"cannot serve at {url}: {e}", "choose another address with --serve") from e

    def _listen_unix(self, path: Path) -> socket.socket:
        with contextlib.suppress(FileNotFoundError, OSError):
            if path.is_socket():
                path.unlink()  # left by a run that was killed
        server = socket.socket(socket.AF_UNIX)
        before = os.umask(0o077)  # for its owner alone
        try:
            server.bind(str(path))
        finally:
            os.umask(before)
        server.listen()
        self._unix, self.address = path, f"unix:{path}"
        return server

    def send(self, kind: str, line: str) -> None:
        """Queue a line for everybody; returns at once."""
        data = line.encode() + b"\n"
        with self._lock:
            if kind == "header":
                self._header = data
            for client in self._clients.values():
                client.push(data)
        self._wake()

    def close(self) -> None:
        """Send what is queued as far as clients take it at once, and close."""
        self._stop = True
        self._wake()
        self._thread.join()
        for s in (*self._clients, self._server, self._wake_r, self._wake_w):
            s.close()
        if self._unix is not None:
            self._unix.unlink(missing_ok=True)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_w.send(b"\0")

    def _run(self) -> None:
        while not self._stop:
            for key, _ in self._selector.select(_POLL_S):
                if key.fileobj is self._server:
                    self._accept()
                elif key.fileobj is self._wake_r:
                    with contextlib.suppress(BlockingIOError):
                        self._wake_r.recv(4096)
                else:
                    self._read(key.fileobj)  # type: ignore[arg-type]
            self._flush()
        self._flush()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            s, _ = self._server.accept()
            s.setblocking(False)
            self._selector.register(s, selectors.EVENT_READ)
            client = _Client(admitted=self._token is None)
            with self._lock:
                self._clients[s] = client
                if client.admitted and self._header:
                    client.push(self._header)

    def _read(self, s: socket.socket) -> None:
        """Clients say nothing but their token; an end is a farewell."""
        try:
            data = s.recv(_GREETED_WITHIN)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        client = self._clients.get(s)
        if not data or client is None:
            self._drop(s)
        elif not client.admitted:
            client.said += data
            first, ended, _ = client.said.partition(b"\n")
            if ended and hmac.compare_digest(first.strip(), (self._token or "").encode()):
                with self._lock:
                    client.admitted = True
                    if self._header:
                        client.push(self._header)
            elif ended or len(client.said) >= _GREETED_WITHIN:
                self._drop(s)

    def _flush(self) -> None:
        for s, client in list(self._clients.items()):
            try:
                with self._lock:
                    if client.overflow:
                        raise OSError
                    while client.waiting:
                        sent = s.send(client.waiting[0])
                        client.sent(sent)
            except BlockingIOError:
                continue
            except OSError:
                self._drop(s)

    def _drop(self, s: socket.socket) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(s)
        with self._lock:
            self._clients.pop(s, None)
        s.close()


class SocketLines(JsonLines):
    """The lines to whoever connects; see `LineServer`."""

    name = "line server"

    def __init__(self, url: str, token: str | None, now: Callable[[], datetime]) -> None:
        server = LineServer(url, token)
        self._address = server.address
        super().__init__(server.send, now, server.close)

    @property
    def where(self) -> str:
        """Address to connect to, in words."""
        return f"lines: {self._address}"


class _Client:
    """What waits for one client, whole lines but for the first."""

    def __init__(self, admitted: bool) -> None:
        self.admitted = admitted
        self.said = b""
        self.waiting: deque[bytes] = deque()
        self.overflow = False
        self._bytes = 0

    def push(self, data: bytes) -> None:
        if not self.admitted or self.overflow:
            return
        self.waiting.append(data)
        self._bytes += len(data)
        self.overflow = self._bytes > _QUEUE_BYTES

    def sent(self, n: int) -> None:
        self._bytes -= n
        rest = self.waiting.popleft()[n:]
        if rest:
            self.waiting.appendleft(rest)
