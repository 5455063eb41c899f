"""Leads to other programs: JSON lines, sockets, MQTT, LSL, Prometheus, systemd. Real sockets throughout."""

import contextlib
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.sinks.json_lines import JsonLines, leads_line
from ecg_edge.device.sinks.line_server import LineServer
from ecg_edge.device.sinks.messages import status_message
from ecg_edge.device.sinks.mqtt import MqttSender
from ecg_edge.device.sinks.network import Network
from ecg_edge.device.sinks.prometheus import MetricsSink
from ecg_edge.device.sinks.sink import RunHeader, Status
from ecg_edge.device.sinks.systemd import SystemdSink
from ecg_edge.firmware_bridge.errors import PortBusyError, PortNotFoundError, UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS
from tests.support import fakes
from tests.support.certificate import make_certificate

PATIENCE = 10.0
"""Real seconds after which a test gives up; nothing that passes waits for it."""
NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def run(model):
    """A header, the blocks of two seconds with a lead off, and some figures."""
    pipeline = Pipeline(model, fakes.info(), mains_hz=None)
    header = RunHeader(
        pipeline.info, "tests:", model.spec, "tiny.onnx", model.file_sha256, pipeline.provenance, NOW,
        pipeline.latency_terms,
    )  # fmt: skip
    valid = np.ones((500, 2), bool)
    valid[300:, 1] = False
    blocks, _ = fakes.drain(pipeline, [fakes.block(fakes.walk(500), 0, valid)])
    return header, blocks, Status(2.0, 500, 200, 3, 250.0, 1.5, 2.5, None, ("LA",), 4, True, 90)


def play(sink, run):
    header, blocks, status = run
    sink.open(header)
    for block in blocks:
        sink.leads(block)
    sink.note(Note("lead-off", 300, 300, 'lead-off "LA"\n'))
    sink.status(status)
    sink.close()


def check_lines(lines, run):
    docs = [json.loads(line) for line in lines]
    kinds = [d["type"] for d in docs]
    assert kinds[0] == "header" and kinds[-3:] == ["note", "status", "end"] and set(kinds[1:-3]) == {"leads"}
    _, blocks, _ = run
    leads = [d for d in docs if d["type"] == "leads"]
    assert [d["index"] for d in leads] == [b.index for b in blocks if len(b)]
    mv, valid = (np.concatenate([getattr(b, x) for b in blocks]) for x in ("mv", "valid"))
    for k, lead in enumerate(LEADS):
        got = [v for d in leads for v in d["uv"][lead]]
        assert [v is not None for v in got] == valid[:, k].tolist()
        sent = np.array([v for v in got if v is not None])
        assert np.abs(sent / 1000 - mv[valid[:, k], k]).max() <= 0.00051
    assert set(leads[0]["interval_uv"]) == set(LEADS[6:]) and "provenance" not in leads[0]
    assert docs[-2]["heart_rate_bpm"] is None and docs[-2]["lead_off"] == ["LA"]


def test_lines_hold_what_the_blocks_hold(run):
    lines = []
    play(JsonLines(lambda kind, line: lines.append(line), lambda: NOW), run)
    check_lines(lines, run)


def test_a_change_of_provenance_is_told_once(run):
    header, blocks, _ = run
    other = tuple(reversed(header.provenance))
    lines = []
    sink = JsonLines(lambda kind, line: lines.append(json.loads(line)), lambda: NOW)
    sink.open(header)
    block = next(b for b in blocks if len(b))
    for provenance in (header.provenance, other, other, header.provenance):
        sink.leads(replace(block, provenance=provenance))
    assert ["provenance" in line for line in lines[1:]] == [False, True, False, True]
    assert lines[2]["provenance"]["I"] == other[0].value


def test_a_run_on_stdout_is_nothing_but_lines(model, capsys):
    assert main(["run", "synthetic:", "--fast", "--seconds", "3", "--model", str(model.path), "--jsonl"]) == 0
    docs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert docs[0]["type"] == "header" and docs[-1]["type"] == "end"
    assert sum(len(d["uv"]["V6"]) for d in docs if d["type"] == "leads") == 300


