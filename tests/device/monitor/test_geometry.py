"""Twelve scenes on five screens, light and dark: no word is cut, and no two words lie on each other."""

from dataclasses import replace

import pytest

from ecg_edge.device.lead_block import Note
from tests.support.monitor_scene import NEEDS_BROWSER, make_status

pytestmark = NEEDS_BROWSER

SCREENS = {
    "desktop": (1600, 900, 1, False),
    "laptop": (1280, 720, 1, False),
    "tablet": (820, 1180, 1, True),
    "phone": (390, 844, 2, True),
    "phone on its side": (844, 390, 2, True),
}
INTERVALS = {
    name: {"value": value, "unit": "ms", "leads": ["I", "II"], "quality": "good"}
    for name, value in (("pr", 160), ("qrs", 92), ("qt", 400), ("qtc_fridericia", 412), ("qrs_axis", 45))
}
GOOD = {"I": {"index": 0.9, "reason": ""}, "II": {"index": 0.9, "reason": ""}}
SPOILT = {"I": {"index": 0.0, "reason": "clipped"}, "II": {"index": 0.3, "reason": "motion"}}
STATUSES = {
    "all is well": make_status(quality=GOOD, st_mv={"I": 0.02, "II": -0.12, "V5": 0.05, "V2": None}),
    "a rate of three digits": replace(make_status(quality=GOOD), heart_rate_bpm=188.0),
    "no rate": replace(make_status(quality=GOOD), heart_rate_bpm=None),
    "intervals and battery": make_status(quality=GOOD, measurements=INTERVALS, battery_percent=62, drift_ppm=-20.0),
    "two leads spoilt, samples lost": replace(make_status(quality=SPOILT, battery_percent=8), samples_lost=90),
    "an electrode off": make_status(quality=GOOD, lead_off=("LA", "LL"), reconstructed_from=("II",)),
    "a warning": make_status(quality=GOOD, warnings=("lead I is upside down: are LA and RA exchanged?",)),
    "calibrated": make_status(quality=GOOD, calibration="reconstructed, calibrated 2026-01-02 from rec"),
    "calibration does not fit": make_status(quality=GOOD, calibration="of 2026-01-02", calibration_fits=False),
}

CUT = """(() => {
    const out = [];
    for (const node of document.querySelectorAll('header *, footer *, .label, .label *, #banner, #warnings')) {
        const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
        const box = node.getBoundingClientRect();
        if (!own || !box.width || node.closest('.unseen, #happened ol, #technical dl, svg')) continue;
        const hides = getComputedStyle(node).overflowX !== 'visible';
        const name = node.id || node.textContent;
        if (hides && node.scrollWidth > node.clientWidth + 1) out.push(name);
        if (box.left < -1 || box.right > innerWidth + 1) out.push(`outside: ${name}`);
    }
    return out; })()"""
OVERLAP = """(() => {
    const words = [];
    const skip = '.unseen, #happened ol, #technical dl, #banner, #warnings, #look-back, kbd';
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
        if (!node.textContent.trim() || node.parentElement.closest(skip)) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        for (const box of range.getClientRects()) if (box.width > 1) words.push([node.textContent.trim(), box]);
    }
    const out = [];
    words.forEach(([a, x], i) => words.slice(i + 1).forEach(([b, y]) => {
        const wide = Math.min(x.right, y.right) - Math.max(x.left, y.left);
        const high = Math.min(x.bottom, y.bottom) - Math.max(x.top, y.top);
        if (wide > 1 && high > 3) out.push(`${a} / ${b}`);
    }));
    return out; })()"""


def check(scene, said):
    assert scene.js(CUT) == [], said
    assert scene.js(OVERLAP) == [], said
    assert scene.js("document.documentElement.scrollWidth <= innerWidth"), said


@pytest.mark.parametrize("screen", SCREENS)
def test_no_word_is_cut_and_none_lies_on_another(scene, screen):
    width, height, scale, mobile = SCREENS[screen]
    scene.start(patient="Müller-Lüdenscheidt, Anna-Katharina", sensed=0b111)
    scene.browser.viewport(width, height, scale, mobile)
    scene.feed(6)
    scene.sink.note(Note("signal", 0, 0, "lead II is too noisy to reconstruct from"))
    scene.show()
    for theme in ("dark", "light"):
        scene.js(f"ecgMonitor.setTheme('{theme}')")
        for number, (name, status) in enumerate(STATUSES.items()):
            scene.sink.status(replace(status, rate_hz=200.0 + number))
            scene.browser.wait_for(f"document.getElementById('rate').textContent === '{200 + number}.0 Hz'")
            check(scene, f"{name}, {theme}")
    for layout in ("3x4", "6x2", "12x1"):
        scene.js(f"ecgMonitor.setOption('layout', '{layout}')")
        check(scene, layout)
    scene.browser.press(" ")
    check(scene, "frozen")


@pytest.mark.parametrize("screen", SCREENS)
def test_what_a_nurse_needs_is_on_the_first_screen(scene, screen):
    width, height, scale, mobile = SCREENS[screen]
    scene.start(sensed=0b111)
    scene.browser.viewport(width, height, scale, mobile)
    scene.feed(2)
    scene.sink.status(make_status(quality=GOOD, battery_percent=62))
    scene.show()
    bottom = "document.getElementById('{}').getBoundingClientRect().bottom <= innerHeight"
    for name in ("hr", "state", "clock", "off", "signal", "battery", "freeze"):
        assert scene.js(bottom.format(name)), name
    assert scene.js("document.querySelector('.caution strong').getBoundingClientRect().bottom <= innerHeight")
    strips = scene.js("document.getElementById('screen').clientHeight / innerHeight")
    assert strips > 0.5, "the strips have most of the screen"


@pytest.mark.parametrize("width", [1181, 1250, 1300, 1379])
def test_the_heart_rate_is_whole_at_every_width(scene, width):
    scene.start(patient="Müller-Lüdenscheidt, Anna-Katharina", sensed=0b111)
    scene.browser.viewport(width, 760)
    scene.feed(1)
    scene.show()
    scene.sink.status(replace(STATUSES["intervals and battery"], heart_rate_bpm=165.0))
    scene.browser.wait_for("document.getElementById('hr').textContent === '165'")
    box = scene.js(
        "(() => { const b = document.querySelector('.rate').getBoundingClientRect(); return [b.left, b.right]; })()"
    )
    assert box[0] >= 0 and box[1] <= width
    check(scene, width)


def test_a_lost_device_and_an_ended_run_cut_no_word_either(scene):
    scene.browser.viewport(390, 844, 2, True)
    scene.start(("RA-V5", "RA-V2"), patient="7")
    scene.feed(3)
    scene.show()
    check(scene, "pairs of electrodes")
    scene.sink.status(replace(make_status(connected=False), heart_rate_bpm=None))
    scene.browser.wait_for("ecgMonitor.state === 'source'")
    check(scene, "device lost")
    scene.sink.close()
    scene.browser.wait_for("ecgMonitor.state === 'ended'")
    check(scene, "run ended")
