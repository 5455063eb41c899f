"""Files that a killed process or a full disk leaves readable: appended, or replaced as a whole."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ecg_edge.firmware_bridge.errors import DiskFullError, RecordingError, UsageError
from ecg_edge.firmware_bridge.private_files import private_open

_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's errors into ours.

    Raises
    ------
    DiskFullError
        No space, quota used up, or the file may not grow further.
    RecordingError
        Any other reason why the file cannot be written.
    """
    try:
        yield
    except OSError as e:
        if e.errno in _FULL:
            raise DiskFullError(
                f"no space left for the recording {path}: {e.strerror}",
                "free space or record to another disk with --out; what was written before stays readable",
            ) from e
        raise RecordingError(
            f"cannot write the recording {path}: {e.strerror or e}", "name a folder you may write to with --out"
        ) from e


_OF_WFDB = (".hea", ".dat", ".atr", ".mat")


def files_read(record: str) -> set[Path]:
    """Files that belong to a recording as people name it: a WFDB record's header, its signals and notes."""
    path = Path(record.removeprefix("replay:")).expanduser()
    header = path.with_suffix(".hea") if path.suffix.lower() in _OF_WFDB else path.with_name(f"{path.name}.hea")
    found = {path}
    if header.is_file():
        stem = header.with_suffix("")
        lines = header.read_text("utf-8", "replace").splitlines()
        named = {line.split()[0] for line in lines[1:] if line.strip() and not line.startswith("#")}
        found |= {stem.with_name(stem.name + suffix) for suffix in _OF_WFDB}
        found |= {header.with_name(name) for name in named if name not in ("~", ".", "..") and "/" not in name}
    return {p.resolve() for p in found if p.exists() and not p.is_dir()}


def refuse_replacing(files: Sequence[Path], force: bool, *records: str) -> None:
    """Refuse to write over files that are there, before anything is written.

    Parameters
    ----------
    files : sequence of Path
        All that will be written.
    force : bool
        Whether they may be replaced; what is read never is.
    records : str
        Recordings that are read.

    Raises
    ------
    UsageError
        A file belongs to a recording that is read, or is there already.
    """
    read = {p for record in records for p in files_read(record)}
    for path in files:
        if path.resolve() in read:
            raise UsageError(f"{path} is the recording itself", "choose another --out")
    if not force and (there := next((p for p in files if p.exists() or p.is_symlink()), None)):
        raise UsageError(f"{there} is there already", "choose another --out, or say --force")


class AppendFile:
    """A new file to append to, without a buffer: what was written is in the system's hands.

    Parameters
    ----------
    path : Path
        Must not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with disk_errors(path):
            self._file = private_open(path, "xb", buffering=0)

    def write(self, data: bytes, back: int = 0) -> None:
        """Append all of `data`, overwriting the last `back` bytes."""
        with disk_errors(self.path):
            if back:
                self._file.seek(-back, os.SEEK_END)
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]

    def durable(self) -> None:
        """Wait until the disk itself has it."""
        with disk_errors(self.path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close; a second time does nothing."""
        with disk_errors(self.path):
            self._file.close()

    def discard(self) -> None:
        """Close and remove the file; nothing fails here."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def replace_file(path: Path, text: str) -> None:
    """Write a small file so that a reader sees the old one or the new one, never a part."""
    fresh = path.with_name(f".{path.name}.new")
    with disk_errors(path):
        try:
            with private_open(fresh, "w", encoding="utf-8") as f:
                f.write(text)
            fresh.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
