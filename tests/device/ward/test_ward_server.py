"""One port: who may see what, and the figures of all beds."""

import asyncio
import io
import json
import re
import urllib.error
import urllib.request

import pytest

from ecg_edge.device.lead_block import Note
from ecg_edge.firmware_bridge.errors import PortBusyError, UsageError
from tests.support.ward_scene import WardScene

FULL, VIEW = "the-full-token-1", "the-view-token-1"


@pytest.fixture
def ward():
    made = []

    def make(**settings):
        made.append(WardScene(**settings))
        return made[-1]

    yield make
    for scene in made:
        scene.close()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def get(url, **headers):
    try:
        with urllib.request.build_opener(_Stay).open(
            urllib.request.Request(url, headers=headers), timeout=20
        ) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode(), e.headers


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def talk(url, words=(), n=2, **headers):
    """Open a socket as a page would, send words, and return the first n text messages."""
    from websockets.asyncio.client import connect

    async def go():
        origin = re.match(r"https?://[^/]+", url)[0]
        there = url.replace("http", "ws", 1)
        async with connect(there, origin=origin, additional_headers=headers) as socket:
            for word in words:
                await socket.send(json.dumps(word))
            found = []
            while len(found) < n:
                message = await asyncio.wait_for(socket.recv(), 20)
                if isinstance(message, str):
                    found.append(json.loads(message))
            return found

    return asyncio.run(go())


def test_all_beds_are_on_one_port(ward):
    scene = ward()
    scene.bed("bed-7", low=40)
    scene.bed("bed 8/b")
    scene.server.flush()
    assert get(scene.url)[0] == 200 and "No alarm device" in get(scene.url)[1]
    status, text, headers = get(scene.url + "bed-7")
    assert (status, headers["Location"]) == (308, "./bed-7/")
    status, text, _ = get(scene.url + "bed%208%2Fb/")
    assert status == 200 and "‹ bed 8/b</a>" in text and "Twelve live ECG leads" in text
    for path in ("ward.js", "tile.js", "ward.css", "bed-7/monitor.js", "bed-7/bed.css", "icon.svg"):
        assert get(scene.url + path)[0] == 200, path
    for path in ("bed-9/", "bed-7/x", "bed-7/x/ws", "..%2f", "bed-7/metrics"):
        assert get(scene.url + path)[0] == 404, path
    assert get(scene.url + "health")[1] == "ok\n"
    hello, tiles = talk(scene.url + "ws")
    assert hello["role"] == "full" and [b["name"] for b in tiles["beds"]] == ["bed-7", "bed 8/b"]
    assert talk(scene.url + "bed-7/ws", n=1)[0]["device"] == "Patch 7"


def test_tokens_for_looking_and_for_everything(ward):
    scene = ward(token=FULL, view_token=VIEW)
    scene.bed("bed-7")
    scene.server.flush()
    assert get(scene.url)[0] == 401 and "Token of this monitor" in get(scene.url)[1]
    assert get(scene.url + "bed-7/")[0] == get(scene.url + "bed-9/")[0] == 401, "names are not given away"
    assert get(scene.url + "metrics")[0] == 401 and get(scene.url + "health")[0] == 200
    assert get(scene.url, **bearer("a-wrong-token-12"))[0] == 403
    for token, role in ((FULL, "full"), (VIEW, "view")):
        assert get(scene.url + "metrics", **bearer(token))[0] == 200
        status, _, headers = get(scene.url + "bed-7/login", **bearer(token))
        cookie = {"Cookie": headers["Set-Cookie"].split(";")[0]}
        assert status == 200 and token not in cookie["Cookie"] and get(scene.url + "bed-7/", **cookie)[0] == 200
        assert talk(scene.url + "ws", **cookie)[0]["role"] == role
    ask = {"set": "bed-7", "low": 45, "high": 130, "silence": 20}
    said = talk(scene.url + "ws", [ask], 3, **bearer(VIEW))
    assert [m["error"] for m in said if m["type"] == "set"] == ["only the full token may set limits"]
    assert not scene.log


