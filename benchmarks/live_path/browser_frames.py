"""How smoothly the monitor draws: twelve leads at 500 Hz, frames counted in a real browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from fractions import Fraction
from typing import Any

import numpy as np

from ecg_edge.benchmarks.measuring.chromium import Chromium
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.lead_algebra import Provenance, provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.monitor.monitor_sink import MonitorSink
from ecg_edge.device.sinks.sink import RunHeader
from ecg_edge.firmware_bridge.clock import Clock, SystemClock
from ecg_edge.firmware_bridge.events import Channel, StreamInfo
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

FS, HOP_S = 500, 0.08
_BEAT_S, _SIGMA_MV = 60, 0.1
_SIZE = (1600, 900)

# When each frame was drawn.
_COUNT = """void (() => {
  const seen = (window.frames_seen = { at: [] });
  const look = (now) => { seen.at.push(now); requestAnimationFrame(look); };
  requestAnimationFrame(look);
})()"""


def measure(seconds: float = 10.0, fs: int = FS, layout: str = "12x1") -> dict[str, Any]:
    """Frames per second of the page while twelve leads arrive at `fs`, reconstructed ones with their band.

    Returns
    -------
    dict
        ``fps``: mean; ``p50_ms``, ``p99_ms``, ``max_ms``: from one frame to the next; ``fs``, ``size``, ``layout``;
        ``dropped``: blocks the browser was too slow for.

    Raises
    ------
    EcgEdgeError
        No browser.
    """
    sink, stop = MonitorSink(), threading.Event()
    sink.open(_header(fs))
    feeder = threading.Thread(target=_feed, args=(sink, fs, stop, SystemClock()), daemon=True)
    try:
        feeder.start()
        with Chromium() as browser:
            browser.viewport(*_SIZE)
            browser.goto(sink.url)
            browser.wait_for(f"window.ecgMonitor && ecgMonitor.state === 'live' && ecgMonitor.head > {2 * fs}")
            browser.js(f"ecgMonitor.setOption('layout', '{layout}')")
            browser.wait_for(f"ecgMonitor.head > {4 * fs}")
            browser.js(_COUNT)
            browser.wait_for(
                f"frames_seen.at.length > 1 && frames_seen.at.at(-1) - frames_seen.at[0] > {1000 * seconds}",
                seconds + 60,
            )
            at = np.array(json.loads(browser.js("JSON.stringify(frames_seen.at)")))
    finally:
        stop.set()
        feeder.join()
        sink.close()
    apart = np.diff(at)
    p50, p99 = np.percentile(apart, [50, 99])
    return {
        "fps": 1000 / float(apart.mean()),
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "max_ms": float(apart.max()),
        "fs": fs,
        "size": list(_SIZE),
        "layout": layout,
        "dropped": sink.frames_dropped,
    }


def _header(fs: int) -> RunHeader:
    """What a model at this rate would report of its leads."""
    model = load_model("i-ii-int8")
    info = StreamInfo("bench", Fraction(fs), (Channel("I", 0.001), Channel("II", 0.001)))
    spec = replace(model.spec, fs=fs, hop=round(HOP_S * fs))
    began = datetime(2000, 1, 1, tzinfo=timezone.utc)
    return RunHeader(info, "bench", spec, model.path.name, model.file_sha256, provenance(("I", "II")), began)


def _blocks(fs: int) -> Iterator[LeadBlock]:
    """A heart on twelve leads, without end."""
    n, kinds = round(HOP_S * fs), provenance(("I", "II"))
    beat = SyntheticHeart(fs, ("II",), seed=0).read(_BEAT_S * fs)[:, 0]
    mv = np.repeat(beat[:, None], len(LEADS), axis=1).astype(np.float32)
    yes, no = np.ones((n, len(LEADS)), np.bool_), np.zeros(n, np.bool_)
    sigma = np.zeros((n, len(LEADS)), np.float32)
    sigma[:, [k is Provenance.RECONSTRUCTED for k in kinds]] = _SIGMA_MV
    k = 0
    while True:
        rows = mv[(np.arange(k, k + n)) % len(mv)]
        yield LeadBlock(k, rows, kinds, yes, no, sigma, 0.0)
        k += n


def _feed(sink: MonitorSink, fs: int, stop: threading.Event, clock: Clock) -> None:
    begun = clock.monotonic()
    for block in _blocks(fs):
        if clock.wait(stop, max(0.0, begun + block.index / fs - clock.monotonic())):
            return
        sink.leads(block)
