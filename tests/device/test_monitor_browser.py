import base64
from dataclasses import replace
from datetime import datetime, timezone
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from ecg_edge.benchmarks.chromium import BrowserError, Chromium, find_browser
from ecg_edge.device.conditioning import ConditioningSpec
from ecg_edge.device.leads import provenance
from ecg_edge.device.monitor import MonitorSink
from ecg_edge.device.sink import Note, RunHeader, Status
from ecg_edge.device.spec import Head, ModelSpec
from ecg_edge.device.stream import LeadBlock
from ecg_edge.firmware_bridge.samples import LEADS, Channel, StreamInfo

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_browser() is None, reason="no Chromium found: apt-get install chromium"),
]

FS = 100


def make_header(measured):
    targets = tuple(lead for lead in LEADS[6:] if lead not in measured)
    zeros = np.zeros((4, len(targets)), np.float32)
    head = Head((), zeros, zeros, np.eye(4, dtype=np.float32), 0.9, np.ones(len(targets), np.float32))
    spec = ModelSpec("streaming", measured, targets, FS, 8, 12, 800, 1.2, 1, (), head, ConditioningSpec(), "ab")
    info = StreamInfo("Patch 7", Fraction(250), tuple(Channel(lead, 1e-4) for lead in measured))
    started = datetime(2024, 5, 1, tzinfo=timezone.utc)
    return RunHeader(info, "synthetic:", spec, "limb.onnx", "cd" * 32, provenance(measured), started)


def make_block(index, n, measured=("I", "II"), invalid=(), warm=False):
    t = (index + np.arange(n)) / FS
    mv = np.tile((0.5 * np.sin(2 * np.pi * 3 * t)).astype(np.float32)[:, None], (1, 12))
    kinds = provenance(measured)
    valid = np.ones((n, 12), np.bool_)
    valid[:, [LEADS.index(lead) for lead in invalid]] = False
    sigma = np.tile(np.array([0.2 if p.value == "reconstructed" else 0 for p in kinds], np.float32), (n, 1))
    return LeadBlock(index, mv, kinds, valid, np.full(n, warm), sigma)


def make_status(**more):
    return Status(10.0, 2500, 1000, 5, 250.2, 3.2, 8.7, 71.6, **more)


class Scene:
    """A monitor with samples in it, and the page."""

    def __init__(self, browser):
        self.browser, self.js = browser, browser.js
        self.sink, self.index = None, 0
        browser.viewport(1280, 800)

    def start(self, measured=("I", "II"), port=0, patient=""):
        self.measured, self.index = measured, 0
        self.sink = MonitorSink(port=port)
        self.sink.open(replace(make_header(measured), patient=patient))

    def feed(self, seconds, **more):
        for _ in range(round(seconds * FS / 10)):
            self.sink.leads(make_block(self.index, 10, self.measured, **more))
            self.index += 10

    def show(self):
        self.browser.goto(self.sink.url)
        self.caught_up()

    def caught_up(self):
        self.browser.wait_for(f"window.ecgMonitor && ecgMonitor.head > {self.index - 20}")

    def ink(self, lead, first, last):
        """Count the pixels in a lead's own colour between two samples of its strip."""
        return self.js(
            f"""(() => {{
            const m = ecgMonitor, a = m.scope.locate("{lead}", {first}), b = m.scope.locate("{lead}", {last});
            const box = m.scope.ink.getImageData(a.x, a.top, Math.max(1, b.x - a.x), a.height).data;
            const hex = m.provenance["{lead}"].color;
            const rgb = [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
            let n = 0;
            for (let i = 0; i < box.length; i += 4)
              if (box[i + 3] > 200 && rgb.every((c, k) => Math.abs(c - box[i + k]) < 12)) n++;
            return n; }})()"""
        )

    def text(self, name):
        return self.js(f"document.getElementById('{name}').textContent")

    def close(self):
        if self.sink:
            self.sink.close()
        self.js("location.replace('about:blank')")


@pytest.fixture(scope="module")
def browser():
    with Chromium() as chromium:
        yield chromium


