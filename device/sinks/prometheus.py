"""Figures of the run for Prometheus: ``/metrics`` in the text format 0.0.4."""

from __future__ import annotations

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ecg_edge.device.lead_block import Note
from ecg_edge.device.sinks.exposure import is_loopback
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


class MetricsSink(SinkBase):
    """Serves the newest figures; none of them is of the signal itself, so there is no token.

    Parameters
    ----------
    address : str
        ``PORT``, or ``HOST:PORT``; this machine only without a host.

    Attributes
    ----------
    url : str
        Once open.
    """

    name = "metrics"
    takes = ()

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        if not port.isdigit() or not int(port) < 65536:
            raise UsageError(f"--metrics {address} is no port", "write 9100, or 0.0.0.0:9100")
        self._host, self._port = host or "127.0.0.1", int(port)
        self._status: Status | None = None
        self._notes: Counter[str] = Counter()
        self._info = ""
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Address of the page."""
        port = self._server.server_address[1] if self._server else self._port
        return f"http://{self._host}:{port}/metrics"

    @property
    def where(self) -> str:
        """Address of the page, in words."""
        return f"metrics: {self.url}"

    def open(self, header: RunHeader) -> None:
        """Begin to serve."""
        labels = {"device": header.info.device, "model": header.model_name, "source": header.source}
        if not is_loopback(self._host):
            labels.pop("source")  # addresses inside are nobody's business outside
        pairs = ",".join(f'{k}="{_escaped(v)}"' for k, v in labels.items())
        self._info = f"# TYPE ecg_run_info gauge\necg_run_info{{{pairs}}} 1\n"
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = self.path.split("?")[0] == "/metrics"
                body = sink.text().encode() if found else b"not found\n"
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        try:
            self._server = ThreadingHTTPServer((self._host, self._port), Handler)
        except OSError as e:
            raise PortBusyError(f"cannot serve metrics at {self._host}:{self._port}: {e}", "choose another port") from e
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name=self.name, daemon=True).start()

    def text(self) -> str:
        """The page."""
        with self._lock:
            status, notes = self._status, dict(self._notes)
        out = [self._info]
        if status is not None:
            for name, (kind, help_text, attribute) in _FIGURES.items():
                value = getattr(status, attribute)
                if value is not None:
                    out.append(f"# HELP {name} {help_text}\n# TYPE {name} {kind}\n{name} {float(value):g}\n")
            out.append(
                "# HELP ecg_latency_seconds byte arrival to leads, on the host\n# TYPE ecg_latency_seconds summary\n"
            )
            for q, ms in (("0.5", status.latency_p50_ms), ("0.99", status.latency_p99_ms)):
                out.append(f'ecg_latency_seconds{{quantile="{q}"}} {ms / 1000:.6g}\n')
            out.append("# HELP ecg_electrodes_off electrodes that are off\n# TYPE ecg_electrodes_off gauge\n")
            out.append(f"ecg_electrodes_off {len(status.lead_off)}\n")
            if status.quality:
                out.append("# HELP ecg_quality of a measured lead, 0 to 1\n# TYPE ecg_quality gauge\n")
                out += [f'ecg_quality{{lead="{k}"}} {q["index"]}\n' for k, q in status.quality.items()]
        if notes:
            out.append("# HELP ecg_notes_total what happened, by kind\n# TYPE ecg_notes_total counter\n")
            out += [f'ecg_notes_total{{kind="{_escaped(k)}"}} {n}\n' for k, n in sorted(notes.items())]
        return "".join(out)

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
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
