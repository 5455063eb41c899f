"""Both ends of a real pseudo-terminal and of a real socket."""

import os
import select
import socket
import stat
import termios
import threading

import pytest
import serial

from ecg_edge.firmware_bridge.errors import PortBusyError, UsageError
from ecg_edge.firmware_bridge.virtual_patch.link_pty import PtyLink
from ecg_edge.firmware_bridge.virtual_patch.link_tcp import TcpLink, parse_host_port

FRAME = bytes(range(1, 100)) + b"\0"
EVERY_BYTE = bytes(range(256))


def open_port(path):
    return os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


def pull(fd):
    """All bytes that are there (polling makes the kernel hand over what is on its way)."""
    out, poller = b"", select.poll()
    poller.register(fd, select.POLLIN)
    while any(event & select.POLLIN for _, event in poller.poll(0)):
        got = os.read(fd, 65536)
        if not got:
            break
        out += got
    return out


@pytest.fixture
def pty():
    link = PtyLink()
    yield link
    link.close()


@pytest.fixture
def tcp():
    link = TcpLink()
    yield link
    link.close()


def dial(link):
    return socket.create_connection(parse_host_port(link.address), timeout=10)


def settle(link, want):
    """Wait for the socket to say that the reader wanted has come, or gone."""
    while link.poll() != want:
        sockets = [s for s in (link._server, link._reader) if s is not None]
        assert select.select(sockets, [], [], 10)[0], f"no reader {want}"
        link.read()


def test_pty_is_raw_both_ways(pty):
    reader = open_port(pty.address)
    assert pty.send(EVERY_BYTE)
    assert pull(reader) == EVERY_BYTE
    os.write(reader, EVERY_BYTE)
    assert pty.read() == EVERY_BYTE
    assert pty.read() == b""
    assert not termios.tcgetattr(reader)[3] & termios.ECHO
    os.close(reader)


def test_pty_tells_readers_apart(pty):
    assert pty.poll() == 0 and pty.read() == b""
    for number in (1, 2, 3):
        reader = open_port(pty.address)
        assert pty.poll() == number
        os.close(reader)
        assert pty.poll() == 0
        assert pty.read() == b""


def test_the_next_reader_does_not_get_what_the_last_left_unread(pty):
    reader = open_port(pty.address)
    while pty.poll() and pty.send(FRAME):
        pass
    os.write(reader, b"last words")
    os.close(reader)
    assert pty.read() == b"last words"
    assert pty.poll() == 0
    reader = open_port(pty.address)
    assert pty.poll() == 2
    assert pty.send(FRAME)
    assert pull(reader) == FRAME
    os.close(reader)


def test_a_full_pty_takes_whole_frames_or_none(pty):
    reader, sent = open_port(pty.address), 0
    while pty.send(FRAME):
        sent += 1
    assert sent > 10
    assert not pty.send(FRAME)
    got = pull(reader)
    assert pty.send(FRAME)  # the rest of the last frame goes first
    assert got + pull(reader) == FRAME * (sent + 1)
    os.close(reader)


def test_pyserial_opens_the_port(pty):
    with serial.Serial(pty.address, 115200, timeout=10) as port:
        assert pty.poll() == 1
        port.write(b"hello")
        pty.send(FRAME)
        assert port.read(len(FRAME)) == FRAME
        assert pty.read() == b"hello"


def test_drain_waits_for_a_slow_reader_and_gives_up_when_told(pty):
    reader, frames = open_port(pty.address), 0
    while pty.send(FRAME):
        frames += 1
    stop = threading.Event()
    waiter = threading.Thread(target=pty.drain, args=(stop,))
    waiter.start()
    got = b""
    while len(got) < frames * len(FRAME):
        got += pull(reader)
    waiter.join(10)
    assert not waiter.is_alive()
    assert got == FRAME * frames
    pty.send(FRAME)
    stop.set()
    pty.drain(stop)  # returns although the frame is unread
    assert pull(reader) == FRAME
    os.close(reader)
    pty.drain(threading.Event())  # nobody there


