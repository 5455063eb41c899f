"""The page's two fonts: DejaVu Sans, regular and bold, with Latin, Greek and Cyrillic letters (``fonts/``)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import pairwise

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray

_GROUPED = 12
"""Format of the character map that is read: groups of letters whose glyphs follow each other."""


@dataclass(frozen=True)
class Font:
    """A TrueType font (OpenType specification 1.9), as far as a page needs it. Lengths are in em.

    Attributes
    ----------
    name : str
    data : bytes
        The file.
    glyphs : dict of str to int
        A letter's glyph; others are shown as glyph 0, an empty box.
    advance, low, high : ndarray of float64, shape (n_glyphs,)
        Width of each glyph, and its lowest and highest ink against the base line.
    ascent, descent : float
        Of the font.
    box : tuple of float
        Around all glyphs: left, bottom, right, top.
    """

    name: str
    data: bytes
    glyphs: dict[str, int]
    advance: FloatArray
    low: FloatArray
    high: FloatArray
    ascent: float
    descent: float
    box: tuple[float, ...]

    def of(self, words: Iterable[str]) -> list[int]:
        """Glyphs of a text."""
        return [self.glyphs.get(letter, 0) for letter in words]

    def extent(self, words: str, size: float) -> tuple[float, float, float]:
        """Width, height and depth below the base line of a text, in the unit of `size`."""
        if not words:
            return 0.0, 0.0, 0.0
        k = self.of(words)
        low, high = float(self.low[k].min()), float(self.high[k].max())
        return float(self.advance[k].sum()) * size, (high - low) * size, -low * size


@lru_cache(maxsize=2)
def font(bold: bool = False) -> Font:
    """Read one of the two fonts."""
    name = "DejaVuSans-Bold" if bold else "DejaVuSans"
    return read_font(name, (resources.files("ecg_edge.device.page") / "fonts" / f"{name}.ttf").read_bytes())


def read_font(name: str, data: bytes) -> Font:
    """Read the tables of a TrueType font."""
    at = dict(_tables(data))
    em, *box = struct.unpack_from(">H16x4h", data, at["head"] + 18)
    ascent, descent = struct.unpack_from(">hh", data, at["hhea"] + 4)
    (metrics,) = struct.unpack_from(">H", data, at["hhea"] + 34)
    (n,) = struct.unpack_from(">H", data, at["maxp"] + 4)
    wide = np.frombuffer(data, ">u2", 2 * metrics, at["hmtx"])[::2].astype(float)
    inks = np.array(list(_inks(data, at, n)), float) / em
    return Font(
        name, data, _character_map(data, at["cmap"]), np.pad(wide, (0, n - metrics), mode="edge") / em,
        inks[:, 0], inks[:, 1], ascent / em, descent / em, tuple(v / em for v in box),
    )  # fmt: skip


def _tables(data: bytes) -> Iterator[tuple[str, int]]:
    (n,) = struct.unpack_from(">H", data, 4)
    for k in range(n):
        tag, _, start = struct.unpack_from(">4sLL", data, 12 + 16 * k)
        yield tag.decode("ascii"), start


def _inks(data: bytes, at: dict[str, int], n: int) -> Iterator[tuple[int, int]]:
    """Lowest and highest ink of every glyph; zeros where it has none."""
    (long,) = struct.unpack_from(">h", data, at["head"] + 50)
    places = np.frombuffer(data, ">u4" if long else ">u2", n + 1, at["loca"]).astype(int) * (1 if long else 2)
    for a, b in pairwise(places.tolist()):
        yield struct.unpack_from(">h2xh", data, at["glyf"] + a + 4) if b > a else (0, 0)


def _character_map(data: bytes, start: int) -> dict[str, int]:
    (n,) = struct.unpack_from(">H", data, start + 2)
    starts = [start + struct.unpack_from(">L", data, start + 8 + 8 * k)[0] for k in range(n)]
    at = next(at for at in starts if struct.unpack_from(">H", data, at)[0] == _GROUPED)
    (groups,) = struct.unpack_from(">L", data, at + 12)
    found: dict[str, int] = {}
    for k in range(groups):
        first, last, glyph = struct.unpack_from(">LLL", data, at + 16 + 12 * k)
        found |= {chr(c): glyph + c - first for c in range(first, last + 1)}
    return found
