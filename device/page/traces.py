"""Traces on the sheet: rows of leads, calibration pulses, separators, intervals, and marks where a wave is cut."""

from __future__ import annotations

import numpy as np

from ecg_edge.device.measurements.figures import UNSTATED
from ecg_edge.device.page.content import PageContent, Strip, kinds_of
from ecg_edge.device.page.options import PageOptions
from ecg_edge.device.page.sheet import Area, Line, Sheet, extent
from ecg_edge.firmware_bridge.array_types import FloatArray

STYLES = {
    "measured": ("#111111", 0.9),
    "derived": ("#1f4e9c", 0.55),
    "reconstructed": ("#a04000", 0.7),
    "": ("#555555", 0.7),
}
"""Colour and width in points: black and white tell them by the word beside the lead and by the band."""
BANDS = {"reconstructed": "#f0d3b8"}
CUT = "\u25b2 \u25bc wave taller than its row, cut here"
_ABSENT = "not recorded"
_LABEL_PT, _WORD_PT = 8.5, 6.0
_STEP_MM, _FARTHEST_MM = 1.0, 26.0
"""How a name is moved to a free place above its trace: first as far as one beat of 60 a minute."""
_UNDER_MM = 2.6
"""How far below the name its provenance stands where both do not fit between two waves."""


def draw_rows(sheet: Sheet, content: PageContent, options: PageOptions, rows: list[tuple[str, ...]]) -> bool:
    """Put rows of leads on the sheet; return whether a wave was cut."""
    left, bottom, _, top = sheet.grid
    height = (top - bottom) / len(rows)
    cut = False
    for k, leads in enumerate(rows):
        row = _Row(sheet, options, left, top - (k + 1) * height, height)
        row.pulse(labelled=k == 0)
        for j, lead in enumerate(leads):
            cut |= row.lead(content, lead, j, len(leads))
    return cut


def is_cut(content: PageContent, options: PageOptions) -> bool:
    """Whether a wave is taller than its row."""
    return any(
        draw_rows(Sheet(*options.size, grid=options.grid), content, options, rows)
        for rows in options.sheets(content.rhythm)
    )