def test_each_bed_has_its_own_page_for_who_may_look(ward):
    scene = ward(token=FULL, view_token=VIEW)
    scene.bed("bed-7")
    scene.bed("bed-8", ("I", "II", "V2"))
    scene.feed("bed-7", 3)
    scene.feed("bed-8", 3)
    scene.server.flush()
    assert get(scene.url + "bed-7/page.pdf")[0] == 401
    assert get(scene.url + "bed-9/page.pdf", **bearer(VIEW))[0] == 404
    assert get(scene.url + "page.pdf", **bearer(VIEW))[0] == 404
    assert get(scene.url + "bed-7/page.pdf?gain=7", **bearer(VIEW))[0] == 400
    pypdf = pytest.importorskip("pypdf")
    for bed, said in (("bed-7", "V2 reconstructed"), ("bed-8", "V2 V5")):
        ask = urllib.request.Request(f"{scene.url}{bed}/page.pdf", headers=bearer(VIEW))
        with urllib.request.urlopen(ask, timeout=20) as answer:
            text = pypdf.PdfReader(io.BytesIO(answer.read())).pages[0].extract_text()
        assert answer.headers["Content-Type"] == "application/pdf" and said in " ".join(text.split())


def test_limits_are_set_on_the_page_and_logged(ward):
    scene = ward()
    scene.bed("bed-7")
    ask = {"set": "bed-7", "low": 45, "high": 130, "silence": 20}
    said = talk(scene.url + "ws", [ask, ask | {"low": 200}, {"set": "bed-7"}, ask | {"set": "bed-9"}, []], 7)
    errors = [m["error"] for m in said if m["type"] == "set"]
    assert errors[0] == "" and "no limits" in errors[1] and errors[2] == errors[4] == "not understood"
    assert "no bed" in errors[3] and scene.log == ["bed-7: limits set on the page: rate 45–130, silence 20 s"]
    tile = talk(scene.url + "ws")[1]["beds"][0]
    assert tile["limits"] == {"low": 45, "high": 130, "silence": 20, "words": "45–130"}


def test_one_page_of_figures_with_a_label_for_each_bed(ward):
    scene = ward()
    for name in ("bed-7", 'b"8'):
        scene.bed(name)
        scene.figures(name, quality={"I": {"index": 0.9, "reason": ""}})
    scene.note("bed-7", Note("gap", 0, 5, "lost"))
    scene.server.flush()
    text = get(scene.url + "metrics")[1]
    assert 'ecg_heart_rate_bpm{bed="bed-7"} 72.0' in text and 'ecg_heart_rate_bpm{bed="b\\"8"} 72.0' in text
    assert 'ecg_quality{bed="bed-7",lead="I"} 0.9' in text and 'ecg_notes_total{bed="bed-7",kind="gap"} 1' in text
    names = re.findall(r"# TYPE (\w+)", text)
    assert len(names) == len(set(names)), "a figure stands once, with all its beds"
    scene.clock.advance(5)
    text = get(scene.url + "metrics")[1]
    assert "ecg_heart_rate_bpm" not in text and 'ecg_connected{bed="bed-7"} 0' in text
    assert 'ecg_samples_total{bed="bed-7"} 2500' in text and 'ecg_bed_trouble{bed="bed-7"} 3' in text


def test_a_bed_goes_on_in_another_run_for_who_watches_it(ward):
    scene = ward()
    scene.bed("bed-7")
    scene.feed("bed-7", 1)
    scene.server.flush()
    first = talk(scene.url + "bed-7/ws", n=1)
    scene.server.state("bed-7", "restarting", "its worker ended")
    scene.run("bed-7")
    again = talk(scene.url + "bed-7/ws", n=1)
    assert first == again
    scene.server.remove("bed-7")
    scene.server.flush()
    assert get(scene.url + "bed-7/")[0] == 404


def test_what_may_not_listen(ward):
    scene = ward()
    port = int(scene.url.rstrip("/").rpartition(":")[2])
    from ecg_edge.device.ward.settings import WardSettings
    from ecg_edge.device.ward.ward_server import WardServer

    for settings, error in (
        ({"port": port}, PortBusyError),
        ({"host": "0.0.0.0", "port": 0}, UsageError),
        ({"port": 0, "view_token": VIEW}, UsageError),
        ({"port": 0, "token": VIEW, "view_token": VIEW}, UsageError),
        ({"port": 0, "token": "short"}, UsageError),
    ):
        with pytest.raises(error):
            WardServer(WardSettings(**settings), scene.clock, scene.log.append)