def lines_of(s, n=None):
    s.settimeout(PATIENCE)
    with s.makefile() as f:
        return [line for _, line in zip(range(n), f, strict=False)] if n else f.read().splitlines()


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_every_client_gets_every_line_and_a_late_one_the_header(run, tmp_path, kind):
    server = LineServer("tcp://127.0.0.1:0" if kind == "tcp" else f"unix:{tmp_path / 's'}")

    def connect():
        if kind == "unix":
            s = socket.socket(socket.AF_UNIX)
            s.connect(str(tmp_path / "s"))
        else:
            host, port = server.address.removeprefix("tcp://").split(":")
            s = socket.create_connection((host, int(port)))
        return s

    header, blocks, status = run
    with closing(connect()) as early:
        sink = JsonLines(server.send, lambda: NOW, server.close)
        sink.open(header)
        with closing(connect()) as late:
            assert [json.loads(x)["type"] for s in (early, late) for x in lines_of(s, 1)] == ["header", "header"]
            for block in blocks:
                sink.leads(block)
            sink.note(Note("gap", 0, 0, ""))
            sink.status(status)
            sink.close()
            for s in (early, late):
                assert json.loads(lines_of(s)[-1])["type"] == "end"
    if kind == "unix":
        assert not (tmp_path / "s").exists()


def test_a_unix_socket_is_for_its_owner_alone(tmp_path):
    server = LineServer(f"unix:{tmp_path / 's'}")
    assert (tmp_path / "s").stat().st_mode & 0o077 == 0
    server.close()


def test_a_client_that_never_reads_costs_bounded_memory_and_delays_nobody():
    server = LineServer("tcp://127.0.0.1:0")
    host, port = server.address.removeprefix("tcp://").split(":")
    with closing(socket.create_connection((host, int(port)))) as idle:
        server.send("header", "{}")
        assert lines_of(idle, 1) == ["{}\n"]
        for _ in range(300):
            server.send("leads", "x" * 100_000)
        sent = threading.Event()
        server._thread.post(sent.set)  # a client that began to read before could keep up, and would stay
        assert sent.wait(PATIENCE)
        idle.settimeout(PATIENCE)
        received = 0
        try:
            while part := idle.recv(1 << 20):
                received += len(part)
        except ConnectionResetError:
            pass
        assert received < 30_000_000  # it was dropped on the way
    server.close()


def test_the_network_needs_a_token():
    with pytest.raises(UsageError, match="token"):
        LineServer("tcp://0.0.0.0:0")
    server = LineServer("tcp://127.0.0.1:0", "secret-secret")
    host, port = server.address.removeprefix("tcp://").split(":")
    server.send("header", '{"type":"header"}')
    for word, admitted in (("wrong-wrong\n", False), ("secret-secret\n", True)):
        with closing(socket.create_connection((host, int(port)))) as s:
            s.sendall(word.encode())
            s.settimeout(PATIENCE)
            assert (s.recv(100) != b"") is admitted
    server.close()


@pytest.mark.parametrize("url", ["http://x", "tcp://nowhere", "9000"])
def test_a_bad_address_is_refused(url):
    with pytest.raises(UsageError):
        LineServer(url)


def test_an_address_in_use_is_refused():
    with closing(socket.create_server(("127.0.0.1", 0))) as taken, pytest.raises(PortBusyError):
        LineServer(f"tcp://127.0.0.1:{taken.getsockname()[1]}")


class Broker:
    """As much of MQTT 3.1.1 as a publisher meets, on a real socket."""

    def __init__(self, answer=0, tls=None):
        self.answer, self.tls = answer, tls
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.published, self.connect, self.left = [], b"", threading.Event()
        self.session, self.connections = None, 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with self.server:
            while not self.left.is_set():
                self.session, _ = self.server.accept()
                with contextlib.suppress(OSError, ValueError):
                    if self.tls:
                        self.session = self.tls.wrap_socket(self.session, server_side=True)
                    with self.session as s, s.makefile("rb") as f:
                        self._talk(s, f)

    def cut(self):
        """Break the connection, as a broker that is restarted."""
        self.session.shutdown(socket.SHUT_RDWR)

    def deliver(self, topic, payload):
        """Publish to the client."""
        body = struct.pack(">H", len(topic)) + topic.encode() + payload.encode()
        self.session.sendall(bytes([0x30, len(body)]) + body)

    def _talk(self, s, f):
        while head := f.read(1):
            n, shift = 0, 0
            while True:
                (byte,) = f.read(1)
                n |= (byte & 127) << shift
                shift += 7
                if not byte & 128:
                    break
            body = f.read(n)
            kind, flags = head[0] >> 4, head[0] & 15
            if kind == 1:
                self.connect = body
                self.connections += 1
                s.sendall(b"\x20\x02\x00" + bytes([self.answer]))
            elif kind == 3:
                size = struct.unpack(">H", body[:2])[0]
                topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
                qos = flags >> 1 & 3
                if qos:
                    s.sendall(b"\x40\x02" + rest[:2])
                    rest = rest[2:]
                self.published.append((topic, rest.decode(), qos, bool(flags & 1)))
            elif kind == 14:
                self.left.set()
                return


