"""A stream of bytes by URL: a serial port or a TCP connection, with every failure a typed error."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlsplit

from ecg_edge.firmware_bridge.errors import DeviceLostError, EcgEdgeError, PortBusyError, PortNotFoundError, UsageError

if TYPE_CHECKING:
    pass

if sys.platform == "win32":
    _PORT_ERRORS: tuple[type[Exception], ...] = (OSError,)
else:
    import termios

    # pyserial lets these through when a port hangs up; termios.error is no OSError.
    _PORT_ERRORS = (OSError, termios.error)

_S = TypeVar("_S", bound="_Stream")

_WRITE_TIMEOUT_S = 1.0
_CONNECT_TIMEOUT_S = 5.0
# A Wi-Fi device that loses power says no goodbye: probe after 5 s of silence, give up 6 s later.
_KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3}


class Transport(Protocol):
    """An open stream of bytes.

    Attributes
    ----------
    url : str
        As it was asked for.
    description : str
        For the human: what is behind the URL.
    """

    url: str
    description: str

    def read(self, max_bytes: int = 4096) -> bytes:
        """Wait for the first byte, at most the timeout, and return it with all that came along.

        Returns
        -------
        bytes
            1 to `max_bytes` bytes; ``b""`` means that nothing has come yet.

        Raises
        ------
        DeviceLostError
            The device or peer has gone.
        """
        ...

    def write(self, data: bytes) -> None:
        """Write all of `data`.

        Raises
        ------
        DeviceLostError
            The device or peer has gone, or takes no more bytes.
        """
        ...

    def close(self) -> None:
        """Close the stream; a second time does nothing."""
        ...

    def __enter__(self) -> Transport: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_transport(url: str, *, baud: int = 115200, timeout: float = 0.2) -> Transport:
    """Open a stream of bytes.

    Opening a serial port asserts DTR, as USB boards expect; many Arduino boards reset on it.

    Parameters
    ----------
    url : str
        Path of a serial port (``/dev/ttyUSB0``, ``COM3``) or ``tcp://host:port``.
    baud : int
        Symbol rate of a serial port.
    timeout : float
        Longest wait for the first byte of a read, in seconds.

    Raises
    ------
    UsageError
        The URL or the baud rate makes no sense.
    PortNotFoundError
        No such port or host, or nothing listens there.
    PortBusyError
        Another program holds the port, or access is denied.
    """
    scheme, mark, _ = url.partition("://")
    if not mark:
        return SerialTransport(url, baud, timeout)
    if scheme == "tcp":
        return TcpTransport(url, timeout)
    raise UsageError(f"cannot open {url!r}", "give a serial port such as /dev/ttyUSB0, or tcp://host:port")


@dataclass(frozen=True)
class PortInfo:
    """A serial port of this machine; USB identities are None where the port has none."""

    device: str
    description: str
    vid: int | None = None
    pid: int | None = None
    serial_number: str | None = None


def list_ports() -> list[PortInfo]:
    """Return the serial ports of this machine, those on USB first."""
    from serial.tools import list_ports as usb  # what needs no serial port runs without

    ports = [PortInfo(p.device, p.description, p.vid, p.pid, p.serial_number) for p in usb.comports()]
    return sorted(ports, key=lambda port: (port.vid is None, port.device))


class _Stream(ABC):
    """What both kinds share: closed at the end of a `with`."""

    url: str
    description: str

    @abstractmethod
    def close(self) -> None:
        """See `Transport.close`."""

    def __enter__(self: _S) -> _S:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SerialTransport(_Stream):
    """A serial port, held exclusively; see `open_transport` for parameters and errors."""

    def __init__(self, path: str, baud: int = 115200, timeout: float = 0.2) -> None:
        self.url, self._timeout = path, timeout
        if not path:
            raise UsageError("no port is named", "give a serial port such as /dev/ttyUSB0, or tcp://host:port")
        if Path(path).is_file():
            raise UsageError(
                f"{path} is a file, not a port",
                f"a device's bytes: ecg-edge decode --as DEVICE {path}; a recording: ecg-edge replay {path}",
            )
        if baud <= 0:
            raise UsageError(f"cannot open {path!r} at {baud} baud", "use the rate the device sends at: 115200")
        import serial

        try:
            self._port = serial.Serial(path, baud, timeout=timeout, write_timeout=_WRITE_TIMEOUT_S, exclusive=True)
        except ValueError as error:
            raise UsageError(f"cannot open {path!r} at {baud} baud: {error}", "check the name and the rate") from None
        except _PORT_ERRORS as error:
            raise _open_error(path, error) from error
        self.description = f"serial port {path}, {baud} baud"
        # FTDI chips hold bytes back for 16 ms otherwise. Drivers without the flag refuse it.
        with contextlib.suppress(ValueError, AttributeError, *_PORT_ERRORS):
            self._port.set_low_latency_mode(True)
            self.description += ", low latency"

    def read(self, max_bytes: int = 4096) -> bytes:
        """See `Transport.read`."""
        return self._read_at_once(max_bytes) if sys.platform != "win32" else self._read_by_pyserial(max_bytes)

    def _read_at_once(self, max_bytes: int) -> bytes:
        """One wait and one read; pyserial needs three calls and four times the processor time for the same bytes."""
        try:
            ready, _, _ = select.select([self._port], [], [], self._timeout)
            if not ready:
                return b""
            data = os.read(self._port.fileno(), max_bytes)
        except (*_PORT_ERRORS, ValueError, TypeError) as error:  # the last two: closed by another thread
            raise self._lost(error) from error
        if not data:
            raise self._lost(OSError("the port is ready to be read, and there is nothing"))
        return data

    def _read_by_pyserial(self, max_bytes: int) -> bytes:
        try:
            first = bytes(self._port.read(1))
        except _PORT_ERRORS as error:
            raise self._lost(error) from error
        if not first:
            return b""
        # What is lost after this byte is reported by the next read: the byte itself is good.
        with contextlib.suppress(*_PORT_ERRORS):
            return first + bytes(self._port.read(min(self._port.in_waiting, max_bytes - 1)))
        return first

    def write(self, data: bytes) -> None:
        """See `Transport.write`."""
        try:
            self._port.write(data)
        except _PORT_ERRORS as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """See `Transport.close`."""
        with contextlib.suppress(*_PORT_ERRORS):
            self._port.close()

    def _lost(self, error: Exception) -> DeviceLostError:
        import serial

        if isinstance(error, serial.SerialTimeoutException):
            return DeviceLostError(f"{self.url} has taken no bytes for {_WRITE_TIMEOUT_S:g} s", "restart the device")
        return DeviceLostError(f"{self.url} went away: {error}", "plug the device in again")


class TcpTransport(_Stream):
    """A TCP connection, ``tcp://host:port``; see `open_transport` for parameters and errors."""

    def __init__(self, url: str, timeout: float = 0.2) -> None:
        self.url = url
        host, port = _host_and_port(url)
        try:
            self._socket = socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT_S)
        except (OSError, UnicodeError) as error:  # the second: no host can be called that
            raise PortNotFoundError(
                f"nothing answers at {url}: {error}",
                f"check that the device is on this network and serves port {port}: ping {host}",
            ) from error
        self._timeout = timeout
        self._socket.settimeout(timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE.items():
            if hasattr(socket, option):
                self._socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        self.description = f"TCP connection to {host}, port {port}"

    def read(self, max_bytes: int = 4096) -> bytes:
        """See `Transport.read`."""
        try:
            data = self._socket.recv(max_bytes)
        except OSError as error:
            if _nothing_yet(error):
                return b""
            raise self._lost(str(error)) from error
        if not data:
            raise self._lost("closed by the peer")
        return data

    def write(self, data: bytes) -> None:
        """See `Transport.write`."""
        try:
            self._socket.settimeout(_WRITE_TIMEOUT_S)
            self._socket.sendall(data)
            self._socket.settimeout(self._timeout)
        except OSError as error:
            raise self._lost(str(error)) from error

    def close(self) -> None:
        """See `Transport.close`."""
        self._socket.close()

    def _lost(self, reason: str) -> DeviceLostError:
        return DeviceLostError(f"{self.url} went away: {reason}", "check the device's power and network")


def _nothing_yet(error: OSError) -> bool:
    # The socket's own time-out has no errno; unanswered keep-alive probes come as ETIMEDOUT.
    return isinstance(error, BlockingIOError) or (isinstance(error, TimeoutError) and error.errno is None)


def _host_and_port(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        raise UsageError(f"{url!r} names no host and port", "write tcp://host:port, such as tcp://10.0.0.7:4567")
    return host, port


def _open_error(path: str, error: Exception) -> EcgEdgeError:
    """Say why a serial port cannot be opened, and what to do."""
    code = getattr(error, "errno", None)
    if code in (errno.EACCES, errno.EPERM):
        return PortBusyError(
            f"no permission to open {path}",
            "join the port's group, then log in again: sudo usermod -aG dialout $USER (Arch: uucp)",
        )
    if code in (errno.EBUSY, errno.EAGAIN):
        return PortBusyError(f"another program holds {path}", f"close it (a serial monitor?); `fuser {path}` names it")
    known = ", ".join(port.device for port in list_ports()) or "none"
    reason = "does not exist" if code == errno.ENOENT else f"is no usable serial port ({error})"
    return PortNotFoundError(
        f"{path} {reason}; ports of this machine: {known}",
        "plug the device in and name its port; `ecg-edge ports` lists them",
    )
