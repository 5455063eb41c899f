"""The login page in a browser: the token gets a cookie, a wrong one does not, and guessing is slowed down."""

import importlib.util
from pathlib import Path

import pytest

from tests.support.monitor_scene import NEEDS_BROWSER, make_status

pytestmark = NEEDS_BROWSER

TOKEN = "bed-7-0123456789"
ASKED = "document.getElementById('login') !== null"


@pytest.fixture
def asked(scene):
    """The login page of a monitor that has a token."""
    scene.start(token=TOKEN)
    scene.feed(2)
    scene.browser.goto(scene.sink.url)
    assert scene.js(ASKED) and not scene.js("'ecgMonitor' in window")
    yield scene
    scene.browser.call("Network.clearBrowserCookies")


def _enter(scene, token):
    scene.browser.type("token", token)


def test_the_token_opens_the_monitor_and_the_cookie_keeps_it_open(asked):
    _enter(asked, TOKEN)
    asked.caught_up()
    [cookie] = asked.browser.call("Network.getCookies")["cookies"]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax" and TOKEN not in cookie["value"]
    assert TOKEN not in asked.js("location.href") and asked.js("document.cookie") == ""
    asked.browser.goto(asked.sink.url)  # as after closing the tab
    asked.caught_up()


def test_a_wrong_token_is_told_and_opens_nothing(asked):
    _enter(asked, "bed-8-0123456789")
    asked.browser.wait_for("document.getElementById('wrong').textContent === 'This is not the token.'")
    assert asked.js(ASKED) and asked.browser.call("Network.getCookies")["cookies"] == []


def test_guessing_must_wait_and_a_guess_that_is_right_by_chance_as_well(asked):
    for k in range(12):
        asked.js("document.getElementById('wrong').textContent = ''")
        _enter(asked, f"guess-{k:012}")
        asked.browser.wait_for("document.getElementById('wrong').textContent !== ''")
    assert "Wait a little" in asked.text("wrong")
    asked.js("document.getElementById('wrong').textContent = ''")
    _enter(asked, TOKEN)
    asked.browser.wait_for("document.getElementById('wrong').textContent !== '' || 'ecgMonitor' in window")
    if not asked.js("'ecgMonitor' in window"):  # a second may have passed: then it is one more guess
        assert "Wait a little" in asked.text("wrong")


def test_the_picture_of_the_docs_is_taken_behind_the_login(scene, tmp_path, monkeypatch):
    script = Path(__file__).parents[3] / "docs" / "make_screenshot.py"
    spec = importlib.util.spec_from_file_location("make_screenshot", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "SETTLED_S", 2)
    scene.start(token=TOKEN)
    scene.feed(3)
    scene.sink.status(make_status())
    module.picture(scene.sink.url, tmp_path / "m.png", "dark", "3x4", (900, 600), 1.0, TOKEN)
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG") and (tmp_path / "m.png").stat().st_size > 10_000
