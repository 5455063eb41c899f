"""Downloads over a real local server that misbehaves."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ecg_edge.firmware_bridge.errors import DataFolderError
from ecg_edge.train.data.download import SUMS, Fetched, download, parse_sums

FILES = {"a/one.dat": bytes(range(256)) * 300, "a/two.hea": b"two", "b/three.dat": b"3" * 5000}


class Server(ThreadingHTTPServer):
    """Serves `files`; what it does wrong is set by the test."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = dict(FILES)
        sums = "".join(f"{hashlib.sha256(v).hexdigest()} {k}\n" for k, v in FILES.items())
        self.files[SUMS] = sums.encode()
        self.break_after: list[int] = []
        self.ranges = True
        self.asked: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name, span = self.path.lstrip("/"), self.headers.get("Range", "")
        self.server.asked.append((name, span))
        body = self.server.files.get(name)
        if body is None:
            self.send_error(404)
            return
        start = int(span[6:].split("-")[0]) if span and self.server.ranges else 0
        if start >= len(body) > 0:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        whole = name == SUMS or not self.server.break_after
        self.wfile.write(body[start:] if whole else body[start:][: self.server.break_after.pop(0)])
        self.close_connection = True

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as s:
        threading.Thread(target=s.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield s
        s.shutdown()


def no_wait(_: float) -> None: ...


def there(dest: Path) -> dict[str, bytes]:
    return {k: (dest / k).read_bytes() for k in FILES if (dest / k).is_file()}


def test_all_files_come_and_a_second_call_fetches_none(server: Server, tmp_path: Path) -> None:
    assert download(server.url, tmp_path, sleep=no_wait) == Fetched(3, 0)
    assert there(tmp_path) == FILES
    assert download(server.url, tmp_path, sleep=no_wait) == Fetched(0, 3)
    assert not list(tmp_path.rglob("*.part"))


def test_a_broken_line_resumes_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.break_after = [1000, 30000]
    assert download(server.url, tmp_path, ("a/one",), no_wait) == Fetched(1, 0)
    assert there(tmp_path) == {"a/one.dat": FILES["a/one.dat"]}
    assert [span for name, span in server.asked if name == "a/one.dat"] == ["", "bytes=1000-", "bytes=31000-"]


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.break_after, server.ranges = [1000], False
    download(server.url, tmp_path, ("a/one",), no_wait)
    assert there(tmp_path)["a/one.dat"] == FILES["a/one.dat"]


def test_a_killed_download_goes_on(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/one.dat.part").write_bytes(FILES["a/one.dat"][:777])
    download(server.url, tmp_path, ("a/one",), no_wait)
    assert there(tmp_path)["a/one.dat"] == FILES["a/one.dat"]
    assert ("a/one.dat", "bytes=777-") in server.asked


def test_wrong_bytes_never_get_the_name(server: Server, tmp_path: Path) -> None:
    server.files["a/two.hea"] = b"owt"
    with pytest.raises(DataFolderError, match="SHA-256"):
        download(server.url, tmp_path, ("a/two",), no_wait)
    assert there(tmp_path) == {}


def test_a_damaged_file_on_disk_is_fetched_again(server: Server, tmp_path: Path) -> None:
    download(server.url, tmp_path, sleep=no_wait)
    (tmp_path / "b/three.dat").write_bytes(b"4" * 5000)
    assert download(server.url, tmp_path, sleep=no_wait) == Fetched(1, 2)
    assert there(tmp_path) == FILES


def test_a_missing_file_and_a_missing_server_are_told_apart(server: Server, tmp_path: Path) -> None:
    del server.files["b/three.dat"]
    with pytest.raises(DataFolderError, match="404"):
        download(server.url, tmp_path, sleep=no_wait)
    with pytest.raises(DataFolderError, match="cannot be reached"):
        download("http://127.0.0.1:1/", tmp_path / "other", sleep=no_wait)


@pytest.mark.parametrize("line", ["nonsense", f"{'0' * 64} ../../etc/passwd", f"{'0' * 64} /etc/passwd"])
def test_a_hostile_list_is_refused(line: str) -> None:
    with pytest.raises(DataFolderError, match="bad line"):
        parse_sums(line)
