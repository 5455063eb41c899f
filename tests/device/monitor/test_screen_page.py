"""The page of the screen: the layout of ``report``, made by the monitor of the rows it holds, for who may see them."""

import base64
import io
import json
from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest

from ecg_edge.device.lead_algebra import twelve_from_basis
from ecg_edge.device.lead_block import Note
from ecg_edge.device.monitor.frames import encode_frames
from ecg_edge.device.monitor.hub import Hub
from ecg_edge.device.monitor.screen_page import screen_page
from ecg_edge.device.sinks.messages import header_message, note_message, status_message
from ecg_edge.firmware_bridge.errors import RecordingError, UsageError
from ecg_edge.train.intervals.known_beats import KnownBeats, make
from tests.support.monitor_scene import FS, NEEDS_BROWSER, make_block, make_header, make_status

pypdf = pytest.importorskip("pypdf")
AT = datetime(2024, 5, 1, tzinfo=timezone.utc)


def hub_with(seconds=12, header=None, **more):
    header = header or replace(make_header(("I", "II")), patient="Müller 7", mains_hz=50.0)
    hub = Hub(header_message(header), 60 * FS, 4)
    mv = (make(KnownBeats(), FS, max(seconds, 1))[0] @ twelve_from_basis().T).astype(np.float32)
    for k in range(0, round(seconds * FS), 10):
        block = replace(make_block(k, 10, **more), mv=mv[k : k + 10])
        for data in encode_frames(block, k):
            hub.frame(data, 10)
    return hub


def text_of(data):
    pages = pypdf.PdfReader(io.BytesIO(data)).pages
    assert not any(p.images for p in pages)
    return " ".join(" ".join(p.extract_text().split()) for p in pages)


def test_it_says_what_a_report_says():
    hub = hub_with()
    hub.status(status_message(make_status(calibration="calibrated 2026-01-02", warnings=("W",))))
    hub.note(note_message(Note("gap", 1500, 1600, "0.4 s lost"), AT))
    hub.note(note_message(Note("gap", 100, 160, "long ago"), AT))
    said = text_of(screen_page(hub.held(), ""))
    for words in (
        "ID Müller 7", "Patch 7", "live, synthetic:", "RA LA LL, place not stated", "limb.onnx (sha256 cdcdcdcdcdcd",
        "calibrated 2026-01-02", "0.5–40 Hz, notch 50 Hz (figures: phase undone)",
        "25 mm/s", "V1 reconstructed", "aVR derived",
        "not for diagnosis", "QRS 9", "sequential", "gap: 0.4 s lost", "W", "UTC",
    ):  # fmt: skip
        assert words in said, words
    assert "long ago" not in said and "warm-up" not in said
    assert "warm-up: reconstructed leads not settled" in text_of(screen_page(hub_with(warm=True).held(), ""))


@pytest.mark.parametrize(("query", "pages", "width"), [
    ("", 1, 297), ("layout=12x1&paper=letter", 2, 279.4), ("layout=6x2&speed=50&gain=5&paper=a4", 1, 297),
])  # fmt: skip
def test_layout_and_paper_are_asked_for(query, pages, width):
    found = pypdf.PdfReader(io.BytesIO(screen_page(hub_with().held(), query))).pages
    assert len(found) == pages and float(found[0].mediabox[2]) / 72 * 25.4 == pytest.approx(width, abs=0.1)


@pytest.mark.parametrize(
    "query", ["paper=a3", "layout=x", "speed=nan", "gain=1e9", "end=-1", "end=x", "what=1", "end=²"]
)
def test_an_unknown_word_is_refused(query):
    with pytest.raises(UsageError):
        screen_page(hub_with(1).held(), query)


def test_the_page_ends_where_the_screen_does():
    held = hub_with(30).held()
    assert "00:00:10" in text_of(screen_page(held, "end=2000")).replace("02:00:10", "00:00:10")
    for end in ("0", "3001", "99999999"):
        with pytest.raises(RecordingError):
            screen_page(held, f"end={end}")
    with pytest.raises(RecordingError):
        screen_page(Hub("", 0, 1).held(), "")


def test_a_short_signal_with_holes_and_a_new_axis_has_a_page():
    hub = hub_with(3)
    for data in encode_frames(make_block(0, 10), 9):  # the device began anew
        hub.frame(data, 10)
    for data in encode_frames(make_block(100, 10), 10):
        hub.frame(data, 10)
    assert "three like beats" in text_of(screen_page(hub.held(), ""))


