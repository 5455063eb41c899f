"""Trained weights in few archives of a stated size: what a machine may hand back is often limited."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

MOST_FILES, MOST_MB = 8, 16.0
_HEADER = 2048
_BLOCK = 20 * 512


def gather(
    files: Sequence[Path], root: Path, out: Path, say: Callable[[str], None],
    most_files: int = MOST_FILES, most_mb: float = MOST_MB,
) -> list[Path]:  # fmt: skip
    """Put files into archives, in order of their worth.

    Parameters
    ----------
    files : sequence of Path
        The most valuable first: what finds no room is named and left out.
    root : Path
        Names in the archives are relative to it.
    out : Path
        ``out/weights-1.tar`` …
    say : callable
        Takes a line of text.
    most_files : int
        Archives.
    most_mb : float
        Size of one, in millions of bytes.

    Returns
    -------
    list of Path
        The archives that hold something.
    """
    shelves: list[list[Path]] = [[] for _ in range(most_files)]
    room = [most_mb * 1e6 - _BLOCK] * most_files
    for file in files:
        need = file.stat().st_size + _HEADER
        where = next((k for k, left in enumerate(room) if left >= need), None)
        if where is None:
            say(f"no room for {file.relative_to(root)} ({need / 1e6:.1f} MB)")
            continue
        shelves[where].append(file)
        room[where] -= need
    out.mkdir(parents=True, exist_ok=True)
    return [_archive(shelf, root, out / f"weights-{k}.tar") for k, shelf in enumerate(shelves, 1) if shelf]


def _archive(files: list[Path], root: Path, path: Path) -> Path:
    with tarfile.open(path, "w") as tar:
        for file in files:
            tar.add(file, file.relative_to(root))
    return path
