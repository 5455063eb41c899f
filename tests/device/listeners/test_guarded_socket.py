"""Places, descriptors and time limits before anybody has greeted, on all three faces. Real sockets throughout."""

import asyncio
import contextlib
import os
import resource
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from ecg_edge.device.listeners.address import UnixAddress, listen_tcp, split_address
from ecg_edge.device.listeners.guarded_socket import AT_ONCE, BACKLOG, PER_S, PLACES, WAITING, GuardedSocket
from ecg_edge.device.listeners.streams import peer_of, start_server, turn_out
from ecg_edge.device.listeners.tls import server_tls
from ecg_edge.device.monitor.monitor_sink import MonitorSink
from ecg_edge.device.sinks.line_server import LineServer
from ecg_edge.device.sinks.prometheus import MetricsSink
from ecg_edge.firmware_bridge.errors import UsageError
from tests.device.monitor.test_monitor import make_header, make_status, watch
from tests.support.certificate import make_certificate

PATIENCE = 20.0
TOKEN = "0123456789abcdef"


@dataclass
class Face:
    """A listener, and the request that its right clients make."""

    name: str
    port: int
    close: Callable[[], None]
    path: str = ""

    def request(self, token=TOKEN):
        if not self.path:
            return f"{token}\n".encode()
        return f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()

    def ask(self, token=TOKEN):
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as s, suppress(OSError):
            s.sendall(self.request(token))
            return s.recv(4096).split(b"\r\n")[0]
        return b""

    @property
    def right(self):
        return b"HTTP/1.1 200 OK" if self.path else b'{"type":"header"}\n'


def lines(token=TOKEN, tls=None):
    server = LineServer("tcp://127.0.0.1:0", token, tls)
    server.send("header", '{"type":"header"}')
    return Face("serve", int(server.address.rsplit(":", 1)[1]), server.close)


def metrics(token=TOKEN, tls=None):
    sink = MetricsSink("0", token, tls=tls)
    sink.open(make_header())
    return Face("metrics", int(sink.url.split(":")[2].split("/")[0]), sink.close, "/metrics")


def monitor(token=TOKEN, tls=None):
    sink = MonitorSink(token=token, tls=tls)
    sink.open(make_header())
    return Face("monitor", int(sink.url.split(":")[2].strip("/")), sink.close, "/login")


@pytest.fixture(params=[lines, metrics, monitor], ids=["serve", "metrics", "monitor"])
def face(request):
    found = request.param()
    yield found
    found.close()


def descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def crowd(stack, port, n, source=None):
    """Clients that connect and are silent; they live in this process, so each costs a descriptor of our own."""
    held = []
    for _ in range(n):
        s = stack.enter_context(contextlib.closing(socket.socket()))
        s.setblocking(False)
        if source:
            s.bind((source, 0))
        s.connect_ex(("127.0.0.1", port))
        held.append(s)
    return held


def settled(ask, want):
    deadline = time.monotonic() + PATIENCE
    while not want(found := ask()) and time.monotonic() < deadline:
        time.sleep(0.01)  # another thread's work is waited for, with a bound
    return found


def test_a_silent_crowd_costs_a_bounded_number_of_descriptors_and_keeps_nobody_out(face):
    with contextlib.ExitStack() as stack:
        before = descriptors()
        crowd(stack, face.port, 300)
        ours = settled(lambda: descriptors() - before - 300, lambda n: n <= PLACES + BACKLOG)
        assert ours <= PLACES + BACKLOG  # those who waited have been let in, and made room for others
        assert settled(face.ask, lambda answer: answer == face.right) == face.right


