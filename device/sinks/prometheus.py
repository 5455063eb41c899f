"""Figures of the run for Prometheus: ``/metrics`` in the text format 0.0.4."""

from __future__ import annotations

import asyncio
import contextlib
import math
import ssl
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ecg_edge.device.lead_block import Note
from ecg_edge.device.listeners.address import host_in_url, listen_tcp, split_address
from ecg_edge.device.listeners.exposure import check_exposure, is_loopback
from ecg_edge.device.listeners.guarded_socket import GREET_S, GuardedSocket
from ecg_edge.device.listeners.known_hosts import KnownHosts
from ecg_edge.device.listeners.loop_thread import LoopThread
from ecg_edge.device.listeners.streams import STRANGERS, peer_of, start_server, turn_out
from ecg_edge.device.listeners.token_check import TokenCheck, Verdict, secret_of
from ecg_edge.device.sinks.sink import RunHeader, SinkBase, Status
from ecg_edge.firmware_bridge.errors import PortBusyError, UsageError

_FIGURES = {
    "ecg_samples_total": ("counter", "native samples accepted", "samples_in"),
    "ecg_samples_lost_total": ("counter", "native samples lost", "samples_lost"),
    "ecg_rows_total": ("counter", "twelve-lead rows emitted", "samples_out"),
    "ecg_dropped_blocks_total": ("counter", "blocks dropped because a queue was full", "dropped_blocks"),
    "ecg_rate_hertz": ("gauge", "native samples per second as received", "rate_hz"),
    "ecg_heart_rate_bpm": ("gauge", "from the measured leads", "heart_rate_bpm"),
    "ecg_connected": ("gauge", "1 while the device is there", "connected"),
    "ecg_battery_percent": ("gauge", "as the device says", "battery_percent"),
    "ecg_clock_drift_ppm": ("gauge", "how much slow the device's clock is", "drift_ppm"),
    "ecg_jitter_milliseconds": ("gauge", "latest arrival after the earliest", "jitter_ms"),
    "ecg_calibration_fits": ("gauge", "0 while a personal calibration gives way", "calibration_fits"),
}


@dataclass(frozen=True)
class Exposed:
    """What is shown of one run.

    Attributes
    ----------
    about : dict of str to str
        Labels of ``ecg_run_info``; empty: not shown.
    status : Status or None
        The newest figures.
    notes : dict of str to int
        How often something of each kind happened.
    labels : dict of str to str
        Of every figure, where the page has several runs.
    more : dict of str to float
        Further figures by name; each is a gauge.
    """

    about: dict[str, str]
    status: Status | None
    notes: dict[str, int] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    more: dict[str, float] = field(default_factory=dict)

    def samples(self) -> Iterator[tuple[str, str, str, dict[str, str], object]]:
        """Yield name, kind, help, labels and value of each figure."""
        if self.about:
            yield "ecg_run_info", "gauge", "what runs", self.about, 1
        if status := self.status:
            for name, (kind, text, attribute) in _FIGURES.items():
                yield name, kind, text, {}, getattr(status, attribute)
            for q, ms in (("0.5", status.latency_p50_ms), ("0.99", status.latency_p99_ms)):
                seconds = None if ms is None else ms / 1000
                yield "ecg_latency_seconds", "summary", "byte arrival to leads, on the host", {"quantile": q}, seconds
            if status.connected:
                yield "ecg_electrodes_off", "gauge", "electrodes that are off", {}, len(status.lead_off)
            for lead, quality in status.quality.items():
                yield "ecg_quality", "gauge", "of a measured lead, 0 to 1", {"lead": lead}, quality["index"]
        for kind, n in sorted(self.notes.items()):
            yield "ecg_notes_total", "counter", "what happened, by kind", {"kind": kind}, n
        for name, value in self.more.items():
            yield name, "gauge", _MORE.get(name, name), {}, value


_MORE = {"ecg_bed_trouble": "how urgent the bed is on the ward's page, 0 (fine) to 5"}


def exposition(runs: Iterable[Exposed]) -> str:
    """Return the page of some runs: every figure once, with the values of all of them."""
    heads: dict[str, str] = {}
    lines: dict[str, list[str]] = {}
    for run in runs:
        for name, kind, text, labels, value in run.samples():
            if value is None:
                continue
            heads.setdefault(name, f"# HELP {name} {text}\n# TYPE {name} {kind}\n")
            pairs = ",".join(f'{k}="{_escaped(v)}"' for k, v in (run.labels | labels).items())
            lines.setdefault(name, []).append(
                f"{name}{{{pairs}}} {_number(value)}\n" if pairs else f"{name} {_number(value)}\n"
            )
    return "".join(head + "".join(lines[name]) for name, head in heads.items())


