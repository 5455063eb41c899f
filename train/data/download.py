"""Files over HTTP that survive a broken line: resumed by range, held against SHA-256 sums."""

from __future__ import annotations

import errno
import hashlib
import http.client
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ecg_edge.firmware_bridge.errors import DataFolderError, DiskFullError
from ecg_edge.firmware_bridge.progress import Progress

SUMS = "SHA256SUMS.txt"
_CHUNK = 1 << 16
_TRIES = 5
_LINE = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(.+)")


@dataclass(frozen=True)
class Fetched:
    """What `download` did: numbers of files fetched now and found whole."""

    fetched: int
    present: int


def download(
    base: str, dest: Path, prefixes: tuple[str, ...] = ("",), sleep: Callable[[float], None] = time.sleep
) -> Fetched:
    """Fetch every file that ``SHA256SUMS.txt`` names and that is not whole yet.

    Parameters
    ----------
    base : str
        Address of the folder, ending in a slash.
    dest : Path
        Where to put it. A file gets its name when its sum is right; ``.part`` until then.
    prefixes : tuple of str
        Take only files whose path starts with one of them.
    sleep : callable
        Waits between two tries, in seconds.

    Raises
    ------
    DataFolderError
        The server cannot be reached, lacks a file, or keeps sending other bytes.
    DiskFullError
        No space left; the same command goes on from here.
    """
    try:
        return _download(base, dest, prefixes, sleep)
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(f"no space left in {dest}", "make room and give the same command: it resumes") from e
        raise DataFolderError(f"cannot write to {dest}: {e}", "choose another --dest") from e


def _download(base: str, dest: Path, prefixes: tuple[str, ...], sleep: Callable[[float], None]) -> Fetched:
    dest.mkdir(parents=True, exist_ok=True)
    sums = dest / SUMS
    sums.with_name(SUMS + ".part").unlink(missing_ok=True)
    _fetch(base + SUMS, sums, None, sleep)
    wanted = {name: digest for name, digest in parse_sums(sums.read_text()).items() if name.startswith(prefixes)}
    if not wanted:
        raise DataFolderError(f"{base}{SUMS} names no file below {', '.join(prefixes)}", "leave --only out")
    fetched = 0
    with Progress(f"getting {dest.name}", len(wanted)) as progress:
        for name, digest in wanted.items():
            path = dest / name
            if not (path.is_file() and sha256(path) == digest):
                path.parent.mkdir(parents=True, exist_ok=True)
                _fetch(base + urllib.parse.quote(name), path, digest, sleep)
                fetched += 1
            progress.step(note=name)
    return Fetched(fetched, len(wanted) - fetched)


def parse_sums(text: str) -> dict[str, str]:
    """Read ``SHA256SUMS.txt``: path to digest in lower case.

    Raises
    ------
    DataFolderError
        A line is no sum, or its path leaves the folder.
    """
    found = {}
    for line in filter(str.strip, text.splitlines()):
        match = _LINE.fullmatch(line.strip())
        name = match.group(2).removeprefix("./") if match else ""
        path = PurePosixPath(name)
        if not match or path.is_absolute() or ".." in path.parts or "\\" in name:
            raise DataFolderError(
                f"bad line in {SUMS}: {line[:80]!r}", "the server answers with something else: try later"
            )
        found[name] = match.group(1).lower()
    return found


def sha256(path: Path) -> str:
    """SHA-256 of a file as hexadecimal digits."""
    h = hashlib.sha256()
    with path.open("rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


def _fetch(url: str, path: Path, digest: str | None, sleep: Callable[[float], None]) -> None:
    part, trouble = path.with_name(path.name + ".part"), ""
    for attempt in range(_TRIES):
        if attempt:
            sleep(min(2.0**attempt, 30.0))
        trouble = _append(url, part)
        if trouble:
            continue
        if digest is None or sha256(part) == digest:
            part.replace(path)
            return
        trouble = "its bytes do not match the SHA-256 sum"
        part.unlink()
    raise DataFolderError(
        f"cannot get {url}: {trouble} ({_TRIES} tries)",
        "check the network connection and give the same command: it resumes",
    )


def _append(url: str, part: Path) -> str:
    """Get what is missing of a file; return what went wrong, or an empty string when it came to its end."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return _save(response, part, have)
    except urllib.error.HTTPError as e:
        e.close()
        if e.code == 416 and have:
            part.unlink()  # longer than the file, or just as long but never named: begin anew
            return "the part on disk does not fit"
        if e.code in (401, 403, 404, 410):
            raise DataFolderError(
                f"{url}: the server answers {e.code} {e.reason}", "the data set has moved: see https://physionet.org"
            ) from e
        return f"the server answers {e.code} {e.reason}"
    except urllib.error.URLError as e:
        return f"the server cannot be reached ({e.reason})"
    except (http.client.HTTPException, ConnectionError, TimeoutError) as e:
        return f"the connection broke off ({e!r})"


def _save(response: http.client.HTTPResponse, part: Path, have: int) -> str:
    resumed = response.status == 206 and (response.headers["Content-Range"] or "").startswith(f"bytes {have}-")
    expected, got = response.headers["Content-Length"], 0
    with part.open("ab" if resumed else "wb") as f:
        while block := _read(response):
            f.write(block)
            got += len(block)
    return f"the connection broke off after {got} of {expected} bytes" if expected and got < int(expected) else ""


def _read(response: http.client.HTTPResponse) -> bytes:
    """Read a block. A broken connection reads as the end; the length then shows it."""
    try:
        return response.read(_CHUNK)
    except (http.client.HTTPException, ConnectionError, TimeoutError):
        return b""
