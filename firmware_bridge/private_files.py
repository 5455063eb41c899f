"""Who may read what is written of a person: its owner alone, decided here.

``ECG_EDGE_FILE_MODE=640`` in the environment lets a group read, and its folders be entered.
"""

from __future__ import annotations

import os
from os import PathLike, fspath
from pathlib import Path
from typing import IO, Any

from ecg_edge.firmware_bridge.errors import UsageError

VARIABLE = "ECG_EDGE_FILE_MODE"
_OWN = 0o600


def file_mode() -> int:
    """Permissions of a new file.

    Raises
    ------
    UsageError
        The variable in the environment is no such number, or keeps the owner out.
    """
    text = os.environ.get(VARIABLE) or f"{_OWN:o}"
    try:
        mode = int(text, 8)
    except ValueError:
        mode = 0
    if mode & ~0o666 or mode & _OWN != _OWN:
        raise UsageError(f"{VARIABLE}={text} is no permission of a file", "write 600, 640 or 644")
    return mode


def private_open(path: Path | str, mode: str, **more: Any) -> IO[Any]:
    """Open a file to write; if it is new, it has the permissions of `file_mode` from its first moment."""
    return open(path, mode, opener=_opener, **more)


def private_folder(path: Path) -> None:
    """Make a folder for such files, and its parents, where they are missing."""
    missing = [p for p in (path, *path.parents) if not p.exists()]
    mode = file_mode()
    for folder in reversed(missing):
        folder.mkdir(mode=mode | (mode & 0o444) >> 2, exist_ok=True)
    path.mkdir(exist_ok=True)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, file_mode())


def exact_path(given: Path | str, what: str) -> Path:
    """Return a path.

    Parameters
    ----------
    given : Path or str
        What was passed.
    what : str
        Name of the parameter, for the message.

    Raises
    ------
    UsageError
        It is none: of another type, or empty.
    """
    name = fspath(given) if isinstance(given, str | PathLike) else None
    if not isinstance(name, str) or not name or "\0" in name:
        raise UsageError(f"{what}={given!r} is no path", "pass a Path, or its name as a str")
    return Path(name)
