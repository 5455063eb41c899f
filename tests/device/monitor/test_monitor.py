import asyncio
import contextlib
import json
import re
import socket
import sys
import threading
from datetime import datetime, timezone
from fractions import Fraction
from importlib import resources

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.inference.spec import Head, ModelSpec
from ecg_edge.device.lead_algebra import Provenance, provenance
from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.listeners.exposure import is_loopback
from ecg_edge.device.monitor.frames import decode_frame
from ecg_edge.device.monitor.front_door import FILES, FrontDoor
from ecg_edge.device.monitor.hub import Client, Hub
from ecg_edge.device.monitor.monitor_sink import HISTORY_S, MonitorSink
from ecg_edge.device.sinks.sink import RunHeader, Sink, Status
from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.errors import MissingExtraError, PortBusyError, UsageError
from ecg_edge.firmware_bridge.events import Channel, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.lead_names import LEADS

MEASURED = ("I", "II")
FS = 100
TOKEN = "a-secret/ with=odd&signs"


def make_header():
    chest = LEADS[6:]
    zeros = np.zeros((4, 6), np.float32)
    head = Head((), zeros, zeros, np.eye(4, dtype=np.float32), 0.9, np.ones(6, np.float32))
    spec = ModelSpec("streaming", MEASURED, chest, FS, 8, 12, 800, 1.2, 1, (), head, ConditioningSpec(), "ab")
    info = StreamInfo("Patch", Fraction(250), (Channel("I", 1e-4), Channel("II", 1e-4)))
    started = datetime(2024, 5, 1, tzinfo=timezone.utc)
    terms = {"frame": 0.01, "algorithmic": 0.19}
    return RunHeader(info, "synthetic:", spec, "limb.onnx", "cd" * 32, provenance(MEASURED), started, terms)


def make_block(index, n=8):
    mv = np.tile((index + np.arange(n, dtype=np.float32))[:, None] / 1000, (1, 12))
    yes = np.ones((n, 12), np.bool_)
    sigma = np.zeros((n, 12), np.float32)
    sigma[:, 6:] = 0.1
    return LeadBlock(index, mv, provenance(MEASURED), yes, np.zeros(n, np.bool_), sigma)


def make_status():
    return Status(1.0, 250, 100, 2, 250.0, 3.0, 8.0, 72.0)


@pytest.fixture
def monitor():
    sink = MonitorSink(clock=ManualClock())
    sink.open(make_header())
    yield sink
    sink.close()


def host_of(sink):
    return re.match(r"http://([^/]+)/", sink.url).group(1)


def plain(sink):
    name, port = host_of(sink).rsplit(":", 1)
    return socket.create_connection((name.strip("[]"), int(port)), timeout=20)


def watch(sink, **options):
    """Open a socket as the page would; a socket of our own keeps any proxy out of it."""
    host = host_of(sink)
    options = {"origin": f"http://{host}"} | options
    return connect(f"ws://{host}/ws", sock=plain(sink), compression=None, **options)


