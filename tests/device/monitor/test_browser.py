from dataclasses import replace
from itertools import combinations

import numpy as np

from ecg_edge.device.lead_block import Note
from ecg_edge.firmware_bridge.lead_names import LEADS
from tests.support.monitor_scene import NEEDS_BROWSER, make_block, make_status

pytestmark = NEEDS_BROWSER


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
        assert (a["band"], a["width"]) != (b["band"], b["width"])
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


def test_a_tall_wave_stays_in_its_row_and_is_marked_as_cut(scene):
    scene.start()
    block = make_block(0, 300)
    tall = np.zeros_like(block.mv)
    tall[150:154, LEADS.index("V2")] = 9.0
    scene.sink.leads(replace(block, mv=tall))
    scene.index = 300
    scene.show()
    scene.js("ecgMonitor.setOption('layout', '12x1'), ecgMonitor.setOption('band', false)")
    inked = """(() => {{ const s = ecgMonitor.scope, at = s.locate('V2', {sample});
        const box = s.ink.getImageData(at.x - 4, at.top + {rows} * at.height, 8, 0.2 * at.height).data;
        return box.filter((v, k) => k % 4 === 3 && v > 120).length; }})()"""
    assert scene.js(inked.format(sample=151, rows=-0.2)) > 8, "a bar where it is cut"
    assert scene.js(inked.format(sample=250, rows=-0.2)) == 0
    for rows in (-2.2, -1.2):
        assert scene.js(inked.format(sample=151, rows=rows)) == 0, "the rows above are not crossed"


def test_a_tall_wave_in_the_first_row_is_marked_as_well(scene):
    scene.start()
    block = make_block(0, 300)
    tall = np.zeros_like(block.mv)
    tall[150:154, [LEADS.index("I"), LEADS.index("II")]] = 9.0
    scene.sink.leads(replace(block, mv=tall))
    scene.index = 300
    scene.show()
    bar = """(() => {{ const s = ecgMonitor.scope, at = s.locate('{lead}', 151);
        const box = s.ink.getImageData(at.x - 4, at.highest + 1, 8, 1).data;
        return box.filter((v, k) => k % 4 === 3 && v > 120).length; }})()"""
    assert scene.js(bar.format(lead="I")) > 4 and scene.js("ecgMonitor.scope.locate('I', 151).highest") == 0
    assert scene.js(bar.format(lead="II")) > 4


def test_the_clock_is_the_time_of_the_signal(scene):
    scene.start()
    scene.feed(12)
    scene.show()
    began = "new Date('2024-05-01T00:00:00Z')"
    said = f"new Date(+{began} + 1000 * Math.floor(ecgMonitor.head / 100)).toLocaleTimeString([], {{ hour12: false }})"
    scene.js("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert scene.text("clock") == scene.js(said)
    scene.browser.press(" ")
    for _ in range(5):
        scene.browser.press("ArrowLeft")
    scene.js("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert scene.text("clock") == scene.js(said) and scene.js("ecgMonitor.head") < 720


def test_the_signal_word_and_the_intervals_are_those_of_the_measured_leads(scene):
    scene.start()
    scene.feed(1)
    scene.show()
    assert scene.text("signal") == "––" and scene.js("document.getElementById('intervals').hidden")
    good = {"I": {"index": 0.9, "reason": ""}, "II": {"index": 0.9, "reason": ""}}
    found = {n: {"value": v, "leads": ["II"]} for n, v in (("qrs", 92.4), ("qtc_fridericia", 411.6))}
    scene.sink.status(make_status(quality=good, measurements=found | {"pr": None, "qrs_axis": None}))
    scene.browser.wait_for("document.getElementById('signal').textContent === 'good'")
    assert scene.text("ms") == "–– · 92 · 412 ms" and scene.text("lost-share") == "0.20 % lost"
    scene.sink.status(make_status(quality=good | {"II": {"index": 0.2, "reason": "motion"}}))
    scene.browser.wait_for("document.getElementById('signal').textContent === 'II motion'")
    assert scene.js("document.getElementById('intervals').hidden"), "an old interval must not pass for a live one"
    assert scene.js("document.getElementById('signal').parentElement.classList.contains('alarm')")
    scene.sink.status(replace(make_status(connected=False), heart_rate_bpm=None))
    scene.browser.wait_for("ecgMonitor.state === 'source'")
    assert scene.text("signal") == "––"


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
    scene.start(patient="P7 <b>", sensed=0b111)
    scene.feed(1)
    scene.show()
    scene.sink.status(make_status())
    scene.browser.wait_for("document.getElementById('off').textContent === 'none'")
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


def test_measured_channels_have_strips_of_their_own_above_the_twelve(scene):
    scene.start(("RA-V5", "RA-V2"))
    scene.feed(3)
    scene.show()
    assert scene.js("ecgMonitor.header.channels") == ["RA-V5", "RA-V2"]
    names = scene.js("[...document.querySelectorAll('.label')].map((l) => l.dataset.lead)")
    assert names[:2] == ["RA-V5", "RA-V2"] and sorted(set(names[2:])) == sorted(LEADS)
    for name in ("RA-V5", "V5", "RA-V2"):
        assert scene.ink(name, 200, 280) > 20, name
    tops = scene.js("['RA-V5', 'I', 'II'].map((lead) => ecgMonitor.scope.locate(lead, 0).top)")
    assert tops == sorted(tops)
    assert scene.js("document.querySelectorAll('#torso .channel').length") == 2
    assert scene.text("worn") == "RA V2 V5" and "RA-V5 + RA-V2 → 12" in scene.text("precision")
    scene.feed(0.5, invalid=("RA-V2",))
    scene.caught_up()
    assert scene.ink("RA-V2", 305, 340) == 0 and scene.ink("RA-V5", 305, 340) > 20
    scene.js("ecgMonitor.setOption('layout', '12x1')")
    assert scene.js("document.querySelectorAll('.label').length") == 14
