"""A page of ECG paper at true scale: 3 × 4 leads and a rhythm strip, provenance in every line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.device.lead_drawing import PAPER, STYLES, WARNING
from ecg_edge.device.recording.safe_files import disk_errors
from ecg_edge.device.recording.stored_recording import Stored
from ecg_edge.firmware_bridge.console import at_words
from ecg_edge.firmware_bridge.errors import LeadMismatchError, MissingExtraError
from ecg_edge.firmware_bridge.private_files import private_open

LAYOUT = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))
RHYTHM = ("II", "I", "V1", "V2", "V3", "V4", "V5", "V6", "III", "aVR", "aVL", "aVF")
"""Order of preference for the rhythm strip, among leads of the best provenance on the page."""
_KINDS = ("measured", "derived", "", "reconstructed")
_UNSAID = "provenance not stated"
PAGE_S = 10.0
SUFFIXES = (".pdf", ".png")
_DPI = 200
_WIDTH_MM, _HEIGHT_MM = 297.0, 210.0
_LEFT_MM, _PULSE_MM, _BOTTOM_MM, _ROW_MM = 12.0, 8.0, 24.0, 38.0


class Page:
    """One page of up to ten seconds.

    Parameters
    ----------
    stored : Stored
        A stretch of a twelve-lead recording.
    patient : str
        For the head of the page.
    speed, gain : float
        mm/s and mm/mV.

    Raises
    ------
    LeadMismatchError
        The record lacks a lead of the layout.
    """

    def __init__(self, stored: Stored, patient: str = "", speed: float = 25.0, gain: float = 10.0) -> None:
        names = [s.lead for s in stored.signals]
        if missing := sorted({lead for row in LAYOUT for lead in row} - set(names)):
            raise LeadMismatchError(
                f"{stored.name} lacks {', '.join(missing)}", "give the twelve-lead record, not the one that is measured"
            )
        self._stored, self._patient, self._speed, self._gain = stored, patient or stored.patient, speed, gain
        self._mv = stored.mv

    @property
    def rhythm(self) -> str:
        """Lead of the rhythm strip: the one of which most is measured, else derived."""
        rows = slice(0, int(PAGE_S * self._stored.fs))

        def amounts(lead: str) -> list[int]:
            there = self.strips(lead, rows)
            return [int(sum(np.isfinite(mv).sum() for kind, mv in there if kind == k)) for k in _KINDS]

        return max(RHYTHM, key=lambda lead: amounts(lead))

    def strips(self, lead: str, rows: slice) -> list[tuple[str, npt.NDArray[np.float64]]]:
        """Return what is drawn of a lead: provenance (empty: not stated) and mV, NaN where there is nothing.

        A lead that was estimated for a while has a strip for each provenance; at every row one of them at most is
        a number.
        """
        columns = self._stored.columns(lead)
        used = [k for k in columns if self._stored.valid[rows, k].any()] or columns[:1]
        return [(self._stored.signals[k].provenance, self._mv[rows, k]) for k in used]

    def save(self, path: Path) -> None:
        """Draw and write the page, A4 across, as PDF or PNG, as the suffix says.

        Raises
        ------
        MissingExtraError
            matplotlib is not installed.
        RecordingError, DiskFullError
            The file cannot be written.
        """
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError:
            raise MissingExtraError("matplotlib", "plot") from None
        figure = Figure(figsize=(_WIDTH_MM / 25.4, _HEIGHT_MM / 25.4))
        FigureCanvasAgg(figure)
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set(xlim=(0, _WIDTH_MM), ylim=(0, _HEIGHT_MM))
        ax.axis("off")
        self._paper(ax)
        for row, leads in enumerate((*LAYOUT, (self.rhythm,))):
            self._row(ax, leads, _BOTTOM_MM + (3 - row + 0.5) * _ROW_MM)
        self._words(ax)
        with disk_errors(path), private_open(path, "wb") as f:
            figure.savefig(f, format=path.suffix[1:], dpi=_DPI, metadata={"Title": f"ECG {self._stored.name}"})

    def _paper(self, ax: Any) -> None:
        right, top = _WIDTH_MM - 7, _BOTTOM_MM + 4 * _ROW_MM
        for kind, step, width in (("minor", 1, 0.2), ("major", 5, 0.45)):
            xs, ys = np.arange(_LEFT_MM - 5, right + 0.1, step), np.arange(_BOTTOM_MM, top + 0.1, step)
            ax.vlines(xs, _BOTTOM_MM, top, colors=PAPER[kind], linewidth=width)
            ax.hlines(ys, _LEFT_MM - 5, right, colors=PAPER[kind], linewidth=width)

    def _row(self, ax: Any, leads: tuple[str, ...], y: float) -> None:
        """Calibration pulse (1 mV, 200 ms), then the leads one after another, each its part of the ten seconds."""
        x = np.array([0.0, 0.04, 0.04, 0.24, 0.24, 0.28]) * self._speed
        ax.plot(_LEFT_MM - 4 + x, y + np.array([0, 0, 1, 1, 0, 0]) * self._gain, color="#111111", linewidth=0.7)
        room = _WIDTH_MM - 10 - _LEFT_MM - _PULSE_MM
        seconds = min(PAGE_S, room / self._speed) / len(leads)
        n = int(seconds * self._stored.fs)
        for k, lead in enumerate(leads):
            rows = slice(k * n, (k + 1) * n)
            left = _LEFT_MM + _PULSE_MM + k * seconds * self._speed
            strips = self.strips(lead, rows)
            for kind, mv in strips:
                self._strip(ax, mv, left, y, kind)
            kinds = [kind for kind, _ in strips]
            word = "" if kinds == ["measured"] else "  " + ", ".join(kind or _UNSAID for kind in kinds)
            colour = STYLES[kinds[-1]]["color"]  # of the least certain
            ax.text(left + 1, y + _ROW_MM / 2 - 5, lead, fontsize=9, weight="bold", color=colour)
            ax.text(left + 9, y + _ROW_MM / 2 - 5, word, fontsize=6.5, color=colour)
            ax.plot([left, left], [y - 5, y + 5], color="#666666", linewidth=0.4)

    def _strip(self, ax: Any, mv: npt.NDArray[np.float64], left: float, y: float, kind: str) -> None:
        x = left + np.arange(len(mv)) / float(self._stored.fs) * self._speed
        top = _BOTTOM_MM + 4 * _ROW_MM
        ax.plot(x, np.clip(y + mv * self._gain, _BOTTOM_MM, top), solid_joinstyle="round", **STYLES[kind])

    def _words(self, ax: Any) -> None:
        s = self._stored
        at = timedelta(seconds=s.first / float(s.fs))
        zone = " UTC" if s.started and s.started.tzinfo else ""
        when = f"{s.started + at:%Y-%m-%d %H:%M:%S}{zone}" if s.started else f"at {at}"
        top = _HEIGHT_MM - 10
        ax.text(_LEFT_MM, top, f"Patient {self._patient or '–'}", fontsize=10, weight="bold")
        ax.text(_LEFT_MM + 80, top, f"{when}   record {s.name}", fontsize=9)
        said = [c for c in s.comments if c.startswith(("model", "conditioning", "reconstructed, calibrated"))]
        for k, line in enumerate(said):
            ax.text(_LEFT_MM, top - 5 - 3.2 * k, at_words(line, 170), fontsize=6, color="#444444")
        ax.text(_LEFT_MM, 15, WARNING, fontsize=10, weight="bold", color=STYLES["reconstructed"]["color"])
        scale = f"{self._speed:g} mm/s   {self._gain:g} mm/mV   {float(s.fs):g} Hz   blank: no valid signal"
        ax.text(_LEFT_MM + 110, 15, scale, fontsize=9)
        inside = [text for at, text in s.notes if s.first <= at < s.first + len(s.counts)]
        ax.text(_LEFT_MM, 9, at_words("; ".join(dict.fromkeys(inside)), 200), fontsize=6, color="#444444")
