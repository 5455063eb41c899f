"""Picture the monitor for the documentation.

Start a monitor first (``ecg-edge demo`` prints its address), then::

    python docs/make_screenshot.py http://127.0.0.1:8767/

A monitor with a token gets it from ``--token-file``, or the variable ``ECG_EDGE_TOKEN``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ecg_edge.benchmarks.measuring.chromium import Chromium
from ecg_edge.device.listeners.secret_file import find_secret
from ecg_edge.firmware_bridge.errors import EcgEdgeError

SETTLED_S = 12
"""Samples that must be on the screen: the rhythm strip is full and the network has settled."""


def picture(
    url: str, out: Path, theme: str, layout: str, size: tuple[int, int], scale: float, token: str | None = None
) -> None:
    """Open the page, log in where it asks for a token, wait until its screen is full, and save it as PNG."""
    with Chromium() as browser:
        browser.viewport(*size, scale, mobile=size[0] < 700)
        browser.goto(url)
        if browser.js("document.getElementById('login') !== null"):
            browser.type("token", token or "")
        browser.wait_for("window.ecgMonitor && ecgMonitor.state === 'live'")
        browser.js(f"ecgMonitor.setTheme('{theme}'), ecgMonitor.setOption('layout', '{layout}')")
        browser.wait_for(f"ecgMonitor.counts.I > {SETTLED_S} * ecgMonitor.scope.ring.fs", timeout_s=60)
        browser.wait_for("document.getElementById('hr').textContent !== '––'", timeout_s=60)
        browser.screenshot(out)


def main() -> int:
    """Parse the command line and take the picture."""
    parser = argparse.ArgumentParser(description="Save a picture of a running monitor.")
    parser.add_argument("url", help="the monitor's address")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("monitor.png"))
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    parser.add_argument("--layout", choices=("3x4", "6x2", "12x1"), default="3x4")
    parser.add_argument("--size", type=int, nargs=2, default=(1600, 900), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--scale", type=float, default=1.0, help="device pixels per CSS pixel")
    parser.add_argument("--token-file", help="file with the monitor's token")
    args = parser.parse_args()
    try:
        token = find_secret(None, args.token_file, "ECG_EDGE_TOKEN")
        picture(args.url, args.out, args.theme, args.layout, tuple(args.size), args.scale, token)
    except EcgEdgeError as e:
        sys.stderr.write(f"{e}\n")
        return e.exit_code
    sys.stderr.write(f"saved {args.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