def http(sink, target="/", host=None, method="GET"):
    """Send a request to the letter (a client library would tidy the path up); return status, headers, body."""
    with plain(sink) as s:
        s.sendall(f"{method} {target} HTTP/1.1\r\nHost: {host or host_of(sink)}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body


def frames_until(ws, index):
    """Read until the frame that begins at `index`; return all frames on the way."""
    frames = []
    while not frames or frames[-1].index < index:
        message = ws.recv(timeout=20)
        if isinstance(message, bytes):
            frames.append(decode_frame(message))
    return frames


def test_the_header_comes_first_and_says_what_is_estimated(monitor):
    sink: Sink = monitor
    assert sink.name == "monitor"
    with watch(monitor) as ws:
        header = json.loads(ws.recv(timeout=20))
    assert header["type"] == "header" and header["leads"] == list(LEADS) and header["fs"] == FS
    assert header["provenance"] == ["measured"] * 2 + ["derived"] * 4 + ["reconstructed"] * 6
    assert header["model"] == {"name": "limb.onnx", "precision": "fp32", "sha256": "cd" * 32}
    assert header["algorithmic_ms"] == pytest.approx(190) and header["latency_ms"]["frame"] == pytest.approx(10)
    assert header["interval_level"] == 0.9 and header["device"] == "Patch" and header["native_fs"] == 250


def test_live_frames_carry_the_numbers_that_were_sent(monitor):
    with watch(monitor) as ws:
        ws.recv(timeout=20)
        for k in range(5):
            monitor.leads(make_block(8 * k))
        frames = frames_until(ws, 32)
    assert [f.index for f in frames] == [0, 8, 16, 24, 32] and [f.sequence for f in frames] == list(range(5))
    np.testing.assert_array_equal(np.concatenate([f.uv for f in frames])[:, 3], np.arange(40))
    assert frames[0].provenance[6] is Provenance.RECONSTRUCTED
    assert (frames[0].sigma_uv[:, 6:] == 100).all() and (frames[0].sigma_uv[:, :6] == 0).all()


def test_a_late_client_gets_the_last_minute_and_then_goes_on_without_a_hole(monitor):
    for k in range(900):
        monitor.leads(make_block(8 * k))
    monitor.status(make_status())
    monitor.note(Note("gap", 1, 2, "one sample lost"))
    with watch(monitor) as ws:
        texts = [json.loads(ws.recv(timeout=20)) for _ in range(3)]
        monitor.leads(make_block(7200))
        frames = frames_until(ws, 7200)
    assert [t["type"] for t in texts] == ["header", "status", "note"]
    assert texts[2]["at"].startswith("2000-01-01T00:00:00")
    assert sum(len(f.uv) for f in frames[:-1]) == HISTORY_S * FS
    assert [f.sequence for f in frames] == list(range(150, 901))


def test_native_samples_are_no_concern_of_the_page(monitor):
    one = np.zeros((1, 2), np.int32)
    monitor.native(SampleBlock(0, one, one.astype(np.float32), one == 0))
    monitor.leads(make_block(0))
    with watch(monitor) as ws:
        ws.recv(timeout=20)
        assert frames_until(ws, 0)[0].index == 0


def test_a_client_that_never_reads_loses_frames_and_holds_up_nobody(monitor):
    with watch(monitor) as good, watch(monitor, max_queue=1) as lazy:
        json.loads(good.recv(timeout=20)), lazy.recv(timeout=20)
        for k in range(60):  # frames of 200 kB: sockets, however large their buffers, are soon full
            monitor.leads(make_block(4096 * k, 4096))
            frames_until(good, 4096 * k)
        assert monitor.frames_dropped > 0
        got = frames_until(lazy, 4096 * 59)
    sequences = [f.sequence for f in got]
    assert sequences == sorted(set(sequences)) and len(got) < 60, "oldest first, with a hole that shows"
    assert len(got) + monitor.frames_dropped == 60


def test_close_says_goodbye_and_frees_the_port(monitor):
    port = int(host_of(monitor).rsplit(":", 1)[1])
    with watch(monitor) as ws:
        ws.recv(timeout=20)
        monitor.close()
        assert json.loads(ws.recv(timeout=20)) == {"type": "end"}
        with pytest.raises(ConnectionClosed):
            ws.recv(timeout=20)
    monitor.close()
    again = MonitorSink(port=port)
    again.open(make_header())
    again.close()
    assert threading.active_count() < 10
    with pytest.raises(UsageError, match="not open"):
        monitor.leads(make_block(0))


def test_a_client_that_never_reads_cannot_keep_the_monitor_open(monitor):
    with watch(monitor, max_queue=1, close_timeout=0.1) as lazy:
        lazy.recv(timeout=20)
        for k in range(60):
            monitor.leads(make_block(4096 * k, 4096))
        monitor.close()
        assert monitor.frames_dropped > 0
        with pytest.raises(OSError, match="refused"):
            plain(monitor)


def test_a_busy_port_is_named_with_the_way_out(monitor):
    port = int(host_of(monitor).rsplit(":", 1)[1])
    with pytest.raises(PortBusyError, match=f"{port}.*\n.*another port"):
        MonitorSink(port=port).open(make_header())


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 0), ("no such host", 0)])
def test_an_address_that_is_not_ours_is_a_usage_error(host, port):
    with pytest.raises(UsageError, match=r"cannot listen[^\n]*\n.*use 127\.0\.0\.1"):
        MonitorSink(host=host, port=port, token=TOKEN).open(make_header())


