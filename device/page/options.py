"""How a page is laid out: what the user chooses, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from ecg_edge.device.page.sheet import Box

SIZES = {"a4": (297.0, 210.0), "letter": (279.4, 215.9)}
"""Width and height in mm, across."""
GRIDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "3x4": (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6")),
    "6x2": (("I", "V1"), ("II", "V2"), ("III", "V3"), ("aVR", "V4"), ("aVL", "V5"), ("aVF", "V6")),
    "12x1": tuple((x,) for x in ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")),
}
PAGE_S = 10.0
MARGIN = 7.0
_PULSE_S = 0.28
"""The calibration pulse, 200 ms wide, with its feet."""
_HEAD, _FOOT = 36.0, 36.0
_ROWS_ON_A_PAGE = 6


@dataclass(frozen=True)
class PageOptions:
    """What the user chooses.

    Attributes
    ----------
    paper : str
        ``a4`` or ``letter``.
    layout : str
        ``3x4``, ``6x2`` or ``12x1``.
    speed, gain : float
        mm/s and mm/mV.
    simultaneous : bool
        All columns show the same seconds instead of following each other.
    """

    paper: str = "a4"
    layout: str = "3x4"
    speed: float = 25.0
    gain: float = 10.0
    simultaneous: bool = False

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in mm."""
        return SIZES[self.paper]

    @property
    def grid(self) -> Box:
        """Where the ECG paper lies: whole squares of 5 mm."""
        width, height = self.size
        right = MARGIN + 5 * ((width - 2 * MARGIN) // 5)
        return MARGIN, _FOOT, right, _FOOT + 5 * ((height - _HEAD - _FOOT) // 5)

    @property
    def pulse_room(self) -> float:
        """Width in mm left of every row for the calibration pulse."""
        return _PULSE_S * self.speed + 2

    @property
    def seconds(self) -> float:
        """How much a whole row shows."""
        left, _, right, _ = self.grid
        return min(PAGE_S, (right - left - self.pulse_room) / self.speed)

    def sheets(self, rhythm: str) -> list[list[tuple[str, ...]]]:
        """Rows of leads of each sheet."""
        rows = list(GRIDS[self.layout])
        if self.layout == "3x4":
            rows.append((rhythm,))
        return [rows[k : k + _ROWS_ON_A_PAGE] for k in range(0, len(rows), _ROWS_ON_A_PAGE)]