@pytest.fixture
def scene(browser):
    made = Scene(browser)
    yield made
    made.close()


def test_twelve_leads_receive_and_draw_every_sample(scene):
    scene.start()
    scene.feed(5)
    scene.show()
    assert scene.js("ecgMonitor.counts") == dict.fromkeys(LEADS, 500)
    scene.feed(0.5)
    scene.caught_up()
    assert set(scene.js("ecgMonitor.counts").values()) == {550}
    assert scene.js("ecgMonitor.framesLost") == 0
    for lead in LEADS:
        assert scene.ink(lead, 500, 520) > 20, lead
    ring = "ecgMonitor.scope.ring"
    sent = np.rint(make_block(0, 500).mv * 1000)
    for k in (0, 11):
        got = scene.js(f"Array.from({ring}.uv.slice({k} * {ring}.size, {k} * {ring}.size + 500))")
        np.testing.assert_array_equal(got, sent[:, k])
    assert scene.js(f"{ring}.sigma[11 * {ring}.size]") == 200 and scene.js(f"{ring}.sigma[0]") == 0


def test_every_layout_shows_each_lead_once_and_the_rhythm_strip(scene):
    scene.start()
    scene.browser.goto(scene.sink.url)
    scene.browser.wait_for("window.ecgMonitor && document.querySelector('.label')")
    layouts = scene.js("ecgMonitor.layouts")
    assert layouts["3x4"]["rows"] == [
        ["I", "aVR", "V1", "V4"],
        ["II", "aVL", "V2", "V5"],
        ["III", "aVF", "V3", "V6"],
    ]
    assert [layouts[name]["rhythm"] for name in ("3x4", "6x2", "12x1")] == ["II", None, None]
    for name, layout in layouts.items():
        scene.js(f"ecgMonitor.setOption('layout', '{name}')")
        assert sorted([lead for row in layout["rows"] for lead in row]) == sorted(LEADS)
        drawn = scene.js("[...document.querySelectorAll('.label')].map((l) => l.dataset.lead)")
        assert sorted(drawn) == sorted([*LEADS, "II"] if layout["rhythm"] else LEADS)


def test_provenance_is_told_by_more_than_colour(scene):
    scene.start()
    scene.feed(1)
    scene.show()
    styles = scene.js("ecgMonitor.provenance")
    by_kind = {style["kind"]: style for style in styles.values()}
    assert [styles[lead]["kind"] for lead in ("I", "aVF", "V1")] == ["measured", "derived", "reconstructed"]
    for a, b in combinations(by_kind.values(), 2):
        assert a["color"] != b["color"]
        assert (a["dash"], a["width"]) != (b["dash"], b["width"])
        assert a["word"] != b["word"]
    said = scene.js(
        "Object.fromEntries([...document.querySelectorAll('.label')].map((l) => [l.dataset.lead, l.ariaLabel]))"
    )
    assert said["I"] == "I measured" and said["aVL"] == "aVL derived" and said["V1"] == "V1 reconstructed"
    assert said["V2"] == "V2 reconstructed, ST not identifiable" and said["V3"].endswith("ST not identifiable")
    assert not said["V4"].endswith("identifiable")


def test_with_a_chest_lead_st_is_not_called_unidentifiable(scene):
    scene.start(("I", "II", "V2"))
    scene.feed(1)
    scene.show()
    assert "identifiable" not in scene.text("labels")
    assert scene.js("ecgMonitor.provenance.V2.kind") == "measured"


def test_an_invalid_stretch_is_blank_and_hatched_and_leaves_other_leads_alone(scene):
    scene.start()
    scene.feed(1)
    scene.feed(0.5, invalid=("V1", "II"))
    scene.feed(0.5)
    scene.show()
    for lead in ("V1", "II"):
        assert scene.ink(lead, 105, 145) == 0
        assert scene.ink(lead, 60, 95) > 20 and scene.ink(lead, 155, 180) > 20
    assert scene.ink("V2", 105, 145) > 20
    box = "const c = ecgMonitor.scope.locate('V1', 120)"
    hatch = scene.js(f"{box}; ecgMonitor.scope.ink.getImageData(c.x, c.top, 20, c.height).data.some((v) => v > 0)")
    assert hatch, "blank must be told from flat"


