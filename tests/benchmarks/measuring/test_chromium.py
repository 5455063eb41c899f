"""Driving a browser: what is missing is named, and a page answers as JSON would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ecg_edge.benchmarks.measuring import chromium
from ecg_edge.benchmarks.measuring.chromium import BrowserError, Chromium, find_browser

needs_browser = pytest.mark.skipif(find_browser() is None, reason="no Chromium found: apt-get install chromium")


@pytest.fixture(scope="module")
def page() -> Iterator[Chromium]:
    with Chromium() as browser:
        yield browser


def program(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_the_first_browser_of_the_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_browser() is None
    with pytest.raises(BrowserError, match="no Chromium found"):
        Chromium()
    chrome = program(tmp_path, "google-chrome", "exit 0")
    assert find_browser() == chrome
    first = program(tmp_path, "chromium", "exit 0")
    assert find_browser() == first


def test_a_program_that_ends_before_it_listens_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BrowserError, match="ended before it was ready"):
        Chromium(program(tmp_path, "chromium", "echo nothing to show >&2"))


def test_no_websockets_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "websockets.sync.client", None)
    with pytest.raises(chromium.MissingExtraError, match="websockets"):
        Chromium("nowhere")


@needs_browser
@pytest.mark.browser
def test_a_page_answers_in_json_and_awaits_promises(page: Chromium) -> None:
    assert page.js("[1, 'two', null, {three: 3}]") == [1, "two", None, {"three": 3}]
    assert page.js("new Promise((done) => setTimeout(() => done(4), 1))") == 4
    with pytest.raises(BrowserError, match="TypeError"):
        page.js("undefined.nothing")


@needs_browser
@pytest.mark.browser
def test_a_wait_ends_with_the_truth_or_with_an_error(page: Chromium) -> None:
    page.js("setTimeout(() => { window.ready = true; }, 20)")
    page.wait_for("window.ready")
    with pytest.raises(BrowserError, match=r"still not true after 0\.05 s"):
        page.wait_for("window.never", timeout_s=0.05)


@needs_browser
@pytest.mark.browser
def test_what_the_browser_refuses_is_an_error(page: Chromium, tmp_path: Path) -> None:
    with pytest.raises(BrowserError, match="flyAway"):
        page.call("Page.flyAway")
    with pytest.raises(BrowserError, match="ERR_"):
        page.goto(f"file://{tmp_path}/nothing.html")


@needs_browser
@pytest.mark.browser
def test_keys_and_pictures(page: Chromium, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        "<script>window.seen = []; onkeydown = (e) => seen.push([e.key, e.shiftKey]);</script>"
    )
    page.goto(f"file://{tmp_path}/page.html")
    page.viewport(120, 80)
    page.press("m")
    page.press("Tab", shift=True)
    assert page.js("window.seen") == [["m", False], ["Tab", True]]
    assert page.js("[innerWidth, innerHeight]") == [120, 80]
    page.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
