"""Scenes on five screens, light, dark and printed: no word is cut, and no two words lie on each other.

``ECG_EDGE_ALL_SCENES=1`` looks at every scene in every mode.
"""

import os
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
    "long words everywhere": make_status(
        quality={"I": {"index": 0.2, "reason": "baseline wander"}, "II": {"index": 0.2, "reason": "mains hum"}},
        lead_off=("RA", "LA", "LL", "V1", "V2"),
        measurements=INTERVALS,
        battery_percent=100,
        drift_ppm=-1234.0,
        warnings=("lead I is upside down: are LA and RA exchanged?", "the rate is not the nominal one"),
    ),
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


MODES = ("dark", "light", "print")
ALL = bool(os.environ.get("ECG_EDGE_ALL_SCENES"))
"""All scenes in all modes; else each scene in one mode of each screen, so that every pair of them is seen."""

SHEET = """(() => {
    const boxes = [], pen = CanvasRenderingContext2D.prototype, own = pen.fillText;
    pen.fillText = function (text, x, y) {
        const m = this.measureText(text);
        boxes.push([text, x, y - m.actualBoundingBoxAscent, x + m.width, y + m.actualBoundingBoxDescent]);
        own.apply(this, arguments);
    };
    const sheet = ecgMonitor.page();
    pen.fillText = own;
    const out = boxes.filter((b) => b[0] && (b[1] < 0 || b[2] < 0 || b[3] > sheet.width || b[4] > sheet.height));
    boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
        if (a[0] && b[0] && Math.min(a[3], b[3]) - Math.max(a[1], b[1]) > 1
            && Math.min(a[4], b[4]) - Math.max(a[2], b[2]) > 1) out.push([a[0], b[0]]);
    }));
    return out; })()"""
"""Words of the sheet that a browser prints which leave it or lie on each other."""


def check(scene, said):
    assert scene.js(CUT) == [], said
    assert scene.js(OVERLAP) == [], said
    assert scene.js("document.documentElement.scrollWidth <= innerWidth"), said


def check_in(scene, mode, said):
    """A scene on the screen in a theme, or on the paper that the browser prints, which has no theme."""
    if mode == "print":
        assert scene.js(SHEET) == [], said
        return
    scene.js(f"ecgMonitor.setTheme('{mode}')")
    check(scene, f"{said}, {mode}")


def modes_of(number):
    return MODES if ALL else MODES[number % 3 : number % 3 + 1]


@pytest.mark.parametrize("screen", SCREENS)
def test_no_word_is_cut_and_none_lies_on_another(scene, screen):
    turn = list(SCREENS).index(screen)
    width, height, scale, mobile = SCREENS[screen]
    scene.start(patient="Müller-Lüdenscheidt, Anna-Katharina", sensed=0b111)
    scene.browser.viewport(width, height, scale, mobile)
    scene.feed(6)
    scene.sink.note(Note("signal", 0, 0, "lead II is too noisy to reconstruct from"))
    scene.show()
    for number, (name, status) in enumerate(STATUSES.items()):
        scene.sink.status(replace(status, rate_hz=200.0 + number))
        scene.browser.wait_for(f"document.getElementById('rate').textContent === '{200 + number}.0 Hz'")
        for mode in modes_of(number + turn):
            check_in(scene, mode, name)
    for layout in ("3x4", "6x2", "12x1"):
        scene.js(f"ecgMonitor.setOption('layout', '{layout}')")
        for mode in MODES[:2] if ALL else modes_of(turn % 2):
            check_in(scene, mode, layout)
    scene.browser.press(" ")
    scene.browser.press("ArrowLeft")
    for mode in MODES:
        check_in(scene, mode, "frozen, looking back")
    scene.browser.press(" ")
    scene.feed(1)
    scene.sink.status(replace(make_status(connected=False), heart_rate_bpm=None))
    scene.browser.wait_for("ecgMonitor.state === 'source'")
    for mode in modes_of(turn):
        check_in(scene, mode, "device lost")
    scene.sink.close()
    scene.browser.wait_for("ecgMonitor.state === 'ended'")
    for mode in modes_of(turn + 1):
        check_in(scene, mode, "run ended")


def test_without_colour_the_printed_kinds_differ_in_word_width_and_band(scene):
    scene.start()
    scene.feed(12)
    scene.show()
    styles = scene.js("ecgMonitor.styles")
    assert len({(s["word"], s["width"]) for s in styles.values()}) == len(styles)
    paths = "[...document.querySelectorAll('.key li')].map((l) => l.textContent.trim())"
    assert len(set(scene.js(paths))) == 6
    grey = """(() => { const c = ecgMonitor.page(), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let dark = 0; for (let i = 0; i < d.length; i += 4)
            if (0.3 * d[i] + 0.59 * d[i + 1] + 0.11 * d[i + 2] < 128) dark++;
        return dark / (c.width * c.height); })()"""
    assert 0.005 < scene.js(grey) < 0.1, "every trace is dark on paper, and the grid is not"


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


def test_channels_between_electrodes_have_whole_words_on_a_phone_and_on_paper(scene):
    scene.browser.viewport(390, 844, 2, True)
    scene.start(("RA-V5", "RA-V2"), patient="7")
    scene.feed(3)
    scene.show()
    for mode in MODES:
        check_in(scene, mode, "pairs of electrodes")
