"""The ward's page with many beds in a real browser: frames a second, load, memory, pictures.

``python -m ecg_edge.benchmarks.live_path.ward_page --beds 64 --seconds 60 --pictures docs``
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

from ecg_edge.benchmarks.measuring.chromium import Chromium
from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.live.execute import run
from ecg_edge.device.monitor.frames import encode_frames
from ecg_edge.device.sinks.messages import header_message, note_message, status_message
from ecg_edge.device.sinks.sink import RunHeader, SinkBase, Status
from ecg_edge.device.ward.settings import WardSettings
from ecg_edge.device.ward.ward_server import WardServer
from ecg_edge.firmware_bridge.clock import SystemClock
from ecg_edge.firmware_bridge.console import emit_json, hint

SIZES = {"desktop": (1600, 900, 1.0), "phone": (390, 844, 2.0)}
_HEARTS = 8
_LENGTH_S = 30
_HOP, _EVERY_S = 8, 0.08
_SETTLED_S = 6.0
_MEMORY = "Math.round(performance.memory.usedJSHeapSize / 1e5) / 10"


class _Keeper(SinkBase):
    """Keeps what a run makes."""

    def __init__(self) -> None:
        self.header: RunHeader | None = None
        self.blocks: list[LeadBlock] = []

    def open(self, header: RunHeader) -> None:
        self.header = header

    def leads(self, block: LeadBlock) -> None:
        self.blocks.append(block)


class Ward:
    """A ward whose beds play synthetic hearts at the real pace, some of them in trouble.

    Parameters
    ----------
    beds : int
        How many.
    """

    def __init__(self, beds: int) -> None:
        self.names = [f"bed-{k + 1}" for k in range(beds)]
        self.server = WardServer(WardSettings(port=0), SystemClock(), lambda _: None)
        self._hearts = [_heart(seed) for seed in range(min(_HEARTS, beds))]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, name="beds", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End them all."""
        self._stop.set()
        self._thread.join()
        self.server.close()

    def _play(self) -> None:
        hearts = list(zip(self.names, cycle(self._hearts)))
        for k, (name, heart) in enumerate(hearts):
            assert heart.header is not None
            self.server.place(name, 40, 60 if k == 5 else 130, None)
            self.server.state(name, "running", "")
            self.server.hear(name, "header", header_message(replace(heart.header, patient=f"P{k + 1}")))
        rows = [0] * len(hearts)
        begun = time.monotonic()
        for turn in range(10**9):
            if self._stop.wait(max(0.0, begun + turn * _EVERY_S - time.monotonic())):
                return
            for k, (name, heart) in enumerate(hearts):
                block = heart.blocks[(turn + 17 * k) % len(heart.blocks)]
                if k == 9 and turn > 40:
                    continue  # its device is lost
                self.server.show(name, encode_frames(replace(block, index=rows[k]), turn)[0])
                rows[k] += len(block)
                if turn % 12 == k % 12:
                    self.server.hear(name, "status", status_message(self._figures(k)))
            if turn == 20:
                self._events()

    def _figures(self, k: int) -> Status:
        more: dict[str, Any] = {"battery_percent": 97 - k, "connected": k != 9}
        if k == 13:
            more["lead_off"] = ("RA",)
        if k == 20:
            more["quality"] = {"II": {"index": 0.3, "reason": "noise"}}
        quality: dict[str, dict[str, object]] = {"II": {"index": 0.97, "reason": ""}}
        figures = Status(10.0, 2500, 1000, 0, 250.0, 3.0, 8.0, 58.0 + 7 * (k % _HEARTS), quality=quality)
        return replace(figures, **more)

    def _events(self) -> None:
        for k, text in ((3, "0.240 s (60 samples) lost"), (13, "lead-off RA")):
            if k < len(self.names):
                note = Note("gap", 0, 0, text)
                self.server.hear(self.names[k], "note", note_message(note, SystemClock().now()))


def _heart(seed: int) -> _Keeper:
    keeper = _Keeper()
    run(f"synthetic:seed={seed}&bpm={58 + 7 * seed}", [keeper], model="i-ii-int8", seconds=_LENGTH_S, fast=True)
    whole = LeadBlock.join(keeper.blocks)
    keeper.blocks = [whole.rows(k, k + _HOP) for k in range(0, len(whole) - _HOP, _HOP)]
    return keeper


def measure(url: str, beds: int, size: str, seconds: float, picture: Path | None) -> dict[str, Any]:
    """Figures of the page at one size.

    Returns
    -------
    dict
        ``frames_per_s``, and ``drawn_share``: of the samples due on a tile that is seen. ``core_percent`` and
        ``ms_a_frame`` of the page's thread, ``heap_mb`` at the begin and the end.
    """
    with Chromium() as browser:
        browser.viewport(*SIZES[size], mobile=size == "phone")
        browser.goto(url)
        browser.wait_for(f"window.ecgWard && ecgWard.state === 'live' && ecgWard.tiles.size === {beds}", 60)
        browser.call("Performance.enable")
        time.sleep(_SETTLED_S)
        if picture is not None:
            browser.screenshot(picture)
        first = "[...ecgWard.tiles.values()].find((t) => t.visible && t.node.dataset.state === 'running')"
        browser.js(f"void (window.seen = {first})")
        state = f"[ecgWard.frames, seen.drawn, {_MEMORY}]"
        before, at, busy = browser.js(state), time.monotonic(), _busy_s(browser)
        time.sleep(seconds)
        after, took = browser.js(state), time.monotonic() - at
        used = _busy_s(browser) - busy
        return {
            "beds": beds,
            "size": size,
            "seconds": round(took, 1),
            "frames_per_s": round((after[0] - before[0]) / took, 1),
            "drawn_share": round((after[1] - before[1]) / (100 * took), 3),
            "core_percent": round(100 * used / took, 1),
            "ms_a_frame": round(1e3 * used / max(1, after[0] - before[0]), 2),
            "heap_mb": [before[2], after[2]],
        }


def _busy_s(browser: Chromium) -> float:
    """Seconds of a core that the page's thread has had so far."""
    found = browser.call("Performance.getMetrics")["metrics"]
    return float(next(m["value"] for m in found if m["name"] == "ThreadTime"))


def main() -> int:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--beds", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="save ward.png and ward-phone.png there")
    a = parser.parse_args()
    ward = Ward(a.beds)
    try:
        found = []
        for size, name in (("desktop", "ward.png"), ("phone", "ward-phone.png")):
            hint(f"{a.beds} beds, {size}")
            picture = a.pictures / name if a.pictures else None
            found.append(measure(ward.server.url, a.beds, size, a.seconds, picture))
    finally:
        ward.close()
    emit_json({"ward_page": found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