@pytest.mark.parametrize("port", [-1, 65536, 70000])
def test_a_port_out_of_range_is_a_usage_error(port):
    with pytest.raises(UsageError, match="no TCP port"):
        MonitorSink(port=port)


def test_the_url_is_unknown_before_open():
    with pytest.raises(UsageError, match="before it is open"):
        _ = MonitorSink().url
    assert MonitorSink().frames_dropped == 0


def test_without_websockets_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "websockets.asyncio.server", None)
    with pytest.raises(MissingExtraError, match=r"ecg-edge\[web\]"):
        MonitorSink().open(make_header())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "raspberrypi"])
def test_the_network_needs_a_token(host):
    with pytest.raises(UsageError, match="without a token"):
        MonitorSink(host=host)
    MonitorSink(host=host, token=TOKEN)


@pytest.mark.parametrize("token", ["", "short", "längeres-wort-noch", "line\nbreak-in-it"])
def test_a_poor_token_is_refused(token):
    with pytest.raises(UsageError, match="printable ASCII"):
        MonitorSink(token=token)


def test_loopback_is_what_only_this_machine_reaches():
    assert [is_loopback(h) for h in ("127.0.0.1", "127.9.9.9", "::1", "LOCALHOST")] == [True] * 4
    assert not any(is_loopback(h) for h in ("0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", ""))


def asked(sink, target, **headers):
    """Send a request with headers; return its status and headers."""
    lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    with plain(sink) as s:
        s.sendall(f"GET {target} HTTP/1.1\r\nHost: {host_of(sink)}\r\n{lines}\r\n".encode())
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    status, *lines = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines)


@pytest.fixture
def guarded():
    sink = MonitorSink(token=TOKEN, allowed=("ward.example",))
    sink.open(make_header())
    yield sink
    sink.close()


def test_the_page_asks_for_the_token_and_a_cookie_remembers(guarded):
    assert "?" not in guarded.url and TOKEN not in guarded.where
    assert http(guarded)[0] == 401 and b"login.js" in http(guarded)[2]
    assert asked(guarded, "/login", Authorization=f"Bearer {TOKEN}x")[0] == 403
    status, headers = asked(guarded, "/login", Authorization=f"Bearer {TOKEN}")
    cookie = headers["Set-Cookie"]
    assert status == 200 and "HttpOnly" in cookie and "SameSite=Lax" in cookie and TOKEN not in cookie
    assert asked(guarded, "/", Cookie=f"other=1; {cookie.partition(';')[0]}")[0] == 200
    for target in ("/?token=" + TOKEN.replace(" ", "+"), "/?token=%ff"):
        assert http(guarded, target)[0] == 401
    assert http(guarded, "/ws")[0] == 403
    assert asked(guarded, "/ws", Cookie="ecg-edge=forged")[0] == 403


def test_a_program_brings_the_token_in_a_header(guarded):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with watch(guarded, additional_headers=headers) as ws:
        assert json.loads(ws.recv(timeout=20))["type"] == "header"
    with pytest.raises(InvalidStatus) as refused, watch(guarded, additional_headers={"Authorization": "Bearer no"}):
        pass
    assert refused.value.response.status_code == 403


def test_a_proxy_serves_the_page_under_its_own_name(guarded):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with watch(guarded, additional_headers=headers, origin="https://ward.example") as ws:
        assert json.loads(ws.recv(timeout=20))["type"] == "header"
    assert http(guarded, "/monitor.js", "ward.example")[0] == 200
    assert http(guarded, "/monitor.js", "ward.example.evil.example")[0] == 403


