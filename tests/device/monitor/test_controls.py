import base64
import io
from dataclasses import replace

import pytest

from ecg_edge.benchmarks.measuring.chromium import BrowserError
from ecg_edge.device.lead_block import Note
from ecg_edge.firmware_bridge.lead_names import LEADS
from tests.support.monitor_scene import NEEDS_BROWSER, make_status

pytestmark = NEEDS_BROWSER


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
    edge = scene.js("(() => { const g = ecgMonitor.scope.scene.groups[0]; return g.columns[0].x + g.width; })()")
    assert abs(scene.js("ecgMonitor.scope.locate('I', ecgMonitor.head).x") - edge) <= 1, "no seam cuts a beat"
    scene.browser.press(" ")
    scene.caught_up()
    assert scene.js("ecgMonitor.columnsDrawn") > drawn


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


def test_on_a_phone_the_options_are_a_tap_away(scene):
    scene.browser.viewport(390, 844, 2, True)
    scene.start()
    scene.feed(1)
    scene.show()
    seen = "document.getElementById('{}').getBoundingClientRect().width > 0"
    assert scene.js(seen.format("freeze")) and not scene.js(seen.format("pdf"))
    scene.js("document.getElementById('menu').click()")
    assert scene.js(seen.format("pdf")) and scene.js("document.getElementById('menu').ariaExpanded") == "true"
    scene.js("document.querySelector('input[value=\"12x1\"]').click()")
    assert scene.js("ecgMonitor.scope.options.layout") == "12x1"


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
    assert base64.b64decode(scene.js(read.format("png"))).startswith(b"\x89PNG")
    words = scene.js(
        """(() => { const said = []; const own = CanvasRenderingContext2D.prototype.fillText;
        const pen = CanvasRenderingContext2D.prototype;
        pen.fillText = function (text, ...rest) { said.push(text); own.call(this, text, ...rest); };
        try { ecgMonitor.page(); } finally { pen.fillText = own; } return said; })()"""
    )
    when = scene.js("new Date(+new Date('2024-05-01') + 10 * Math.floor(ecgMonitor.head)).toLocaleString()")
    assert any(when[:9] in w for w in words), "the time of the signal, not of the click"
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


def status(scene, **more):
    scene.sink.status(make_status(**more))


def figures(scene):
    st = "[...document.querySelectorAll('.label .st')].map((n) => n.textContent).join('')"
    return scene.text("hr"), scene.js(st), scene.text("off")


def test_a_frozen_screen_shows_the_figures_of_its_own_time(scene):
    scene.start()
    scene.feed(2)
    scene.show()
    status(scene, st_mv={"II": 0.11}, quality={"II": {"index": 0.9, "reason": ""}})
    scene.browser.wait_for("document.getElementById('hr').textContent === '72'")
    scene.browser.press(" ")
    before = figures(scene)
    assert "+0.11" in before[1]
    scene.feed(3)
    scene.sink.status(replace(make_status(st_mv={"II": -0.22}, lead_off=("LA",)), heart_rate_bpm=140.0))
    scene.browser.wait_for("ecgMonitor.counts.V1 === 500")
    scene.js("new Promise((done) => setTimeout(done, 50))")
    assert figures(scene) == before
    scene.js("ecgMonitor.setOption('layout', '6x2')")
    assert figures(scene)[0] == before[0] and "+0.11" in figures(scene)[1]
    scene.sink.status(replace(make_status(connected=False), heart_rate_bpm=None))
    scene.browser.wait_for("ecgMonitor.state === 'source'")
    assert figures(scene)[0] == "72" and "+0.11" in figures(scene)[1]
    status(scene)
    scene.browser.wait_for("ecgMonitor.state === 'frozen'")
    scene.browser.press(" ")
    scene.browser.wait_for("!document.querySelector('.label .st').textContent.includes('0.11')")


def test_no_figure_outlives_the_device(scene):
    scene.start()
    scene.feed(1)
    scene.show()
    status(scene, st_mv={"II": 0.11}, quality={"II": {"index": 0.9, "reason": "mains"}})
    scene.browser.wait_for("document.querySelector('.label .spoilt') !== null")
    scene.sink.status(replace(make_status(connected=False), heart_rate_bpm=None))
    scene.browser.wait_for("ecgMonitor.state === 'source'")
    rate, st, off = figures(scene)
    assert (rate, off) == ("––", "––") and "0.11" not in st and not scene.js("!!document.querySelector('.spoilt')")


def test_electrodes_that_nobody_senses_are_not_called_on(scene):
    scene.start()
    scene.feed(1)
    scene.show()
    status(scene)
    scene.browser.wait_for("document.getElementById('hr').textContent === '72'")
    assert scene.text("off") == "not sensed" and not scene.js("!!document.querySelector('.electrode.on')")
    status(scene, lead_off=("LA",))
    scene.browser.wait_for("document.getElementById('off').textContent === 'LA'")


def test_electrodes_that_are_sensed_and_on_are_none(scene):
    scene.start(sensed=0b111)
    scene.feed(1)
    scene.show()
    status(scene)
    scene.browser.wait_for("document.getElementById('off').textContent === 'none'")
    assert scene.js("document.querySelectorAll('.electrode.on').length") == 3


def test_the_newest_event_is_never_cut_in_a_word(scene):
    scene.start()
    scene.feed(1)
    scene.show()
    scene.sink.note(Note("signal", 0, 0, "lead II is too noisy to reconstruct from " * 6))
    scene.browser.wait_for("document.getElementById('last-event').textContent.includes('noisy')")
    box = "document.querySelector('summary')"
    assert scene.js(f"{box}.scrollWidth <= {box}.clientWidth")


def test_what_the_browser_prints_is_the_page_with_each_name_at_its_trace(scene):
    pypdf = pytest.importorskip("pypdf")
    scene.start(patient="P7")
    scene.feed(12)
    scene.show()
    scene.js(
        "void addEventListener('beforeprint', () => { const s = document.getElementById('sheet');"
        " window.printed = [s.width, s.height]; })"
    )
    data = base64.b64decode(scene.browser.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])
    assert scene.js("window.printed") == [297 * 8, 210 * 8] and not scene.js("document.getElementById('sheet')")
    [paper] = pypdf.PdfReader(io.BytesIO(data)).pages
    assert [round(float(v) / 72 * 25.4) for v in paper.mediabox[2:]] == [297, 210]
    words = paper.extract_text()
    assert all(lead in words for lead in LEADS) and words.count("reconstructed") == 6
    assert not any(word in words for word in ("Freeze", "bpm", "Live")), "nothing of the screen is left over"
