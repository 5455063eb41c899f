import errno
import os
import socket
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecg_edge.firmware_bridge.errors import DeviceLostError, EcgEdgeError, PortBusyError, PortNotFoundError, UsageError
from ecg_edge.firmware_bridge.ports import transport as module
from ecg_edge.firmware_bridge.ports.transport import Transport, list_ports, open_transport


class Pty:
    """A serial device: the test holds its end of the wire."""

    def __init__(self) -> None:
        self.device, self._port = os.openpty()
        tty.setraw(self.device)
        self.path = os.ttyname(self._port)

    def send(self, data: bytes) -> None:
        os.write(self.device, data)

    def hang_up(self) -> None:
        for end in (self.device, self._port):
            if end >= 0:
                os.close(end)
        self.device = self._port = -1


@pytest.fixture
def pty() -> Iterator[Pty]:
    pair = Pty()
    yield pair
    pair.hang_up()


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        yield listener


def url_of(server: socket.socket) -> str:
    return f"tcp://127.0.0.1:{server.getsockname()[1]}"


def read_all(stream: Transport, n: int) -> bytes:
    data = b""
    while len(data) < n:
        piece = stream.read(n - len(data))
        assert piece, f"only {data!r} came"
        data += piece
    return data


def lose(stream: Transport) -> DeviceLostError:
    """Read until the stream breaks; a byte that was already through may come first."""
    with pytest.raises(DeviceLostError) as caught:
        for _ in range(10):
            stream.read()
    return caught.value


def test_serial_carries_bytes_both_ways(pty: Pty) -> None:
    with open_transport(pty.path, baud=250_000, timeout=0.05) as stream:
        assert (stream.url, "250000 baud" in stream.description) == (pty.path, True)
        assert stream.read() == b""
        every = bytes(range(256))
        pty.send(every)
        assert read_all(stream, 256) == every
        stream.write(every)
        assert os.read(pty.device, 300) == every


def test_serial_read_takes_what_is_there_and_waits_for_no_more(pty: Pty) -> None:
    # A read that waited to fill its 4096 bytes would sit out the minute.
    with open_transport(pty.path, timeout=60) as stream:
        pty.send(b"abc")
        assert read_all(stream, 3) == b"abc"
        pty.send(b"0123456789")
        assert stream.read(4) == b"0123"
        assert stream.read(1) == b"4"
        assert stream.read() == b"56789"


def test_missing_port_names_the_ports_that_exist() -> None:
    with pytest.raises(PortNotFoundError) as caught:
        open_transport("/dev/ttyNOPE7")
    assert "/dev/ttyNOPE7 does not exist" in caught.value.message
    assert all(port.device in caught.value.message for port in list_ports())
    assert "ecg-edge ports" in caught.value.fix


@pytest.mark.parametrize("path", ["/dev/null", "/"])
def test_what_is_no_serial_port_is_said_to_be_none(path: str) -> None:
    with pytest.raises(PortNotFoundError, match="no usable serial port"):
        open_transport(path)


def test_a_port_is_held_by_one_program_at_a_time(pty: Pty) -> None:
    with open_transport(pty.path), pytest.raises(PortBusyError, match="another program holds"):
        open_transport(pty.path)
    open_transport(pty.path).close()


def test_a_forbidden_port_names_the_group(pty: Pty) -> None:
    Path(pty.path).chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root is never refused
    try:
        with pytest.raises(PortBusyError, match="no permission") as caught:
            open_transport(pty.path)
    finally:
        os.seteuid(user)
    assert "dialout" in caught.value.fix


def test_hang_up_is_a_lost_device_for_reading_and_writing(pty: Pty) -> None:
    with open_transport(pty.path, timeout=0.05) as stream:
        pty.hang_up()
        error = lose(stream)
        assert error.exit_code == 4
        assert pty.path in error.message
        with pytest.raises(DeviceLostError):
            stream.write(b"x")
        stream.close()
        stream.close()


def test_hang_up_ends_a_read_that_is_waiting(pty: Pty) -> None:
    with open_transport(pty.path, timeout=60) as stream:
        hang_up = threading.Timer(0.02, pty.hang_up)
        hang_up.start()
        lose(stream)
        hang_up.join()


