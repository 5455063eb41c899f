"""The one interface of every wire format."""

from __future__ import annotations

from typing import Protocol, TypeGuard, runtime_checkable

from ecg_edge.firmware_bridge.events import Event
from ecg_edge.firmware_bridge.tally import Tally


@runtime_checkable
class Decoder(Protocol):
    """Bytes in, events out; incremental, indifferent to how the stream is cut, bounded in memory.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> decoder = ee.find_device("cyton").decoder()
    >>> isinstance(decoder, ee.Decoder), decoder.opening()
    (True, b'b')
    """

    name: str
    tally: Tally

    def feed(self, data: bytes, arrival: float = 0.0) -> list[Event]:
        """Take the next bytes and return what they complete.

        Parameters
        ----------
        data : bytes
            Any number of bytes, any cut.
        arrival : float
            Host time (``Clock.monotonic``) at which they arrived; copied into the blocks.

        Raises
        ------
        ProtocolVersionError
            The stream speaks a major version this decoder does not know.
        """
        ...

    def close(self) -> list[Event]:
        """End of stream: return the events that are left."""
        ...

    def opening(self) -> bytes:
        """Bytes to write when the port is opened (describe yourself, start), or nothing."""
        ...

    def request(self) -> bytes:
        """Bytes to write after a `feed` (ask for a description that is missing), or nothing."""
        ...

    def closing(self) -> bytes:
        """Bytes to write before the port is closed (stop), or nothing."""
        ...


def is_decoder(value: object) -> TypeGuard[Decoder]:
    """Whether an object has all that `Decoder` names, by a wrapper's ``__getattr__`` too.

    Python 3.12 and later do not see such attributes in ``isinstance``; earlier ones do.
    """
    methods = ("feed", "close", "opening", "request", "closing")
    return all(callable(getattr(value, name, None)) for name in methods) and all(
        hasattr(value, name) for name in ("name", "tally")
    )