def test_drawing_bit_by_bit_gives_the_same_picture_as_drawing_at_once(scene):
    scene.start()
    scene.feed(1, warm=True)
    scene.feed(0.5, invalid=("V4",))
    scene.feed(4)
    scene.show()
    scene.browser.press(" ")
    scene.js(
        """void (window.alpha = () => { const c = ecgMonitor.scope.ink;
        return c.getImageData(0, 0, c.canvas.width, c.canvas.height).data.filter((v, i) => i % 4 === 3); })"""
    )
    for start in (90, 210, 333.3):
        scene.js(f"void (ecgMonitor.scope.redraw({start + 160}), (window.whole = alpha()))")
        steps = np.random.default_rng(int(start)).uniform(0.1, 5, 60).cumsum()
        heads = [start, *(start + steps[steps < 160]).tolist(), start + 160]
        scene.js(f"ecgMonitor.scope.redraw({heads[0]})")
        scene.js(f"void {heads[1:]}.forEach((head) => ecgMonitor.scope.drawTo(head))")
        seams = scene.js("alpha().filter((v, i) => Math.abs(v - whole[i]) > 40).length")
        assert seams < 20, "anti-aliasing may round otherwise, but no frame may leave an edge"


def test_lost_samples_leave_a_hole_of_their_own_length(scene):
    scene.start()
    scene.feed(1)
    scene.index += 50
    scene.feed(0.5)
    scene.show()
    assert scene.ink("I", 105, 145) == 0 and scene.ink("I", 155, 175) > 10


def test_the_interval_can_be_switched_off_and_warm_up_is_marked(scene):
    scene.start()
    scene.feed(1, warm=True)
    scene.feed(1)
    scene.show()
    painted = "ecgMonitor.scope.ink.getImageData(0, 0, 1280, 400).data.filter((v, i) => i % 4 == 3 && v).length"
    with_band = scene.js(painted)
    scene.browser.press("b")
    assert scene.js(painted) < 0.8 * with_band
    assert scene.js("document.getElementById('band').ariaPressed") == "false"
    bar = """(() => {{ const s = ecgMonitor.scope, c = s.locate('V1', {i});
        return s.ink.getImageData(c.x, c.top + c.height - 5, 1, 1).data[3]; }})()"""
    assert scene.js(bar.format(i=50)) > 0 and scene.js(bar.format(i=150)) == 0