def test_the_page_is_complete_and_locked_down(monitor):
    status, headers, body = http(monitor)
    assert status == 200 and headers["content-type"] == "text/html; charset=utf-8"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    assert b"not for diagnosis" in body and "0.5–40 Hz".encode() in body
    assert not re.search(rb"https?://", body), "nothing from elsewhere"


def test_every_file_of_the_folder_is_served_and_every_import_resolves(monitor):
    folder = resources.files("ecg_edge.device.monitor") / "web"
    assert {name for name, _ in FILES.values()} == {f.name for f in folder.iterdir()}
    for path, (name, content_type) in FILES.items():
        status, headers, body = http(monitor, path)
        assert (status, headers["content-type"]) == (200, content_type)
        assert body == (folder / name).read_bytes()
        for imported in re.findall(rb'from "\./([a-z.]+)"', body):
            assert f"/{imported.decode()}" in FILES


@pytest.mark.parametrize(
    "target",
    [
        "/nothing",
        "/index.html",
        "/../monitor.py",
        "/web/../../pyproject.toml",
        "/%2e%2e/monitor.py",
        "//monitor.js",
        "/./monitor.js",
        "/monitor.js/..%5c",
        "http://127.0.0.1/monitor.js",
        "/ws/",
    ],
)
def test_what_is_not_in_the_table_does_not_exist(monitor, target):
    assert http(monitor, target)[0] == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1", "localhost@evil"]
)
def test_a_foreign_name_for_our_address_is_refused(monitor, host):
    assert http(monitor, "/", host)[0] == 403
    assert http(monitor, "/ws", host)[0] == 403


@pytest.mark.parametrize("host", ["localhost:1234", "127.0.0.1", "[::1]:80", "LOCALHOST"])
def test_our_own_names_and_addresses_are_known(host):
    assert FrontDoor("127.0.0.1", None).answer("/", host, "").status == 200


def test_a_request_without_a_host_is_refused_even_where_all_addresses_are_bound():
    assert FrontDoor("", TOKEN).answer("/monitor.js", "", "").status == 403


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://127.0.0.1:1", "file://", "http://[::"])
def test_a_socket_from_another_origin_is_refused(monitor, origin):
    with pytest.raises(InvalidStatus) as refused, watch(monitor, origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_other_methods_and_junk_do_not_hurt(monitor, capfd):
    with plain(monitor) as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not s.recv(65536).startswith(b"HTTP/1.1 200")
    with plain(monitor) as s:
        s.sendall(b"\x16\x03\x01\x00junk\r\n\r\n")
        s.recv(65536)
    assert http(monitor)[0] == 200
    assert capfd.readouterr().err == ""


def test_too_many_browsers_are_turned_away(monitor):
    with contextlib.ExitStack() as stack:
        for _ in range(16):
            stack.enter_context(watch(monitor)).recv(timeout=20)
        with pytest.raises(InvalidStatus) as refused, watch(monitor):
            pass
    assert refused.value.response.status_code == 503


def test_a_full_queue_drops_frames_before_words():
    sent = []

    async def send(message):
        sent.append(message)
        if message == b"5":
            raise ConnectionError

    async def scene():
        client = Client(["hello"], limit=3)
        for message in (b"1", "note", b"2", b"3", b"4", b"5"):
            client.push(message)
        with pytest.raises(ConnectionError):
            await client.pump(send)
        return client.dropped

    assert asyncio.run(scene()) == 3
    assert sent == ["hello", "note", b"4", b"5"]


def test_history_is_bounded_and_lost_frames_of_those_who_left_still_count():
    hub = Hub("header", history_rows=20, queue=1)
    client = hub.join()
    for k in range(10):
        hub.frame(bytes([k]), 8)
    hub.leave(client)
    assert hub.dropped == 9 and not hub.clients
    seen = []

    async def send(message):
        seen.append(message)
        if message == b"\x09":
            raise ConnectionError

    with pytest.raises(ConnectionError):
        asyncio.run(hub.join().pump(send))
    assert seen == ["header", b"\x07", b"\x08", b"\x09"]