def test_a_device_that_takes_no_bytes_is_lost(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WRITE_TIMEOUT_S", 0.02)
    with (
        open_transport(pty.path) as stream,
        pytest.raises(DeviceLostError, match=r"taken no bytes for 0\.02 s"),
    ):
        stream.write(bytes(1 << 20))


def test_a_closed_port_reads_as_lost(pty: Pty) -> None:
    stream = open_transport(pty.path)
    stream.close()
    with pytest.raises(DeviceLostError):
        stream.read()


@pytest.mark.parametrize("baud", [0, -9600])
def test_baud_rates_that_are_none_are_refused(pty: Pty, baud: int) -> None:
    with pytest.raises(UsageError):
        open_transport(pty.path, baud=baud)


@pytest.mark.parametrize(
    "url",
    ["http://host:80", "tcp://host", "tcp://:80", "tcp://host:0", "tcp://host:70000", "tcp://[::1", "a\0b"],
)
def test_urls_that_make_no_sense_are_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_transport(url)
    assert caught.value.fix


def test_tcp_carries_bytes_both_ways(server: socket.socket) -> None:
    with open_transport(url_of(server), timeout=0.02) as stream:
        peer, _ = server.accept()
        with peer:
            assert stream.read() == b""
            peer.sendall(b"hello")
            assert read_all(stream, 5) == b"hello"
            stream.write(b"start")
            assert peer.recv(100) == b"start"
            # the long time-out of a write does not stay
            assert stream._socket.gettimeout() == 0.02  # type: ignore[attr-defined]
        assert "port" in stream.description


def test_tcp_closed_by_the_peer_is_a_lost_device(server: socket.socket) -> None:
    with open_transport(url_of(server), timeout=0.5) as stream:
        peer, _ = server.accept()
        peer.sendall(b"last words")
        peer.close()
        assert read_all(stream, 10) == b"last words"
        assert "closed by the peer" in lose(stream).message


def test_tcp_reset_is_a_lost_device(server: socket.socket) -> None:
    with open_transport(url_of(server), timeout=0.5) as stream:
        peer, _ = server.accept()
        linger_off = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_off)
        peer.close()
        lose(stream)
        with pytest.raises(DeviceLostError):
            stream.write(b"x")


def test_tcp_probes_a_silent_peer(server: socket.socket) -> None:
    with open_transport(url_of(server)) as stream:
        assert stream._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)  # type: ignore[attr-defined]


def test_unanswered_probes_are_a_loss_but_a_quiet_moment_is_not() -> None:
    left, right = socket.socketpair()
    with left, right:
        for timeout in (0.0, 0.001):
            left.settimeout(timeout)
            with pytest.raises(OSError) as quiet:
                left.recv(1)
            assert module._nothing_yet(quiet.value)
    for code in (errno.ETIMEDOUT, errno.ECONNRESET, errno.EBADF):
        assert not module._nothing_yet(OSError(code, os.strerror(code)))


def test_nobody_listening_is_a_port_not_found(server: socket.socket) -> None:
    url = url_of(server)
    server.close()
    with pytest.raises(PortNotFoundError, match="nothing answers") as caught:
        open_transport(url)
    assert "ping 127.0.0.1" in caught.value.fix


@pytest.mark.parametrize("host", ["no-such-host.invalid", "no..host"])
def test_an_unknown_host_is_a_port_not_found(host: str) -> None:
    with pytest.raises(PortNotFoundError, match="nothing answers"):
        open_transport(f"tcp://{host}:4567")


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.EPERM, PortBusyError), (errno.EBUSY, PortBusyError), (errno.EIO, PortNotFoundError)],
)
def test_other_refusals_of_the_kernel_have_a_type_too(code: int, kind: type[EcgEdgeError]) -> None:
    error = module._open_error("/dev/ttyUSB0", OSError(code, os.strerror(code)))
    assert type(error) is kind
    assert error.fix


def test_listed_ports_say_what_they_are() -> None:
    ports = list_ports()
    assert [port.vid is None for port in ports] == sorted(port.vid is None for port in ports)
    assert all(port.device for port in ports)