def test_a_broker_gets_every_line_under_its_topic(run):
    broker = Broker()
    sender = MqttSender(f"mqtt://nurse:pa%20ss@127.0.0.1:{broker.port}/ward/bed-7")
    play(JsonLines(sender.send, lambda: NOW, sender.close), run)
    assert broker.left.wait(PATIENCE)
    assert b"nurse" in broker.connect and b"pa ss" in broker.connect and b"ward/bed-7/end" in broker.connect
    assert broker.published[0] == ("ward/bed-7/end", "", 1, True)  # nobody must think that it is over
    check_lines([line for _, line, _, _ in broker.published[1:]], run)
    assert len({json.loads(line)["run"] for _, line, _, _ in broker.published[1:]}) == 1
    assert {t.removeprefix("ward/bed-7/"): (qos, kept) for t, _, qos, kept in broker.published} == {
        "header": (1, True), "leads": (0, False), "note": (1, False), "status": (1, True), "end": (1, True),
    }  # fmt: skip


def test_home_assistant_is_told_of_a_bed_each_time_it_may_have_forgotten():
    broker = Broker()
    sender = MqttSender(f"mqtt://127.0.0.1:{broker.port}/ward/bed-7", Network(discovery="homeassistant"))
    config = lambda: [p for p in broker.published if p[0].startswith("homeassistant/")]  # noqa: E731
    assert settled(lambda: len(config()) == 6)
    assert {(qos, kept) for _, _, qos, kept in config()} == {(1, True)}
    assert {json.loads(line)["state_topic"] for _, line, _, _ in config()} == {"ward/bed-7/status"}
    broker.published.clear()
    broker.cut()
    assert settled(lambda: len(config()) == 6)
    sender.close()


def test_a_broker_that_refuses_is_told():
    with pytest.raises(PortNotFoundError, match="refuses"):
        MqttSender(f"mqtt://127.0.0.1:{Broker(answer=5).port}/bed")


def test_no_broker_and_no_topic_are_told():
    with closing(socket.create_server(("127.0.0.1", 0))) as s:
        port = s.getsockname()[1]
    with pytest.raises(PortNotFoundError, match="no MQTT broker"):
        MqttSender(f"mqtt://127.0.0.1:{port}/bed")
    with pytest.raises(UsageError):
        MqttSender("mqtt://127.0.0.1")


def settled(ask):
    deadline = time.monotonic() + PATIENCE
    while not (found := ask()) and time.monotonic() < deadline:
        time.sleep(0.01)  # another thread's work is waited for, with a bound
    return found


def test_a_broker_that_restarts_gets_header_and_status_again_and_no_end(run):
    broker = Broker()
    sender = MqttSender(f"mqtt://127.0.0.1:{broker.port}/bed")
    sender._client.reconnect_delay_set(0, 1)
    sender.send("header", '{"type":"header"}')
    sender.send("status", '{"type":"status"}')
    assert settled(lambda: len(broker.published) == 3)
    broker.published.clear()
    broker.cut()
    assert settled(lambda: broker.connections == 2 and len(broker.published) >= 3)
    topics = [(topic, bool(line)) for topic, line, _, _ in broker.published[:3]]
    assert topics == [("bed/end", False), ("bed/header", True), ("bed/status", True)]
    assert settled(lambda: not sender.trouble)
    broker.deliver("bed/status", '{"run":"another"}')
    assert settled(lambda: "another run" in sender.trouble)
    sender.close()


