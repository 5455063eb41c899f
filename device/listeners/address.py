"""Addresses to listen at: TCP over IPv4 and IPv6, and Unix sockets that a live run keeps."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from ecg_edge.device.listeners.guarded_socket import BACKLOG, PLACES, GuardedSocket


def split_address(text: str) -> tuple[str, int]:
    """Split ``HOST:PORT``, ``[IPV6]:PORT`` or ``:PORT``; the host is empty where none is named.

    Raises
    ------
    ValueError
        It is none of these, or the port is out of range.
    """
    parts = urlsplit(f"//{text}")
    if parts.port is None or parts.path or parts.username is not None:
        raise ValueError(f"{text!r} is no address with a port")
    return parts.hostname or "", parts.port


def host_in_url(host: str) -> str:
    """The host as a URL holds it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def listen_tcp(host: str, port: int, places: int = PLACES) -> GuardedSocket:
    """Bind a TCP port; 0 takes a free one.

    Raises
    ------
    OSError
        The address is none of this machine's, is taken, or needs privileges.
    """
    family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    server = GuardedSocket(family, places)
    try:
        if sys.platform != "win32":
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind(where)
        server.listen(BACKLOG)
    except OSError:
        server.close()
        raise
    return server


class UnixAddress:
    """A Unix socket for its owner alone. One that a run still serves is left alone.

    Parameters
    ----------
    path : Path
        What a run that was killed has left there is replaced.

    Raises
    ------
    OSError
        Another run serves there, or the path cannot be had.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if path.is_socket():
            if _answers(path):
                raise OSError("another run serves there")
            path.unlink(missing_ok=True)
        self.socket = GuardedSocket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            self.socket.bind(str(path))
            self.socket.listen(BACKLOG)
        except OSError:
            self.socket.close()
            raise
        finally:
            os.umask(before)
        self._mark = _mark(path)

    def remove(self) -> None:
        """Remove the file, if it is still this one."""
        with contextlib.suppress(OSError):
            if _mark(self._path) == self._mark:
                self._path.unlink()


def _mark(path: Path) -> tuple[int, int]:
    """What tells this file from one made later; an inode alone is used again."""
    found = path.stat()
    return found.st_ino, found.st_ctime_ns


def _answers(path: Path) -> bool:
    """Whether somebody listens; a full backlog is somebody, too."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True
