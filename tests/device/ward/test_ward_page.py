"""The overview in a real browser."""

import pytest

from ecg_edge.benchmarks.measuring.chromium import BrowserError
from ecg_edge.device.lead_block import Note
from tests.support.monitor_scene import NEEDS_BROWSER
from tests.support.ward_scene import WardScene

pytestmark = NEEDS_BROWSER


@pytest.fixture
def ward(browser):
    made = []

    def make(**settings):
        made.append(WardScene(browser, **settings))
        return made[-1]

    browser.viewport(1280, 800)
    yield make
    for scene in made:
        scene.close()


def tile(name):
    return f"[...ecgWard.tiles.values()].find((t) => t.bed.name === '{name}')"


def text(scene, name, part):
    return scene.js(f"{tile(name)}.{part}.textContent")


def arrive(scene, condition):
    """Wait on a page that the one before leads to: the browser may be on the way when it is asked."""
    for attempt in range(5):
        try:
            scene.browser.wait_for(condition)
            return
        except BrowserError:
            if attempt == 4:
                raise


def ready(scene, n):
    arrive(scene, f"window.ecgWard && ecgWard.state === 'live' && ecgWard.tiles.size === {n}")


def test_a_tile_says_what_is_true_and_draws_what_is_measured(ward):
    scene = ward()
    scene.bed("bed-7", low=40, high=120)
    scene.figures("bed-7", battery_percent=80, quality={"II": {"index": 0.4, "reason": "noise"}})
    scene.note("bed-7", Note("gap", 0, 5, "0.2 s lost"))
    scene.open()
    ready(scene, 1)
    scene.feed("bed-7", 2)
    scene.browser.wait_for(f"{tile('bed-7')}.drawn === 200")
    assert text(scene, "bed-7", "hr").startswith("72/min") and "40–120" in text(scene, "bed-7", "hr")
    assert text(scene, "bed-7", "facts") == "II 40 %lost 0 %battery 80 %"
    assert "0.2 s lost" in text(scene, "bed-7", "event") and text(scene, "bed-7", "lead") == "II"
    assert text(scene, "bed-7", "trouble") == "II noise"
    ink = f"{tile('bed-7')}.ink.getImageData(0, 0, 900, 200).data.filter((v, i) => i % 4 === 3 && v > 100).length"
    assert scene.js(ink) > 200
    scene.figures("bed-7", connected=False)
    scene.browser.wait_for(f"{tile('bed-7')}.none.textContent === 'Device lost'")
    assert text(scene, "bed-7", "hr").startswith("––") and scene.js(ink) == 0, "an old strip must not pass for live"


def test_the_worst_stands_first_and_the_order_can_be_changed(ward):
    scene = ward()
    for k in (2, 10, 1, 3):
        scene.bed(f"bed-{k}")
        scene.figures(f"bed-{k}", **({"lead_off": ("RA",)} if k == 10 else {}))
    scene.server.state("bed-3", "ended", "unplugged")
    scene.open()
    ready(scene, 4)
    assert scene.js("ecgWard.names") == ["bed-3", "bed-10", "bed-1", "bed-2"]
    assert text(scene, "bed-10", "trouble") == "off: RA"
    scene.browser.press("s")
    assert scene.js("ecgWard.names") == ["bed-1", "bed-2", "bed-3", "bed-10"]


def test_keys_move_open_and_set_limits(ward):
    scene = ward()
    for k in range(6):
        scene.bed(f"bed-{k}")
        scene.figures(f"bed-{k}")
    scene.open()
    ready(scene, 6)
    focused = "document.activeElement.closest('.tile')?.querySelector('.name').firstChild.textContent"
    for key, name in (("ArrowRight", "bed-0"), ("ArrowRight", "bed-1"), ("ArrowLeft", "bed-0"), ("ArrowDown", "bed-5")):
        scene.browser.press(key)
        assert scene.js(focused) == name, key
    scene.browser.press("l")
    assert scene.js("document.getElementById('limits').open && document.getElementById('silence').value") == "10"
    scene.js("void (document.getElementById('low').value = 50, document.querySelector('#limits .main').click())")
    scene.browser.wait_for("!document.getElementById('limits').open")
    assert scene.log == ["bed-5: limits set on the page: rate 50–, silence 10 s"]
    scene.js(f"{tile('bed-5')}.link.click()")
    arrive(scene, "window.ecgMonitor && document.getElementById('ward')")
    assert scene.js("document.getElementById('ward').textContent") == "‹ bed-5"
    scene.feed("bed-5", 1)
    scene.browser.wait_for("ecgMonitor.counts.I === 100")
    scene.js("document.getElementById('ward').click()")
    ready(scene, 6)


def test_with_the_token_for_looking_there_are_no_limits_to_set(ward):
    scene = ward(token="the-full-token-1", view_token="the-view-token-1")
    scene.bed("bed-7")
    scene.open()
    scene.browser.wait_for("document.getElementById('token')")
    scene.js("document.getElementById('token').value = 'the-view-token-1', document.querySelector('button').click()")
    ready(scene, 1)
    assert scene.js(f"{tile('bed-7')}.button.hidden")


def test_a_lost_connection_blanks_all(ward):
    scene = ward()
    scene.bed("bed-7")
    scene.figures("bed-7")
    scene.open()
    ready(scene, 1)
    assert text(scene, "bed-7", "hr").startswith("72")
    scene.server.close()
    scene.browser.wait_for("ecgWard.state === 'lost'")
    assert text(scene, "bed-7", "hr").startswith("––") and text(scene, "bed-7", "none") == "No connection"
    assert not scene.js("document.getElementById('banner').hidden")


@pytest.mark.parametrize("size", [(1280, 800, 1.0), (390, 844, 2.0)])
def test_sixty_four_beds_keep_ten_frames_a_second(ward, size):
    scene = ward()
    scene.browser.viewport(*size, mobile=size[0] < 700)
    names = [f"bed-{k}" for k in range(64)]
    for name in names:
        scene.bed(name)
        scene.figures(name)
    scene.open()
    ready(scene, 64)
    before = scene.js("ecgWard.frames")
    for _ in range(20):
        for name in names:
            scene.feed(name, 0.1)
        frames = scene.js("ecgWard.frames")
        scene.browser.wait_for(f"ecgWard.frames > {frames} || {tile(names[0])}.drawn >= {scene.index[names[0]][0]}")
    total = scene.index[names[0]][0]
    scene.browser.wait_for(f"{tile(names[0])}.drawn === {total}")
    assert scene.js("ecgWard.frames") > before
    width = scene.js("document.documentElement.scrollWidth")
    assert width <= size[0], "nothing runs over the edge of the screen"