def test_what_is_lost_while_the_broker_is_away_is_counted(run):
    broker = Broker()
    sender = MqttSender(f"mqtt://127.0.0.1:{broker.port}/bed")
    sender._client.reconnect_delay_set(60, 60)
    broker.cut()
    assert settled(lambda: "away" in sender.trouble)
    for _ in range(3):
        sender.send("leads", '{"type":"leads"}')
    sender.send("status", '{"type":"status"}')
    assert sender.lost == 3 and "3 blocks" in sender.trouble
    sender.close()


@pytest.mark.parametrize(
    "url",
    ["mqtt://u:S3CRET@h", "mqtt://u:S3/CRET@h/x", "http://u:S3CRET@h/x", "mqtt://[::1/S3CRET", "mqtt://u:S3CRET@h/a/#",
     "mqtt://u:S3CRET@h/+/b", "u:S3CRET"],
)  # fmt: skip
def test_no_error_holds_the_password(url):
    with pytest.raises(UsageError) as e:
        MqttSender(url)
    assert "S3" not in str(e.value) and "CRET" not in str(e.value)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho drops its socket
def test_a_broker_is_believed_only_with_the_authority_named(tmp_path):
    cert, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    for authority, error in ((None, PortNotFoundError), (cert, None), (str(tmp_path / "missing"), UsageError)):
        broker = Broker(tls=context)
        url, network = (
            f"mqtts://nurse@127.0.0.1:{broker.port}/bed",
            Network(broker_ca=authority, broker_password="pw-7"),
        )
        if error:
            with pytest.raises(error, match="mqtt-ca"):
                MqttSender(url, network)
            continue
        MqttSender(url, network).close()
        assert b"pw-7" in broker.connect


def test_figures_that_are_no_numbers_are_null(run):
    header, blocks, status = run
    block = next(b for b in blocks if len(b) > 3)
    sigma, mv = block.sigma.copy(), block.mv.copy()
    sigma[0, 6], sigma[1, 6], mv[0, 0] = np.inf, np.nan, np.nan
    line = json.loads(leads_line(replace(block, sigma=sigma, mv=mv), header.provenance), parse_constant=pytest.fail)
    assert line["interval_uv"][LEADS[6]][:2] == [None, None] and line["uv"]["I"][0] is None
    odd = replace(status, rate_hz=np.inf, quality={"I": {"index": float("nan"), "reason": ""}}, st_mv={"I": -np.inf})
    doc = json.loads(status_message(odd), parse_constant=pytest.fail)
    assert doc["rate_hz"] is None and doc["quality"]["I"]["index"] is None and doc["st_mv"]["I"] is None


def test_prometheus_gets_every_digit(run):
    sink = MetricsSink("0")
    _, _, status = run
    sink.status(replace(status, samples_in=1234577, samples_out=987654321, drift_ppm=12.3456789, rate_hz=249.98765432))
    text = sink.text()
    for line in ("ecg_samples_total 1234577", "ecg_rows_total 987654321", "ecg_clock_drift_ppm 12.3456789",
                 "ecg_rate_hertz 249.98765432", "ecg_connected 1"):  # fmt: skip
        assert f"{line}\n" in text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1, evil", "evil@127.0.0.1", ""])