def test_space_freezes_the_screen_while_samples_go_on(scene):
    scene.start()
    scene.feed(2)
    scene.show()
    scene.browser.press(" ")
    assert scene.js("ecgMonitor.frozen") and scene.js("document.getElementById('freeze').ariaPressed") == "true"
    picture = scene.js("ecgMonitor.scope.ink.canvas.toDataURL()")
    drawn = scene.js("ecgMonitor.columnsDrawn")
    scene.feed(1)
    scene.browser.wait_for("ecgMonitor.counts.V1 === 300")
    scene.js("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert scene.js("ecgMonitor.columnsDrawn") == drawn
    assert scene.js("ecgMonitor.scope.ink.canvas.toDataURL()") == picture
    assert scene.text("state") == "Frozen" and "frozen" in scene.text("live")
    scene.browser.press(" ")
    scene.caught_up()
    assert scene.js("ecgMonitor.columnsDrawn") > drawn


def test_the_page_comes_back_by_itself_and_says_so(scene):
    scene.start()
    port = int(scene.sink.url.rsplit(":", 1)[1].strip("/"))
    scene.feed(1)
    scene.sink.status(make_status())
    scene.show()
    scene.browser.wait_for("document.getElementById('hr').textContent === '72'")
    scene.sink.close()
    scene.browser.wait_for("ecgMonitor.state === 'ended' && !document.getElementById('banner').hidden")
    assert scene.text("hr") == "––", "an old heart rate must not pass for a live one"
    scene.start(("I", "II", "V2"), port=port)
    scene.feed(0.5)
    scene.browser.wait_for("ecgMonitor.reconnects === 1 && ecgMonitor.state === 'live'")
    scene.browser.wait_for("ecgMonitor.counts.I === 150")
    assert scene.text("live") == "Reconnected" and scene.js("ecgMonitor.provenance.V2.kind") == "measured"
    assert scene.js("document.getElementById('banner').hidden")


def test_the_figures_reach_the_header_line(scene):
    scene.start()
    scene.feed(1)
    scene.sink.status(make_status(lead_off=("LL",)))
    scene.sink.note(Note("gap", 5, 9, "<b>4 samples lost</b>"))
    scene.show()
    scene.browser.wait_for("document.getElementById('hr').textContent === '72'")
    assert scene.text("device") == "Patch 7" and scene.text("off") == "LL" and scene.text("model") == "limb.onnx"
    assert scene.text("loss") == "0.20 %" and scene.text("rate") == "250.2 Hz" and scene.text("latency") == "3 / 9 ms"
    assert scene.text("algorithmic") == "+ 190 ms algorithmic" and "90 %" in scene.text("interval")
    assert "<b>4 samples lost</b>" in scene.text("last-event"), "as text, never as markup"
    scene.sink.status(make_status(connected=False))
    scene.browser.wait_for("ecgMonitor.state === 'source' && !document.getElementById('banner').hidden")


@pytest.mark.parametrize(("width", "height"), [(360, 640), (844, 390), (2560, 1440)])
def test_no_viewport_needs_sideways_scrolling(scene, width, height):
    scene.browser.viewport(width, height, 2 if width < 900 else 1, width < 900)
    scene.start()
    scene.feed(1)
    scene.show()
    for layout in ("3x4", "6x2", "12x1"):
        scene.js(f"ecgMonitor.setOption('layout', '{layout}')")
        assert scene.js("document.documentElement.scrollWidth") <= width
        assert scene.js(
            "[...document.querySelectorAll('.label')].every((l) => l.getBoundingClientRect().right <= innerWidth)"
        )
    assert scene.js("document.getElementById('traces').width / innerWidth") == (2 if width < 900 else 1)


def test_everything_works_from_the_keyboard(scene):
    scene.start()
    scene.feed(1)
    scene.show()
    for key, name, value in (("l", "layout", "6x2"), ("s", "speed", 50), ("g", "gain", 20), ("g", "gain", 5)):
        scene.browser.press(key)
        assert scene.js(f"ecgMonitor.scope.options.{name}") == value
    before = scene.js("document.documentElement.dataset.theme")
    scene.browser.press("t")
    assert scene.js("document.documentElement.dataset.theme") != before
    scene.browser.press("Tab")
    assert scene.js("document.activeElement.name") == "layout"
    assert scene.js("getComputedStyle(document.activeElement.nextElementSibling).outlineStyle") == "solid"
    scene.browser.press("ArrowRight")
    assert scene.js("ecgMonitor.scope.options.layout") == "12x1"
    names = "[...document.querySelectorAll('button, input')].map((e) => (e.closest('label') ?? e).textContent.trim())"
    assert all(scene.js(names))
    for _ in range(6):
        scene.browser.press("Tab")
    assert scene.js("document.activeElement.id") == "freeze"
    scene.browser.press(" ")
    assert scene.js("ecgMonitor.frozen"), "once, by the button, not twice"


def test_a_picture_can_be_taken_and_failures_are_told(scene, tmp_path):
    scene.start()
    scene.feed(1)
    scene.show()
    scene.browser.screenshot(tmp_path / "monitor.png")
    assert (tmp_path / "monitor.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(BrowserError, match="ReferenceError"):
        scene.js("nothing_of_that_name")
    with pytest.raises(BrowserError, match="still not true"):
        scene.browser.wait_for("false", timeout_s=0)
    nobody = scene.sink.url
    scene.sink.close()
    with pytest.raises(BrowserError, match="REFUSED"):
        scene.browser.goto(nobody)


def test_the_trace_says_whose_head_its_estimates_come_from(scene):
    label = "reconstructed, calibrated 2026-01-02 from rec <b>"
    scene.start()
    scene.feed(1)
    scene.show()
    badge = "[...document.querySelectorAll('.label.reconstructed .badge')].map((b) => b.textContent)"
    spoken = "document.querySelector('.label.reconstructed').getAttribute('aria-label')"
    assert "calibrated" not in scene.text("precision") + " ".join(scene.js(badge))
    for fits, word in ((True, "· calibrated"), (False, "· calibration does not fit"), (True, "· calibrated")):
        scene.sink.status(make_status(calibration=label, calibration_fits=fits))
        scene.browser.wait_for(f"document.getElementById('precision').textContent.endsWith('{word}')")
        assert all(("calibrated" in text) is fits for text in scene.js(badge))
        assert (label in scene.js(spoken)) is fits
    assert label in scene.js("document.getElementById('model').title")


def test_a_spoilt_lead_and_the_st_level_are_told_on_the_strip(scene):
    scene.start()
    scene.feed(1)
    scene.show()
    quality = {"I": {"index": 0.0, "reason": "flat"}, "II": {"index": 0.9, "reason": ""}}
    scene.sink.status(make_status(quality=quality, st_mv={"I": None, "II": -0.12, "V6": 0.05, "V2": None}))
    scene.browser.wait_for("document.querySelector('.label .spoilt')")
    strip = "document.querySelector('.label[data-lead=\"{}\"]')"
    assert scene.js(strip.format("I") + ".textContent").endswith("flat")
    assert scene.js("document.querySelectorAll('.spoilt').length") == 1
    assert "ST −0.12 mV at J+60" in scene.js(strip.format("II") + ".title")
    assert "ST +0.05 mV" in scene.js(strip.format("V6") + ".getAttribute('aria-label')")
    assert "ST not identifiable" in scene.js(strip.format("V2") + ".title")
    scene.sink.status(make_status(quality=quality | {"I": {"index": 0.9, "reason": ""}}))
    scene.browser.wait_for("!document.querySelector('.label .spoilt')")


def test_the_figures_say_who_wears_it_what_is_off_and_what_wants_a_hand(scene):
    scene.start(patient="P7 <b>")
    scene.feed(1)
    scene.show()
    assert scene.text("patient") == "P7 <b>" and scene.js("document.title").startswith("P7 <b>")
    marks = "['on', 'off'].map((kind) => document.querySelectorAll(`#torso .electrode.${kind}`).length)"
    assert scene.js(marks) == [3, 0] and scene.js("document.getElementById('power').hidden")
    warned = ("lead I is upside down: are LA and RA exchanged?",)
    scene.sink.status(make_status(lead_off=("LA",), battery_percent=8, drift_ppm=-200.4, warnings=warned))
    scene.browser.wait_for("document.getElementById('battery').textContent === '8 %'")
    assert scene.js(marks) == [2, 1], "not by colour alone: a cross in place of a dot"
    assert scene.js("document.getElementById('power').classList.contains('alarm')")
    assert scene.text("drift") == "200 ppm fast" and scene.text("warnings") == warned[0]
    assert scene.js("document.getElementById('warnings').getAttribute('role')") == "alert"
    scene.sink.status(make_status())
    scene.browser.wait_for("document.getElementById('warnings').hidden")


def test_bridged_gaps_are_counted_and_do_not_push_out_what_matters(scene):
    scene.start()
    scene.feed(1)
    scene.sink.note(Note("gap", 5, 500, "2.0 s lost"))
    for k in range(60):
        scene.sink.note(Note("held", k, k + 2, "2 samples lost, bridged"))
    scene.show()
    for _ in range(5):
        scene.sink.note(Note("held", 70, 72, "2 samples lost, bridged"))
    scene.browser.wait_for("document.getElementById('events').textContent.includes('5 short gaps')")
    assert scene.js("document.getElementById('events').children.length") == 2
    first, second = scene.js("[...document.getElementById('events').children].map((e) => e.textContent)")
    assert "short gaps bridged" in first and second.endswith("2.0 s lost")
    assert scene.text("last-event").endswith("2.0 s lost") and "bridged" not in scene.text("live")


def test_labels_say_what_the_strip_shows_and_not_what_is_true_by_now(scene):
    scene.start()
    scene.feed(4)
    scene.measured = ("II",)  # lead I lost: the rest comes from II alone
    scene.feed(4)
    scene.show()
    badge = "document.querySelector('.label[data-lead=\"{}\"] .badge')?.textContent ?? ''"
    scene.browser.wait_for(f"({badge.format('V6')}) === 'reconstructed from II'")
    assert scene.js(badge.format("I")) == "reconstructed from II" and scene.js(badge.format("II")) == ""
    scene.browser.press(" ")
    assert scene.js(badge.format("I")) == "reconstructed from II"
    for _ in range(4):
        scene.browser.press("ArrowLeft")
    assert scene.js(badge.format("I")) == "" and scene.js(badge.format("V6")) == "reconstructed"
    for _ in range(2):
        scene.browser.press("ArrowRight")
    assert scene.js(badge.format("I")) == "reconstructed from II, in part measured"


def test_the_calipers_are_led_by_keys_too(scene):
    scene.start()
    scene.feed(6)
    scene.show()
    scene.browser.press("c")
    assert scene.js("document.querySelector('.caliper').hidden"), "only on a frozen screen"
    scene.browser.press(" ")
    scene.browser.press("c")
    read = "document.querySelector('.caliper output').textContent"
    assert scene.js(read) == "400 ms · 150/min · +0.50 mV" and "arrows" in scene.text("live")
    left = scene.js("document.querySelector('.caliper').style.left")
    scene.browser.press("ArrowRight")
    assert scene.js("document.querySelector('.caliper').style.left") != left and scene.js("ecgMonitor.back") == 0
    for _ in range(10):
        scene.browser.press("ArrowRight", shift=True)
    assert scene.js(read) == "600 ms · 100/min · +0.50 mV" == scene.text("live")
    scene.browser.press("Escape")
    scene.browser.press("ArrowLeft")
    assert scene.js("document.querySelector('.caliper').hidden") and scene.js("ecgMonitor.back") == 1


def test_scrolling_keeps_the_newest_sample_at_the_right_edge(scene):
    scene.start()
    scene.feed(4)
    scene.show()
    scene.browser.press("m")
    scene.feed(0.5)
    scene.caught_up()
    scene.js("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert scene.js("ecgMonitor.scope.options.mode") == "scroll"
    edge = scene.js("(() => { const g = ecgMonitor.scope.scene.groups[0]; return g.columns[0].x + g.width; })()")
    at = scene.js("ecgMonitor.scope.locate('I', ecgMonitor.scope.stillAt).x")
    assert abs(at - edge) <= 1
    assert scene.ink("I", 380, 425) > 20
    scene.browser.press("m")
    assert scene.js("ecgMonitor.scope.options.mode") == "sweep"


def test_a_frozen_screen_looks_back_and_measures(scene):
    scene.start()
    scene.feed(1)
    scene.show()
    for seconds, more in ((5, {}),) * 6 + ((1, {"invalid": ("I",)}),) + ((5, {}),) * 4:
        scene.feed(seconds, **more)  # bit by bit: a browser that is too slow loses frames
        scene.caught_up()
    scene.browser.press(" ")
    assert not scene.js("document.getElementById('look-back').hidden")
    for key, seconds in (("PageUp", 10), ("ArrowLeft", 11), ("ArrowRight", 10), ("Home", 51), ("End", 0)):
        scene.browser.press(key)
        assert scene.js("ecgMonitor.back") == pytest.approx(seconds, abs=1), key
    scene.js("document.getElementById('back').value = -20")
    scene.js("document.getElementById('back').dispatchEvent(new Event('input'))")
    assert scene.text("back-s") == "−20 s"
    # 52 s fed, 20 s back: the strip ends at the gap in lead I.
    hole = scene.js("[3105, 3190].map((i) => ecgMonitor.scope.locate('I', i).x)")
    assert hole[0] > 0 and scene.ink("I", 3110, 3180) == 0 and scene.ink("II", 3110, 3180) > 20
    box = scene.js(
        "(() => { const r = document.getElementById('screen').getBoundingClientRect(); return [r.left, r.top]; })()"
    )
    mm = scene.js("ecgMonitor.scope.scene.mm / ecgMonitor.scope.scene.dpr")
    x, y = box[0] + 200, box[1] + 200
    for kind, dx, dy in (("mousePressed", 0, 0), ("mouseMoved", 10 * mm, -5 * mm), ("mouseReleased", 10 * mm, -5 * mm)):
        scene.browser.call(
            "Input.dispatchMouseEvent", type=kind, x=x + dx, y=y + dy, button="left", buttons=1, clickCount=1
        )
    said = scene.js("document.querySelector('.caliper output').textContent")
    milliseconds, rate, mv = said.split(" · ")
    assert int(milliseconds.split()[0]) == pytest.approx(400, abs=15)
    assert int(rate.split("/")[0]) == pytest.approx(150, abs=6) and float(mv.split()[0]) == pytest.approx(0.5, abs=0.05)
    assert scene.text("live") == said
    scene.browser.press(" ")
    assert scene.js("document.querySelector('.caliper').hidden") and scene.js(
        "document.getElementById('look-back').hidden"
    )


def test_the_page_is_a4_with_the_warning_and_every_lead(scene, tmp_path):
    scene.start()
    scene.feed(12)
    scene.show()
    theme = scene.js("document.documentElement.dataset.theme")
    size = scene.js("(() => { const c = ecgMonitor.page(); return [c.width, c.height]; })()")
    assert size == [297 * 8, 210 * 8]
    assert scene.js("document.documentElement.dataset.theme") == theme
    read = (
        "(async () => {{ const b = await ecgMonitor.file('{}'); const a = new Uint8Array(await b.arrayBuffer()); "
        "let s = ''; for (const v of a) s += String.fromCharCode(v); return btoa(s); }})()"
    )
    files = {kind: base64.b64decode(scene.js(read.format(kind))) for kind in ("pdf", "png")}
    pdf = files["pdf"]
    assert pdf.startswith(b"%PDF-1.4") and b"/MediaBox [0 0 841.89 595.28]" in pdf and pdf.endswith(b"%%EOF\n")
    at = int(pdf.split(b"startxref\n")[1].split()[0])
    offsets = [int(line.split()[0]) for line in pdf[at:].split(b"\n")[3:9]]
    assert pdf[at:].startswith(b"xref") and [pdf[k:].split(b" ")[0] for k in offsets] == [
        b"%d" % n for n in range(1, 7)
    ]
    assert files["png"].startswith(b"\x89PNG")
    words = scene.js(
        """(() => { const said = []; const own = CanvasRenderingContext2D.prototype.fillText;
        const pen = CanvasRenderingContext2D.prototype;
        pen.fillText = function (text, ...rest) { said.push(text); own.call(this, text, ...rest); };
        try { ecgMonitor.page(); } finally { pen.fillText = own; } return said; })()"""
    )
    assert set(LEADS) <= set(words) and words.count("reconstructed") == 6 and words.count("derived") == 4
    assert "Reconstructed leads are estimates, not for diagnosis" in words
    orange = scene.js(
        """(() => { const c = ecgMonitor.page(), ink = c.getContext('2d');
        const d = ink.getImageData(0, 160, c.width, c.height - 300).data;
        let n = 0;
        for (let i = 0; i < d.length; i += 4) if (d[i] > 150 && d[i + 1] < 120 && d[i + 2] < 60) n++;
        return n; })()"""
    )
    assert orange > 2000  # the reconstructed strips are drawn