def test_a_link_follows_the_port_and_goes_with_it(tmp_path):
    path = tmp_path / "patch"
    link = PtyLink(str(path))
    assert link.address == str(path)
    first = open_port(path)
    assert stat.S_ISCHR(path.stat().st_mode) and link.poll() == 1
    link.hang_up()
    assert not path.is_symlink() and link.poll() == 0 and not link.send(FRAME) and link.read() == b""
    assert os.read(first, 100) == b""  # end of file: the plug was pulled
    link.plug_in()
    second = open_port(path)
    assert link.poll() == 2
    assert link.send(FRAME) and pull(second) == FRAME
    link.close()
    assert not path.is_symlink()
    os.close(first)
    os.close(second)


def test_a_link_replaces_a_stale_link_but_nothing_else(tmp_path):
    stale = tmp_path / "stale"
    stale.symlink_to(tmp_path / "nowhere")
    link = PtyLink(str(stale))
    assert str(stale.readlink()) == link.port
    stale.unlink()
    stale.symlink_to(tmp_path / "elsewhere")  # another patch took the name over
    link.close()
    assert stale.is_symlink()
    file = tmp_path / "file"
    file.write_text("precious")
    with pytest.raises(UsageError, match="no symbolic link"):
        PtyLink(str(file))
    assert file.read_text() == "precious"
    with pytest.raises(UsageError, match="cannot make the link"):
        PtyLink(str(tmp_path / "no" / "folder"))


def test_tcp_serves_one_reader_after_the_other(tcp):
    assert tcp.poll() == 0 and not tcp.send(FRAME) and tcp.read() == b""
    for number in (1, 2):
        with dial(tcp) as reader:
            settle(tcp, number)
            assert tcp.send(EVERY_BYTE)
            assert reader.recv(1000) == EVERY_BYTE
            reader.sendall(b"hello")
            tcp.wait(1)
        settle(tcp, 0)


def test_a_full_socket_takes_whole_frames_or_none(tcp):
    with dial(tcp) as reader:
        settle(tcp, 1)
        sent = 0
        while tcp.send(FRAME):
            sent += 1
        assert not tcp.send(FRAME)
        got = b""
        while len(got) < sent * len(FRAME):
            got += reader.recv(1 << 20)
            tcp._outbox.flush(tcp._reader.send)
        assert got == FRAME * sent


def test_tcp_drains_before_it_closes(tcp):
    with dial(tcp) as reader:
        settle(tcp, 1)
        reader.sendall(b"commands that nobody reads")
        sent = 0
        while tcp.send(FRAME):
            sent += 1
        waiter = threading.Thread(target=tcp.drain, args=(threading.Event(),))
        waiter.start()
        got = b""
        while chunk := reader.recv(1 << 20):
            got += chunk
    waiter.join(10)
    assert not waiter.is_alive()
    assert got == FRAME * sent
    assert tcp.poll() == 0  # it saw the reader go


def test_tcp_unplugged_refuses_and_comes_back_on_the_same_port(tcp):
    address = tcp.address
    with dial(tcp) as reader:
        settle(tcp, 1)
        tcp.hang_up()
        assert reader.recv(100) == b"" and tcp.poll() == 0
    with pytest.raises(ConnectionRefusedError):
        dial(tcp)
    tcp.plug_in()
    assert tcp.address == address
    with dial(tcp):
        settle(tcp, 2)


def test_a_port_in_use_is_told(tcp):
    host, port = parse_host_port(tcp.address)
    with pytest.raises(PortBusyError, match="cannot listen") as caught:
        TcpLink(host, port)
    assert "--tcp" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("127.0.0.1:4567", ("127.0.0.1", 4567)),
        (":0", ("127.0.0.1", 0)),
        ("tcp://[::1]:99", ("::1", 99)),
        ("host:1", ("host", 1)),
    ],
)
def test_addresses(text, parsed):
    assert parse_host_port(text) == parsed


@pytest.mark.parametrize("text", ["", "4567", "host:", "host:x", "host:70000", "host:-1"])
def test_bad_addresses(text):
    with pytest.raises(UsageError, match="bad address"):
        parse_host_port(text)
