"""A local socket to a running gateway, for its owner alone: one line of JSON there, one back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ecg_edge.device.listeners.address import UnixAddress
from ecg_edge.device.listeners.guarded_socket import GREET_S
from ecg_edge.device.listeners.loop_thread import LoopThread
from ecg_edge.device.listeners.streams import STRANGERS, start_server, turn_out
from ecg_edge.firmware_bridge.errors import EcgEdgeError, PortBusyError, PortNotFoundError, UsageError, as_error
from ecg_edge.firmware_bridge.private_files import private_folder

SERVICE = Path("/run/ecg-edge/ecg-edge.sock")
"""As the unit of ``ecg-edge service`` has it; only its user and root can open it."""
_ANSWER_S = 30.0
_LONGEST = 1 << 22
Document = dict[str, Any]
Answer = Callable[[Document], Document]


def control_path(given: str | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the socket is: as given, else in the user's folder for such things, else in the home folder."""
    if given:
        return Path(given).expanduser()
    runtime = environment.get("XDG_RUNTIME_DIR")
    return Path(runtime, "ecg-edge.sock") if runtime else Path.home() / ".ecg-edge" / "gateway.sock"


def find_gateway(given: str | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Where a running gateway's socket is: that of the user's own, else that of the service."""
    usual = control_path(given, environment)
    there = [usual, *([] if given else [SERVICE])]
    return next((path for path in there if path.is_socket()), usual)


class ControlSocket:
    """Takes requests in a thread of its own and keeps them until `serve` answers them.

    Parameters
    ----------
    path : Path
        Readable and writable for its owner alone.
    wake : callable
        Called in the socket's thread when there is a request.

    Raises
    ------
    PortBusyError
        Another gateway serves there, or the path cannot be had.
    """

    def __init__(self, path: Path, wake: Callable[[], None] = lambda: None) -> None:
        try:
            if not path.parent.exists():
                private_folder(path.parent)
            self._address = UnixAddress(path)
        except OSError as e:
            raise PortBusyError(f"no control socket at {path}: {e}", 'name another: control = "PATH"') from e
        self._wake = wake
        self._asked: queue.SimpleQueue[tuple[Document, queue.SimpleQueue[Document]]] = queue.SimpleQueue()
        self._thread = LoopThread("control", self._serve)

    def serve(self, answer: Answer) -> None:
        """Answer the requests that wait, in the caller's thread; an error of `answer` is an answer, too."""
        while not self._asked.empty():
            request, reply = self._asked.get()
            try:
                reply.put(answer(request))
            except Exception as e:  # noqa: BLE001 -- a request never ends the gateway
                error = as_error(e)
                reply.put({"error": error.message, "fix": error.fix, "exit": error.exit_code})

    def close(self) -> None:
        """Close, and remove the file."""
        self._thread.close()
        self._address.remove()

    async def _serve(self, stop: asyncio.Event) -> None:
        server = await start_server(self._welcome, self._address.socket, None)
        await stop.wait()
        await turn_out(self._address.socket)
        server.close()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(*STRANGERS), contextlib.closing(writer):
            request = json.loads(await asyncio.wait_for(reader.readuntil(b"\n"), GREET_S))
            if not isinstance(request, dict):
                return
            reply: queue.SimpleQueue[Document] = queue.SimpleQueue()
            self._asked.put((request, reply))
            self._wake()
            answer = await asyncio.get_running_loop().run_in_executor(None, _wait_for, reply)
            writer.write(json.dumps(answer).encode() + b"\n")
            await asyncio.wait_for(writer.drain(), GREET_S)


def _wait_for(reply: queue.SimpleQueue[Document]) -> Document:
    with contextlib.suppress(queue.Empty):
        return reply.get(timeout=_ANSWER_S)
    return {"error": "the gateway is busy", "fix": "ask again", "exit": 1}


def ask_gateway(path: Path, request: Document) -> Document:
    """Ask a running gateway.

    Raises
    ------
    PortNotFoundError
        No gateway serves there.
    EcgEdgeError
        As the gateway answers.
    """
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(_ANSWER_S)
            s.connect(str(path))
            s.sendall(json.dumps(request).encode() + b"\n")
            answer: Document = json.loads(_line(s))
    except (OSError, ValueError) as e:
        fix = "start one: ecg-edge run --config FILE; or name its socket: --socket PATH"
        raise PortNotFoundError(f"no gateway answers at {path}: {e}", fix) from e
    if "error" in answer:
        kind = UsageError if answer.get("exit") == UsageError.exit_code else EcgEdgeError
        raise kind(str(answer["error"]), str(answer.get("fix", "")))
    return answer


def _line(s: socket.socket) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n") and len(data) < _LONGEST:
        if not (part := s.recv(1 << 16)):
            break
        data += part
    return bytes(data)
