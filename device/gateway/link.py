"""What travels between the supervisor and a worker: JSON documents and frames of samples, over a socket pair.

====== ===== ==========================================================
offset type  meaning
====== ===== ==========================================================
0      u32   length of what follows the kind, little-endian
4      u8    kind: 0 a JSON object, 1 samples of a bed
5      ...   the object in UTF-8; or u16 length of the bed's name, the
             name in UTF-8, and a frame of `monitor.frames`
====== ===== ==========================================================
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

_HEAD = struct.Struct("<IB")
_NAME = struct.Struct("<H")
_JSON, _SAMPLES = 0, 1
_LONGEST = 1 << 24
_READ = 1 << 16
Document = dict[str, Any]


class Samples(NamedTuple):
    """A frame of a bed's leads, as `encode_frames` made it."""

    bed: str
    frame: bytes


class Link:
    """One end of the socket pair. Any thread may send; one thread receives.

    Parameters
    ----------
    sock : socket.socket
        Blocking; belongs to the link from now on.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()

    def send(self, document: Document) -> None:
        """Send a JSON object; an end that has gone is no error, `receive` reports it."""
        self._send(_JSON, json.dumps(document, allow_nan=False).encode())

    def send_samples(self, bed: str, frame: bytes) -> None:
        """Send a frame of a bed's leads."""
        name = bed.encode()
        self._send(_SAMPLES, _NAME.pack(len(name)) + name + frame)

    def receive(self) -> Iterator[Document | Samples]:
        """Yield what arrives, until the other end has gone or sends what is no message."""
        waiting = bytearray()
        with contextlib.suppress(OSError, ValueError):
            while data := self._sock.recv(_READ):
                waiting += data
                yield from _messages(waiting)

    def close(self) -> None:
        """End the conversation, for both ends."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _send(self, kind: int, body: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._sock.sendall(_HEAD.pack(len(body), kind) + body)


def _messages(waiting: bytearray) -> Iterator[Document | Samples]:
    """Take whole messages off the front of what waits."""
    at = 0
    while len(waiting) - at >= _HEAD.size:
        length, kind = _HEAD.unpack_from(waiting, at)
        if length > _LONGEST or kind not in (_JSON, _SAMPLES):
            raise ValueError("no message of a worker")
        end = at + _HEAD.size + length
        if len(waiting) < end:
            break
        yield _message(kind, bytes(waiting[at + _HEAD.size : end]))
        at = end
    del waiting[:at]


def _message(kind: int, body: bytes) -> Document | Samples:
    if kind == _JSON:
        document: Document = json.loads(body)
        return document
    size = _NAME.size + _NAME.unpack_from(body)[0]
    return Samples(body[_NAME.size : size].decode(), body[size:])