def test_the_last_descriptors_are_no_clients(face):
    """The limit stands just above what is open: clients are turned away, and a file can still be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = descriptors()
    with contextlib.ExitStack() as stack:
        held = crowd(stack, face.port, 40)
        settled(lambda: descriptors(), lambda n: n > before + 40)
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + 30, hard))
        try:
            for s in held:
                s.close()
            crowd(stack, face.port, 10)
            with Path(os.devnull).open(), Path(os.devnull).open():
                assert face.ask() in (b"", face.right)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("make", [lines, metrics, monitor])
def test_who_does_not_greet_in_time_is_shown_out(make, monkeypatch):
    for module in ("sinks.line_server", "sinks.prometheus", "monitor.monitor_sink"):
        monkeypatch.setattr(f"ecg_edge.device.{module}.GREET_S", 0.05)
    face = make()
    try:
        with socket.create_connection(("127.0.0.1", face.port), timeout=PATIENCE) as early:
            early.sendall(b"G")
            with suppress(ConnectionError):
                assert b"200" not in early.recv(100)
    finally:
        face.close()


def test_those_who_are_in_stay_in():
    sink = MonitorSink()
    sink.open(make_header())
    try:
        with watch(sink) as ws, contextlib.ExitStack() as stack:
            ws.recv(timeout=PATIENCE)
            crowd(stack, int(sink.url.split(":")[2].strip("/")), 200)
            sink.status(make_status())
            assert '"status"' in ws.recv(timeout=PATIENCE)
    finally:
        sink.close()


def test_ten_wrong_tokens_and_the_right_one_must_wait(face, monkeypatch):
    monkeypatch.setattr("ecg_edge.device.listeners.token_check._PER_S", 0.0)
    assert face.ask() == face.right
    for k in range(10):
        assert face.ask(f"wrong-{k}") != face.right
    assert face.ask() != face.right


@pytest.mark.parametrize("make", [lines, metrics, monitor])
def test_tls_is_spoken_where_there_is_a_certificate(make, tmp_path):
    cert, key = make_certificate(tmp_path)
    face = make(tls=server_tls(cert, key))
    client = ssl.create_default_context(cafile=cert)
    try:
        with socket.create_connection(("127.0.0.1", face.port), timeout=PATIENCE) as half_open:
            with (
                socket.create_connection(("127.0.0.1", face.port), timeout=PATIENCE) as s,
                client.wrap_socket(s, server_hostname="localhost") as t,
            ):
                t.sendall(face.request())
                assert t.recv(4096).startswith(face.right)
            half_open.sendall(b"no hello at all\r\n\r\n")
            with suppress(ConnectionError):
                assert b"200" not in half_open.recv(100)
    finally:
        face.close()


def test_a_certificate_that_is_none_is_refused(tmp_path):
    (tmp_path / "x.pem").write_text("no certificate")
    for cert, key in ((str(tmp_path / "x.pem"), None), (str(tmp_path / "missing"), None), (None, "key.pem")):
        with pytest.raises(UsageError, match="--tls-"):
            server_tls(cert, key)
    assert server_tls(None, None) is None


def test_a_socket_that_a_run_serves_is_not_taken(tmp_path):
    first = UnixAddress(tmp_path / "s")
    with pytest.raises(OSError, match="another run"):
        UnixAddress(tmp_path / "s")
    first.socket.close()  # as when the run is killed
    second = UnixAddress(tmp_path / "s")
    first.remove()
    assert (tmp_path / "s").is_socket()
    second.remove()
    assert not (tmp_path / "s").exists()
    second.socket.close()


@pytest.mark.parametrize("make", [lambda: LineServer("tcp://[::1]:0"), lambda: metrics_at("[::1]:0")])
def test_ipv6_is_an_address_like_any_other(make):
    try:
        listen_tcp("::1", 0).close()
    except OSError:
        pytest.skip("no IPv6 here")
    server = make()
    assert "[::1]:" in (server.address if isinstance(server, LineServer) else server.url)
    server.close()


def metrics_at(address):
    sink = MetricsSink(address)
    sink.open(make_header())
    with urllib.request.urlopen(sink.url, timeout=PATIENCE) as answer:
        assert answer.status == 200
    return sink


def test_addresses_are_split_or_refused():
    assert split_address("[::1]:9") == ("::1", 9) and split_address(":80") == ("", 80)
    for wrong in ("[::1", "host", "host:99999", "user@host:1", "host:1/path", "host:x"):
        with pytest.raises(ValueError):
            split_address(wrong)


@contextlib.asynccontextmanager
async def serving(welcome, **given):
    """A listener on the loopback, in the running loop."""
    with contextlib.closing(GuardedSocket(**given)) as listener:
        listener.bind(("127.0.0.1", 0))
        server = await start_server(welcome, listener, None)
        yield listener
        server.close()
        await turn_out(listener)


async def until(done):
    """Turn the loop until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not done() and time.monotonic() < deadline:
        await asyncio.sleep(0.001)
    assert done()


