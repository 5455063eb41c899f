"""Which names a listener answers to: a page of another name must not reach it through the user's browser."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable

from ecg_edge.firmware_bridge.errors import UsageError

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?", re.IGNORECASE)
_NAME = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+", re.IGNORECASE)
_ORIGIN = re.compile(r"https?://", re.IGNORECASE)


def check_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of hosts that a user gives.

    Raises
    ------
    UsageError
        One is no name of a host, such as a URL.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            bare = re.sub(r"^[a-z]+://", "", name).partition("/")[0].rpartition("@")[2]
            better = bare.partition(":")[0] if _NAME.fullmatch(bare.partition(":")[0]) else "ward.example"
            raise UsageError(f"--allow-host {name} is no name of a host", f"give the name alone: {better}")
    return tuple(names)


class KnownHosts:
    """Addresses, this machine's names, and those the user has given.

    DNS rebinding needs a name of the attacker's, so address literals are safe.

    Parameters
    ----------
    bound : str
        Address the listener is bound to.
    allowed : iterable of str
        Names that a reverse proxy uses.
    """

    def __init__(self, bound: str, allowed: Iterable[str] = ()) -> None:
        own = socket.gethostname().lower()
        self.allowed = tuple(name.lower() for name in allowed)
        self._names = {"localhost", bound.lower(), own, f"{own}.local", *self.allowed} - {""}

    def knows(self, header: str) -> bool:
        """Whether a Host header is one name of ours, with or without a port, and nothing else."""
        found = _HOST.fullmatch(header)
        if not found:
            return False
        name = found[1].strip("[]").lower()
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return True

    def same_origin(self, origin: str, host: str) -> bool:
        """Whether a page of this Origin may open a socket: our own page, or a proxy's under an allowed name."""
        place = _ORIGIN.sub("", origin, count=1).lower()
        if not _ORIGIN.match(origin) or not self.knows(place):
            return False
        found = _HOST.fullmatch(place)
        return place == host.lower() or (found is not None and found[1] in self.allowed)
