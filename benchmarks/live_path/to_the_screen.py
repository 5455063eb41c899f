"""From heart to screen: when an R peak is sampled, and when its pixels are there in a real browser."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
from scipy.signal import find_peaks

from ecg_edge.benchmarks.measuring.chromium import Chromium
from ecg_edge.firmware_bridge.emulators.assemble import SourceOptions, build_source
from ecg_edge.firmware_bridge.errors import EcgEdgeError
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from ecg_edge.firmware_bridge.virtual_patch.link_pty import PtyLink
from ecg_edge.firmware_bridge.virtual_patch.patch import PatchOptions, VirtualPatch

FS, LEAD = 250, "II"
_BEAT_MV = 0.6
_SETTLE_S = 6
_PATIENCE_S = 60

# Every frame, after the page has drawn: has the column of a wanted row ink well above the base line?
_WATCH = """void (() => {
  const m = ecgMonitor, s = m.scope, seen = (window.seen = {}), rows = %s;
  const look = () => {
    requestAnimationFrame(look);
    for (const row of rows) {
      if (row in seen || m.head < row - 2 || m.head > row + 100) continue;
      const c = s.locate("%s", row);
      const height = Math.floor(c.base - c.top - 0.3 * s.options.gain * s.scene.mm);
      const ink = s.ink.getImageData(c.x, c.top, 1, height).data;
      if (ink.some((v, i) => i %% 4 === 3 && v > 100)) seen[row] = performance.timeOrigin + performance.now();
    }
  };
  requestAnimationFrame(look);
})()"""


def measure(model: str = "i-ii-int8", seconds: float = 30.0) -> dict[str, Any]:
    """Milliseconds from the instant an R peak is sampled to the frame in which it is drawn.

    The browser shows a frame up to one refresh (17 ms at 60 Hz) after it is drawn; that is not in the figures.

    Raises
    ------
    EcgEdgeError
        No browser, or the run did not come up.
    """
    link, stop = PtyLink(), threading.Event()
    source = build_source(SourceOptions(leads=f"I,{LEAD}"))
    patch = VirtualPatch(source, link, PatchOptions(frame_s=0.01))
    thread = threading.Thread(target=patch.run, args=(stop,), daemon=True)
    thread.start()
    command = [sys.executable, "-m", "ecg_edge", "run", link.address, "--model", model]
    run = subprocess.Popen(
        [*command, "--mains", "off", "--monitor", "--port", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    try:
        with Chromium() as browser:
            browser.viewport(1600, 900)
            browser.goto(_address(run))
            browser.wait_for("window.ecgMonitor && ecgMonitor.state === 'live' && ecgMonitor.head > 200")
            peaks, rows = _peaks(patch, seconds, float(browser.js("ecgMonitor.header.latency_ms.resampler")) / 1000)
            browser.js(_WATCH % (json.dumps(rows), LEAD))
            browser.wait_for(f"ecgMonitor.head > {rows[-1] + 50}", seconds + _PATIENCE_S)
            seen = json.loads(browser.js("JSON.stringify(seen)"))
    finally:
        stop.set()
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=_PATIENCE_S)
        thread.join(_PATIENCE_S)
        link.close()
    wall = time.time() - time.monotonic()
    late = [
        seen[str(row)] - 1000 * (wall + patch.instant(k))
        for k, row in zip(peaks, rows, strict=True)
        if str(row) in seen
    ]
    if not late:
        raise EcgEdgeError("no R peak was seen on the screen", "look at the monitor yourself: ecg-edge demo")
    p50, p95 = np.percentile(late, [50, 95])
    return {"beats": len(late), "of": len(rows), "p50_ms": float(p50), "p95_ms": float(p95), "max_ms": max(late)}


def _address(run: subprocess.Popen[str]) -> str:
    assert run.stderr is not None
    for line in run.stderr:
        if found := re.search(r"monitor: (http\S+)", line):
            threading.Thread(target=run.stderr.read, daemon=True).start()
            return found[1]
    raise EcgEdgeError("the run ended before its monitor was there", "try it alone: ecg-edge demo")


def _peaks(patch: VirtualPatch, seconds: float, delay_s: float) -> tuple[list[int], list[int]]:
    """Device indices of the coming R peaks, and the rows that show them."""
    mv = SyntheticHeart(FS, ("I", LEAD), seed=0).read(round((seconds + 300) * FS))[:, 1]
    found, _ = find_peaks(mv, height=_BEAT_MV, distance=FS // 4)
    first = patch.tally.taken + _SETTLE_S * FS // 2
    wanted = [int(k) for k in found if first <= k < first + seconds * FS]
    return wanted, [round((k / FS + delay_s) * 100) for k in wanted]