def test_a_place_is_free_again_when_a_client_has_left():
    async def scene():
        async def welcome(reader, writer):
            listener.greeted(writer.get_extra_info("socket").fileno())
            with contextlib.suppress(OSError):
                await reader.read()
            writer.close()

        async with serving(welcome, places=2) as listener:
            with contextlib.ExitStack() as stack:
                first, _ = crowd(stack, port_of(listener), 2)
                await until(lambda: listener.guests == 2)
                third = crowd(stack, port_of(listener), 1)[0]
                await until(lambda: ended(third))  # both have greeted and stay
                first.close()
                await until(lambda: listener.guests == 1)
                fourth = crowd(stack, port_of(listener), 1)[0]
                await until(lambda: listener.guests == 2)
                assert not ended(fourth)

    asyncio.run(scene())


def port_of(listener):
    return listener.getsockname()[1]


def ended(s):
    try:
        return s.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_a_flood_gets_a_seconds_share_while_a_newcomer_from_elsewhere_is_let_in_next():
    """The clock stands still, so that what is let in is the burst alone; then it goes on by one place."""

    async def scene():
        let_in, now = [], [0.0]

        async def welcome(reader, writer):
            let_in.append(peer_of(writer))
            writer.close()

        async with serving(welcome, places=1000, now=lambda: now[0]) as listener:
            with contextlib.ExitStack() as stack:
                crowd(stack, port_of(listener), AT_ONCE + 40)
                await until(lambda: len(let_in) == AT_ONCE and listener.waiting == 40)
                crowd(stack, port_of(listener), 1, "127.0.2.1")
                await until(lambda: listener.waiting == 41)
                now[0] += 1 / PER_S
                await until(lambda: len(let_in) == AT_ONCE + 1)
                assert let_in[-1] == "127.0.2.1" and set(let_in[:-1]) == {"127.0.0.1"}
                now[0] += 60
                await until(lambda: len(let_in) == 2 * AT_ONCE + 1)  # a quiet minute saves up one burst

    asyncio.run(scene())


def test_who_is_too_many_at_the_door_is_closed_and_it_is_the_crowds():
    async def scene():
        async def welcome(reader, writer):
            await reader.read()
            writer.close()

        now = [0.0]
        async with serving(welcome, places=AT_ONCE, now=lambda: now[0]) as listener:
            with contextlib.ExitStack() as stack:
                held = []
                for n in (AT_ONCE, WAITING // 2, WAITING // 2):  # no more than the kernel queues
                    held += crowd(stack, port_of(listener), n)
                    await until(partial(lambda n: listener.guests + listener.waiting == n, len(held)))
                other = crowd(stack, port_of(listener), 1, "127.0.2.1")[0]
                await until(lambda: ended(held[-1]))
                assert listener.waiting == WAITING and not ended(other) and not ended(held[-2])

    asyncio.run(scene())


def test_a_client_that_has_gone_while_it_waited_is_no_harm():
    async def scene():
        ends, now = [], [0.0]

        async def welcome(reader, writer):
            ends.append(await reader.read())
            writer.close()

        async with serving(welcome, now=lambda: now[0]) as listener:
            with contextlib.ExitStack() as stack:
                crowd(stack, port_of(listener), AT_ONCE + 5)
                await until(lambda: listener.waiting == 5)
            now[0] += 1
            await until(lambda: len(ends) >= AT_ONCE and not listener.guests and not listener.waiting)

    asyncio.run(scene())