class _Row:
    """One row: its place on the sheet."""

    def __init__(self, sheet: Sheet, options: PageOptions, left: float, bottom: float, height: float) -> None:
        self._sheet, self._options = sheet, options
        self._left, self._bottom, self._height = left, bottom, height
        self._base = bottom + 0.45 * height
        self._fs = 0.0

    def pulse(self, labelled: bool) -> None:
        """1 mV for 200 ms; said once."""
        o = self._options
        x = self._left + 0.5 + np.array([0.0, 0.04, 0.04, 0.24, 0.24, 0.28]) * o.speed
        high = min(o.gain, self._height * 0.55 - 1)
        y = self._base + np.array([0, 0, 1, 1, 0, 0]) * high
        self._sheet.lines.append(Line(x, y, 0.7))
        if labelled:
            said = "1 mV" if high == o.gain else "1 mV, cut"
            self._sheet.write(self._left + 0.8, self._base - 3.2, said, 5.5)

    def lead(self, content: PageContent, lead: str, j: int, columns: int) -> bool:
        """Draw a lead in the j-th of some columns; return whether a wave was cut."""
        o = self._options
        seconds = o.seconds / columns
        n = round(seconds * content.fs)
        first = 0 if o.simultaneous else j * n
        x0 = self._left + o.pulse_room + j * seconds * o.speed
        strips = content.leads.get(lead, ())
        shown = [Strip(s.kind, s.mv[first : first + n], s.half[first : first + n]) for s in strips]
        cut = [self._trace(s, x0, content.fs) for s in shown]
        self._fs = content.fs
        self._label(lead, kinds_of(shown), shown, x0, seconds * o.speed)
        if j:
            ends = (self._bottom + self._height - 5, self._bottom + self._height - 1), (self._base - 2, self._base + 2)
            for a, b in ends:
                self._sheet.lines.append(Line(np.array([x0, x0]), np.array([a, b]), 0.9, "#333333"))
        return any(cut)

    def _trace(self, strip: Strip, x0: float, fs: float) -> bool:
        x = x0 + np.arange(len(strip.mv)) / fs * self._options.speed
        low, high = self._bottom + 0.3, self._bottom + self._height - 0.3
        y = self._base + strip.mv * self._options.gain
        color, width = STYLES[strip.kind]
        if np.isfinite(strip.half).any():
            half = strip.half * self._options.gain
            below, above = (np.clip(v, low, high) for v in (y - half, y + half))
            self._sheet.areas.append(Area(x, below, above, BANDS.get(strip.kind, "#dddddd")))
        self._sheet.lines.append(Line(x, np.clip(y, low, high), width, color))
        return self._marks(x, y, low, high, color)

    def _marks(self, x: FloatArray, y: FloatArray, low: float, high: float, color: str) -> bool:
        """A triangle at every stretch that leaves the row."""
        cut = False
        for beyond, at, tip in ((y > high, high, 1.2), (y < low, low, -1.2)):
            edges = np.flatnonzero(np.diff(np.concatenate([[False], beyond, [False]]).astype(int)))
            for a, b in zip(edges[::2], edges[1::2], strict=True):
                middle = float(x[(a + b - 1) // 2])
                corners = np.array([middle - 0.8, middle + 0.8, middle, middle - 0.8])
                self._sheet.lines.append(Line(corners, at - tip * np.array([1.0, 1.0, 0.0, 1.0]), 0.8, color))
                cut = True
        return cut

    def _label(self, lead: str, kinds: list[str], strips: list[Strip], x0: float, room: float) -> None:
        """The lead's name and provenance above its trace, where that is free; else on a white ground."""
        color = STYLES[kinds[-1]][0] if kinds else "#111111"  # of the least certain
        word = "" if kinds == ["measured"] else ", ".join(k or UNSTATED for k in kinds) or _ABSENT
        wide = extent(lead, _LABEL_PT, True)[0] + 1.2
        if word and extent(word, _WORD_PT)[0] > room - wide - 2.5:
            word = word[:5] + "." if extent(word[:5] + ".", _WORD_PT)[0] <= room - wide - 2.5 else ""
        long = extent(word, _WORD_PT)[0] if word else 0.0
        beside, below = (wide + long, 3.5), (max(wide, long), 3.5 + _UNDER_MM)
        top = self._bottom + self._height - 4.0
        x, size = self._free(strips, room, top, [beside, below] if word else [beside])
        if x is None:
            x, size = 0.0, beside
            self._sheet.areas.append(_ground(x0 + 1.0, top - 0.8, size[0], 3.8))
        right, down = (wide, 0.0) if size == beside else (0.0, _UNDER_MM)
        self._sheet.write(x0 + x + 1.2, top, lead, _LABEL_PT, bold=True, color=color)
        self._sheet.write(x0 + x + 1.2 + right, top - down, word, _WORD_PT, color=color)

    def _free(
        self, strips: list[Strip], room: float, top: float, sizes: list[tuple[float, float]]
    ) -> tuple[float | None, tuple[float, float]]:
        """The first place from the left, in mm, that no trace runs through: near first, then at any distance."""
        for farthest in (_FARTHEST_MM, room):
            for wide, high in sizes:
                for x in np.arange(0.0, max(_STEP_MM, min(room - wide - 2.5, farthest)), _STEP_MM).tolist():
                    if not self._covered(strips, x, wide, top + 3.5 - high, high):
                        return x, (wide, high)
        return None, sizes[0]

    def _covered(self, strips: list[Strip], x: float, wide: float, y: float, high: float) -> bool:
        """Whether a trace runs through `wide` mm from `x` on, between `y` and `high` mm above it."""
        for strip in strips:
            first, n = (round(mm / self._options.speed * self._fs) for mm in (x, wide + 2.5))
            at = self._base + strip.mv[first : first + max(1, n)] * self._options.gain
            if at.size and np.isfinite(at).any() and np.nanmax(at) > y - 1 and np.nanmin(at) < y + high:
                return True
        return False


def _ground(left: float, bottom: float, width: float, height: float) -> Area:
    x = np.array([left, left + width + 0.4])
    return Area(x, np.full(2, bottom), np.full(2, bottom + height), "#ffffff")