def test_provenance_that_changed_on_the_way_is_named():
    hub = hub_with(8)
    for k in range(800, 1200, 10):
        for data in encode_frames(make_block(k, 10, ("II",)), k):
            hub.frame(data, 10)
    assert "I measured, reconstructed" in text_of(screen_page(hub.held(), "layout=12x1"))


def test_only_who_knows_the_token_gets_it(scene_of):
    token = "a-secret-word-of-some-length"
    sink, get = scene_of(token)
    assert get(sink, "/page.pdf")[0] in (401, 403)
    assert get(sink, "/page.pdf", f"Authorization: Bearer {token}x")[0] == 403
    status, head, body = get(sink, "/page.pdf?layout=6x2", f"Authorization: Bearer {token}")
    assert status == 200 and head["content-type"] == "application/pdf" and head["cache-control"] == "no-store"
    assert "Müller 7" in text_of(body)
    assert get(sink, "/page.pdf?layout=7", f"Authorization: Bearer {token}")[0] == 400
    assert get(sink, "/page.pdf?end=5000", f"Authorization: Bearer {token}")[0] == 404
    assert get(sink, "/page.pdf", f"Authorization: Bearer {token}", "evil.example")[0] == 403


@pytest.fixture
def scene_of():
    from ecg_edge.device.monitor.monitor_sink import MonitorSink
    from tests.device.monitor.test_monitor import host_of, plain

    opened = []

    def make_one(token):
        sink = MonitorSink(token=token)
        opened.append(sink)
        sink.open(replace(make_header(("I", "II")), patient="Müller 7"))
        for k in range(0, 400, 10):
            sink.leads(make_block(k, 10))
        return sink, get

    def get(sink, target, more="X: y", host=None):
        with plain(sink) as s:
            s.sendall(f"GET {target} HTTP/1.1\r\nHost: {host or host_of(sink)}\r\n{more}\r\n\r\n".encode())
            answer = b"".join(iter(lambda: s.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        return int(status.split()[1]), dict(x.lower().split(": ", 1) for x in lines), body

    yield make_one
    for sink in opened:
        sink.close()


@pytest.mark.browser
@NEEDS_BROWSER[1]
def test_a_click_makes_a_pdf_of_text_and_vectors(scene):
    scene.start(patient="Müller-Lüdenscheidt")
    scene.feed(14)
    scene.show()
    scene.browser.press(" ")
    scene.browser.press("ArrowLeft")
    scene.js("ecgMonitor.setOption('layout', '6x2'), ecgMonitor.setOption('gain', 5)")
    scene.js(
        """void (window.made = new Promise((done) => { const own = URL.createObjectURL;
        URL.createObjectURL = (blob) => (done(blob), own(blob)); }))"""
    )
    scene.js("document.getElementById('pdf').click()")
    read = """(async () => { const a = new Uint8Array(await (await made).arrayBuffer());
        let s = ''; for (const v of a) s += String.fromCharCode(v); return btoa(s); })()"""
    data = base64.b64decode(scene.js(read))
    said = text_of(data)
    assert data.startswith(b"%PDF") and b"/Image" not in data
    for words in ("Müller-Lüdenscheidt", "V6 reconstructed", "not for diagnosis", "5 mm/mV", "2 columns"):
        assert words in said, words
    scene.browser.wait_for("document.getElementById('live').textContent === 'Saved as PDF'")


@pytest.mark.browser
@NEEDS_BROWSER[1]
def test_a_page_that_cannot_be_made_is_said(scene):
    scene.start()
    scene.feed(2)
    scene.show()
    scene.sink.close()
    scene.browser.wait_for("ecgMonitor.state === 'ended'")
    scene.js("document.getElementById('pdf').click()")
    scene.browser.wait_for("document.getElementById('last-event').textContent.includes('no page')")


def test_the_header_says_how_the_signal_was_filtered():
    header = json.loads(header_message(replace(make_header(("I", "II")), mains_hz=None)))
    assert header["highpass_hz"] == 0.5 and header["notch_hz"] is None
    assert "no notch" in text_of(screen_page(hub_with(header=make_header(("I", "II"))).held(), ""))