class MetricsSink(SinkBase):
    """Serves the newest figures, heart rate included: beyond this machine only to who knows the token.

    Parameters
    ----------
    address : str
        ``PORT``, ``HOST:PORT`` or ``[IPV6]:PORT``; this machine only without a host.
    token : str, optional
        Wanted as ``Authorization: Bearer TOKEN``, or as the password of basic authentication.
    allowed : iterable of str
        Host names of a reverse proxy.
    tls : ssl.SSLContext, optional
        Clients must speak TLS.

    Attributes
    ----------
    url : str
        Once open.

    Raises
    ------
    UsageError
        It is no address, or one that others can reach and there is no token.
    """

    name = "metrics"
    takes = ()

    def __init__(
        self,
        address: str,
        token: str | None = None,
        allowed: Iterable[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        try:
            host, self._port = split_address(address if ":" in address else f":{address}")
        except ValueError as e:
            raise UsageError(f"--metrics {address} is no port", "write 9100, or 0.0.0.0:9100") from e
        self._host = host or "127.0.0.1"
        check_exposure(self._host, token)
        self._check, self._hosts, self._tls = TokenCheck(token), KnownHosts(self._host, allowed), tls
        self._status: Status | None = None
        self._notes: Counter[str] = Counter()
        self._about: dict[str, str] = {}
        self._lock = threading.Lock()
        self._listener: GuardedSocket | None = None
        self._thread: LoopThread | None = None

    @property
    def url(self) -> str:
        """Address of the page."""
        port = self._listener.getsockname()[1] if self._thread and self._listener else self._port
        return f"{'https' if self._tls else 'http'}://{host_in_url(self._host)}:{port}/metrics"

    @property
    def where(self) -> str:
        """Address of the page, in words."""
        return f"metrics: {self.url}"

    def open(self, header: RunHeader) -> None:
        """Begin to serve.

        Raises
        ------
        PortBusyError
            The address cannot be had.
        """
        labels = {"device": header.info.device, "model": header.model_name, "source": header.source}
        if not is_loopback(self._host):
            labels.pop("source")  # addresses inside are nobody's business outside
        self._about = labels
        try:
            self._listener = listen_tcp(self._host, self._port)
        except OSError as e:
            raise PortBusyError(f"cannot serve metrics at {self._host}:{self._port}: {e}", "choose another port") from e
        self._thread = LoopThread(self.name, self._serve)

    async def _serve(self, stop: asyncio.Event) -> None:
        assert self._listener is not None
        server = await start_server(self._welcome, self._listener, self._tls)
        await stop.wait()
        await turn_out(self._listener)
        server.close()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(*STRANGERS), contextlib.closing(writer):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), GREET_S)
            answer = self._answer(head.decode("latin-1"), peer_of(writer))
            if answer.startswith(b"HTTP/1.1 200 ") and self._listener:
                self._listener.greeted(writer.get_extra_info("socket").fileno())
            writer.write(answer)
            await asyncio.wait_for(writer.drain(), GREET_S)

    def _answer(self, head: str, peer: str) -> bytes:
        first, *lines = head.split("\r\n")
        fields = [line.partition(":") for line in lines]
        hosts, given = ([v.strip() for k, _, v in fields if k.lower() == name] for name in ("host", "authorization"))
        method, _, rest = first.partition(" ")
        if method != "GET":
            return _response("405 Method Not Allowed", "GET is all there is\n")
        if len(hosts) != 1 or not self._hosts.knows(hosts[0]):
            return _response("403 Forbidden", "unknown Host\n")
        verdict = self._check.check(secret_of(given[0] if given else ""), peer)
        if verdict is not Verdict.RIGHT:
            later = verdict is Verdict.LATER
            return _response("429 Too Many Requests" if later else "401 Unauthorized", "wrong or missing token\n")
        if rest.split(" ")[0].split("?")[0] != "/metrics":
            return _response("404 Not Found", "not found\n")
        return _response("200 OK", self.text())

    def text(self) -> str:
        """The page."""
        with self._lock:
            return exposition([Exposed(self._about, self._status, dict(self._notes))])

    def note(self, note: Note) -> None:
        """Count it."""
        with self._lock:
            self._notes[note.kind] += 1

    def status(self, status: Status) -> None:
        """Keep the figures."""
        with self._lock:
            self._status = status

    def close(self) -> None:
        """Stop serving."""
        if self._thread is not None:
            self._thread.close()


def _response(status: str, body: str) -> bytes:
    data = body.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        f"Content-Length: {len(data)}\r\nWWW-Authenticate: Bearer\r\nCache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + data


def _number(value: object) -> str:
    """A figure with all its digits; counters are integers."""
    if isinstance(value, int):
        return str(int(value))
    number = float(value)  # type: ignore[arg-type]
    return "NaN" if math.isnan(number) else repr(number).replace("inf", "Inf")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
