"""The page's own clockwork, run in a real browser with a made-up time."""

import json

import numpy as np
import pytest

from ecg_edge.benchmarks.measuring.chromium import Chromium, find_browser
from ecg_edge.device.monitor.front_door import FrontDoor

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_browser() is None, reason="no Chromium found: apt-get install chromium"),
]

FS, ROWS = 100, 8
FRAME_MS = 1000 / 60


def module(name):
    body = FrontDoor("127.0.0.1", None).answer(f"/{name}.js", "localhost", "").body.decode()
    return json.dumps(body.replace('"./wire.js"', "WIRE"))


@pytest.fixture(scope="module")
def page():
    with Chromium() as browser:
        browser.js(
            f"""(async () => {{
            const load = (text) => import(URL.createObjectURL(new Blob([text], {{ type: "text/javascript" }})));
            const url = (text) => URL.createObjectURL(new Blob([text], {{ type: "text/javascript" }}));
            const wire = JSON.stringify(url({module("wire")}));
            window.Playout = (await load({module("playout")})).Playout;
            window.Ring = (await load({module("ring")}.replace("WIRE", wire))).Ring; }})()"""
        )
        yield browser


def play(page, arrivals):
    """Play blocks that arrive at the given times (ms); return time, newest sample and playhead of every frame."""
    return np.array(
        page.js(
            f"""(() => {{ const p = new Playout({FS}, {ROWS}), at = {json.dumps(list(arrivals))}, out = [];
            let n = 0;
            for (let now = at[0] + 1; now < at.at(-1); now += {FRAME_MS}) {{
              while (n < at.length && at[n] <= now) n++;
              out.push([now, n * {ROWS}, p.advance(now, n * {ROWS})]); }}
            return out; }})()"""
        )
    )


@pytest.mark.parametrize("drift", [0.995, 1.0, 1.005])
def test_the_playhead_glides_though_blocks_arrive_with_jitter(page, drift):
    rng = np.random.default_rng(3)
    arrivals = np.sort(np.arange(500) * 80 * drift + rng.uniform(0, 20, 500))
    now, end, head = play(page, arrivals).T
    speed = np.diff(head) / np.diff(now) * 1000 / FS
    assert (head <= end - 1).all()
    assert speed.min() > 0.85 and speed.max() < 1.09, "no stutter, no jump"
    late = (now - now[0] > 10_000) & np.isfinite(head)
    delay = (end - head)[late] / FS
    assert delay.mean() < 0.1 and delay.max() < 0.2
    assert abs(speed[late[1:]].mean() * drift - 1) < 0.01, "it follows the device's clock"


def test_after_a_long_pause_it_jumps_to_what_is_new(page):
    arrivals = np.concatenate([np.arange(50) * 80, 4000 + np.full(100, 3000.0), 7080 + np.arange(50) * 80])
    now, end, head = play(page, arrivals).T
    assert (end - head)[now > 7100].max() < 30
    assert (np.diff(head) >= 0).all() and (head <= end - 1).all()


def push(page, index, n, flags=0x0FFF):
    return page.js(
        f"""ring.push({{ n: {n}, index: {index}, provenance: 0xaaaaa550, guessed: [11],
        flags: new Uint16Array({n}).fill({flags}), uv: new Int16Array({12 * n}).fill({index} % 30000),
        sigma: new Uint16Array({n}).fill(7) }})"""
    )


def test_the_ring_keeps_the_newest_and_marks_holes(page):
    page.js("void (window.ring = new Ring(100, 0, 2))")
    assert push(page, 1000, 150) and push(page, 1160, 100)
    assert page.js("[ring.first, ring.end]") == [1060, 1260]
    flags = page.js("Array.from({ length: 200 }, (_, i) => ring.flags[(ring.first + i) % ring.size])")
    assert flags == [0x0FFF] * 90 + [0] * 10 + [0x0FFF] * 100
    assert page.js("ring.uv[5 * ring.size + (1259 % ring.size)]") == 1160
    assert page.js("ring.sigma[11 * ring.size + (1259 % ring.size)]") == 7
    page.js("void (window.still = ring.copy())")
    assert push(page, 1260, 50)
    assert page.js("[still.end, ring.end]") == [1260, 1310]
    assert page.js("still.uv[1060 % ring.size]") == 1000 and page.js("ring.uv[1060 % ring.size]") == 1260


def test_the_ring_starts_anew_when_time_goes_back_or_leaps(page):
    page.js("void (window.ring = new Ring(100, 0, 2))")
    push(page, 500, 50)
    assert push(page, 0, 10) is False
    assert page.js("[ring.first, ring.end]") == [0, 10]
    assert push(page, 10**9, 10) is True
    assert page.js("[ring.first, ring.end]") == [10**9, 10**9 + 10]
