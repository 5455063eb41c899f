"""A USB device under another name: after a replug `/dev/ttyUSB0` may be `/dev/ttyUSB1`, or another device."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ecg_edge.firmware_bridge.errors import PortNotFoundError
from ecg_edge.firmware_bridge.ports.transport import PortInfo, Transport, list_ports

Identity = tuple[int | None, int | None, str | None]


class SamePort:
    """Opens a port, and later the same device wherever it is.

    Parameters
    ----------
    url : str
        As given by the user.
    open_at : callable
        Opens a URL.
    ports : callable
        Lists the machine's ports.
    report : callable
        Takes a sentence for the user: where the device came back.
    """

    def __init__(
        self,
        url: str,
        open_at: Callable[[str], Transport],
        ports: Callable[[], Sequence[PortInfo]] = list_ports,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._url, self._open, self._ports, self._report = url, open_at, ports, report
        self._identity: Identity | None = None

    def __call__(self) -> Transport:
        """Open it.

        Raises
        ------
        PortNotFoundError
            It is not there, or another device is in its place.
        """
        where = self._url if self._identity is None else self._find()
        transport = self._open(where)
        if self._identity is None:
            self._identity = self._identity_of(self._url)
        elif where != self._url:
            self._report(f"the device is back as {where}")
            self._url = where
        return transport

    def _identity_of(self, url: str) -> Identity | None:
        found = next((p for p in self._ports() if p.device == url), None)
        return None if found is None or found.vid is None else (found.vid, found.pid, found.serial_number)

    def _find(self) -> str:
        """The port of the device seen first; its old name where nothing contradicts it."""
        here = self._identity_of(self._url)
        if here == self._identity or (here is None and any(p.device == self._url for p in self._ports())):
            return self._url
        same = [p.device for p in self._ports() if (p.vid, p.pid, p.serial_number) == self._identity]
        if len(same) == 1:
            return same[0]
        if here is not None:
            raise PortNotFoundError(
                f"another device is at {self._url} now", "plug the one back in that this run began with"
            )
        return self._url