def test_prometheus_answers_no_foreign_name(run, host):
    sink = MetricsSink("0")
    sink.open(run[0])
    try:
        with socket.create_connection(("127.0.0.1", int(sink.url.split(":")[2].split("/")[0])), PATIENCE) as s:
            s.sendall(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert s.recv(100).startswith(b"HTTP/1.1 403")
    finally:
        sink.close()


def test_figures_beyond_this_machine_want_a_token():
    with pytest.raises(UsageError, match="token"):
        MetricsSink("0.0.0.0:0")
    MetricsSink("0.0.0.0:0", "secret-secret")


LSL = """
import sys, threading
import numpy as np, pylsl
from ecg_edge.device.sinks.lsl import LslSink
from ecg_edge.device.cli.main import main
from ecg_edge.device.lead_block import Note
from tests.support import fakes
from tests.device.sinks.test_sinks import NOW
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.sinks.sink import RunHeader

model = load_model(sys.argv[1])
pipeline = Pipeline(model, fakes.info(), mains_hz=None)
header = RunHeader(pipeline.info, "tests:", model.spec, "tiny.onnx", model.file_sha256, pipeline.provenance, NOW)
valid = np.ones((500, 2), bool)
valid[300:, 1] = False
blocks, _ = fakes.drain(pipeline, [fakes.block(fakes.walk(500), 0, valid)])
sink = LslSink()
sink.open(header)
found = pylsl.resolve_byprop("name", "ecg-edge", 1, 20)
inlet = pylsl.StreamInlet(found[0])
info = inlet.info(10)
inlet.open_stream(10)
channel = info.desc().child("channels").child("channel")
labels = []
while not channel.empty():
    labels.append((channel.child_value("label"), channel.child_value("provenance"), channel.child_value("unit")))
    channel = channel.next_sibling()
for block in blocks:
    sink.leads(block)
want = np.concatenate([np.where(b.valid, b.mv, np.nan) for b in blocks])
rows, stamps = [], []
while len(rows) < len(want):
    chunk, times = inlet.pull_chunk(5.0, len(want))
    assert chunk, len(rows)
    rows += chunk
    stamps += times
rows = np.array(rows, np.float32)
assert np.isnan(rows[:, 12:]).all() and labels[12] == ("I (reconstructed)", "reconstructed", "millivolts")
assert np.array_equal(rows[:, :12], want.astype(np.float32), equal_nan=True)
assert (info.type(), info.channel_count(), info.nominal_srate()) == ("ECG", 18, 100)
assert labels[0] == ("I", "measured", "millivolts") and labels[11] == ("V6", "reconstructed", "millivolts")
sink.note(Note("gap", 0, 0, "x"))
sink.close()
print("passed")
"""


def test_an_lsl_inlet_receives_every_row(model, tmp_path):
    """In a process of its own: the library keeps threads and multicast sockets."""
    pytest.importorskip("pylsl")
    config = tmp_path / "lsl.cfg"
    config.write_text("[multicast]\nResolveScope = machine\n[log]\nlevel = -2\n")
    child = subprocess.run(
        [sys.executable, "-c", LSL, str(model.path)], capture_output=True, text=True, timeout=120,
        env=os.environ | {"LSLAPICFG": str(config), "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert child.stdout.strip().endswith("passed"), child.stderr


def test_prometheus_reads_the_figures(run):
    sink = MetricsSink("0")
    header, _, status = run
    sink.open(header)
    try:
        sink.note(Note("lead-off", 0, 0, ""))
        sink.note(Note("lead-off", 0, 0, ""))
        sink.status(status)
        with urllib.request.urlopen(sink.url, timeout=PATIENCE) as answer:
            text, kind = answer.read().decode(), answer.headers["Content-Type"]
        assert kind.startswith("text/plain; version=0.0.4")
        values = dict(re.findall(r"^(\w+(?:\{[^}]*\})?) (\S+)$", text, re.M))
        assert values["ecg_samples_total"] == "500" and values["ecg_samples_lost_total"] == "3"
        assert values['ecg_latency_seconds{quantile="0.99"}'] == "0.0025"
        assert values['ecg_notes_total{kind="lead-off"}'] == "2" and values["ecg_electrodes_off"] == "1"
        assert "ecg_heart_rate_bpm" not in values  # not known is not nought
        assert all(re.match(r"# (HELP|TYPE) \w+ \w+|\w+(\{.*\})? [-\d.e+]+$", line) for line in text.splitlines())
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(sink.url.replace("/metrics", "/other"), timeout=PATIENCE)
        with pytest.raises(PortBusyError):
            MetricsSink(sink.url.split(":")[2].split("/")[0]).open(header)
    finally:
        sink.close()
    with pytest.raises(UsageError):
        MetricsSink("here")


def test_systemd_hears_that_the_run_is_ready_and_alive(run, tmp_path):
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as s:
        s.bind(str(tmp_path / "notify"))
        s.settimeout(PATIENCE)
        sink = SystemdSink({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert sink.wanted and not SystemdSink({}).wanted
        play(sink, run)
        said = [s.recv(1000).decode() for _ in range(3)]
    assert [x.splitlines()[0] for x in said] == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_empty_blocks_are_not_sent(run):
    header, blocks, _ = run
    lines = []
    sink = JsonLines(lambda kind, line: lines.append(kind), lambda: NOW)
    empty = LeadBlock(
        0, blocks[0].mv[:0], header.provenance, blocks[0].valid[:0], blocks[0].warmup[:0], blocks[0].sigma[:0]
    )
    sink.open(header)
    sink.leads(empty)
    assert lines == ["header"]
