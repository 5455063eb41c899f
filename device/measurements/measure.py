"""Measure twelve leads: intervals of what is measured, amplitudes with their interval where they are estimates.

Intervals and axes are read from measured and derived leads alone. Where a record states no provenance, all leads are
used, and each figure says so. QTc: Bazett (Heart 7:353, 1920), QT / sqrt(RR), and Fridericia (Acta Med Scand 53:469,
1920), QT / RR^(1/3), RR in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ecg_edge.device.arguments import check_flags
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.conditioning.zero_phase import phase_undone
from ecg_edge.device.lead_algebra import ST_WEAK, Provenance, of_basis
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.measurements.agreement import is_periodic, spreads
from ecg_edge.device.measurements.doubts import Evidence, judged
from ecg_edge.device.measurements.fiducials import Fiducials, fiducials
from ecg_edge.device.measurements.figures import Figure, Measurements
from ecg_edge.device.measurements.overlaid_tone import overlaid_tone
from ecg_edge.device.measurements.rhythm import Rhythm, rhythm_of
from ecg_edge.device.measurements.sharp_edges import bridged, is_stepped, without_pulses
from ecg_edge.device.measurements.typical_beat import FS, MIN_BEATS, TypicalBeat, typical_beat
from ecg_edge.firmware_bridge.array_types import AnyFloatArray, FloatArray
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS

ST_INTERVAL_MV = 0.1
"""ST of a reconstructed lead is stated where half its interval is narrower."""
_SURE = (Provenance.MEASURED.value, Provenance.DERIVED.value)
_GOOD_BEATS, _GOOD_NOISE = 5, 0.05
_GOOD_SHARE = 0.8
"""Of the beats there are, that must resemble each other: else other waves are among them."""
_WIDE_S = 0.12
"""A wider QRS complex without a T wave may be none: chest compressions look so."""
_EARLY = 0.85
EARLY_BEATS = "beats come early: the T wave before them has no end and is not measured"
_LARGE_T, _AFTER_J_S = 0.9, 0.06
LARGE_T = "the wave behind the QRS is as large as it and may be a beat: no rate and no QT are stated"
OVERLAID = "a tone of {:.1f} Hz lies over the beats, tremor or flutter: of P and T nothing is stated"
PERIODIC = "one wave of 200 to 350 a minute fills the time between the beats: of P and T nothing is stated"
_MOST_MISSING = 0.4
_LEVEL_S = (0.014, 0.004)
_ROUND_MS = 2


def measure(block: LeadBlock, *, live: bool = False) -> Measurements | None:
    """Measure a block of some seconds; ten are usual.

    Parameters
    ----------
    block : LeadBlock
        As `reconstruct` or a stream gives it, with its rate.
    live : bool
        The rows are a stream's. Its 0.5 Hz high-pass runs forward in time, widens P waves and lowers ST. That is
        undone first; `reconstruct` has undone it.

    Returns
    -------
    Measurements or None
        None where fewer than three beats resemble each other.

    Raises
    ------
    UsageError
        It is no LeadBlock, or `live` is neither True nor False.

    Examples
    --------
    >>> import numpy as np, ecg_edge as ee
    >>> ee.measure(ee.reconstruct(np.zeros(1000), fs=250, leads=("I",))) is None
    True
    """
    if not isinstance(block, LeadBlock):
        raise UsageError(
            f"block={type(block).__name__} is no LeadBlock",
            "reconstruct first: ee.measure(ee.reconstruct(mv, fs=…, leads=…))",
        )
    check_flags(live=live)
    return measure_block(block, ConditioningSpec() if live else None)


def measure_block(block: LeadBlock, conditioning: ConditioningSpec | None = None) -> Measurements | None:
    """As `measure`; `conditioning` is what the rows went through live, None where its phase is undone."""
    estimated = np.array([p is Provenance.RECONSTRUCTED for p in block.provenance])
    usable = block.valid & ~(block.warmup[:, None] & estimated)
    mv = np.where(usable, block.mv, np.nan).astype(np.float64)
    mv = phase_undone(mv, block.fs, conditioning) if conditioning and block.fs else mv
    return measure_leads(mv, block.fs, LEADS, block.provenance, interval_mv=block.sigma)


def measure_leads(
    mv: AnyFloatArray,
    fs: float | Fraction,
    leads: Sequence[str],
    provenance: Sequence[Provenance | str],
    *,
    interval_mv: AnyFloatArray | None = None,
    peaks: Sequence[int] | None = None,
) -> Measurements | None:
    """Measure leads of any number and rate.

    Parameters
    ----------
    mv : ndarray of shape (n_samples, n_leads)
        In mV, NaN where nothing is valid.
    fs : float or Fraction
        In Hz.
    leads, provenance : sequence
        Of each column; empty: not stated. Such leads are read for intervals only where none is measured or
        derived, and their figures are not `Figure.stated`.
    interval_mv : ndarray of the same shape, optional
        Half-width of the stated interval; without it, amplitudes of reconstructed leads are not stated.
    peaks : sequence of int, optional
        Rows of the R peaks, where they are known.

    Returns
    -------
    Measurements or None
        None where fewer than three beats resemble each other.
    """
    kinds = [str(getattr(p, "value", p)) for p in provenance]
    there, sure = _readable(mv, kinds)
    if not sure or not fs:
        return None
    mv, pulses = without_pulses(bridged(np.asarray(mv, np.float64), float(fs)), float(fs))
    lead = mv[:, _clearest(mv, sure)]
    found = rhythm_of(lead, fs, peaks)
    if is_stepped(lead, float(fs), found.peaks):
        return None
    beat, next_s, alike, steady = _beat_of(np.asarray(mv[:, there], np.float64), fs, found)
    at_all = [there.index(k) for k in sure]
    f = fiducials(beat, at_all, next_s) if beat else None
    if beat is None or f is None:
        return None
    hz = overlaid_tone(lead, fs, beat.rr_s)
    if hz or is_periodic(mv[:, sure], fs, found.peaks):
        f = replace(f, p_on=np.nan, p_off=np.nan, t_peak=np.nan, t_off=np.nan)
        note = OVERLAID.format(hz) if hz else PERIODIC
        found, alike = replace(found, even=False, notes=(*found.notes, note)), 0
    names = [leads[k] for k in there]
    unsaid = frozenset(leads[k] for k in there if not kinds[k])
    reader = _Reader(beat, f, names, tuple(leads[k] for k in sure), found, alike, steady, unsaid)
    estimates = [k for k in there if kinds[k] == Provenance.RECONSTRUCTED.value]
    guesses = {leads[k]: _usual(interval_mv[:, k]) if interval_mv is not None else None for k in estimates}
    early = (EARLY_BEATS,) if np.isfinite(next_s) and np.isnan(f.t_off) else ()
    notes = (*found.notes, *early, *reader.doubts)
    whole = replace(reader.whole(), amplitudes=reader.amplitudes(guesses), notes=notes)
    return judged(whole, Evidence(spreads(beat, at_all, next_s), beat, found, lead, float(fs), pulses))


def median_beat(
    mv: AnyFloatArray, fs: float | Fraction, provenance: Sequence[Provenance | str]
) -> tuple[TypicalBeat, list[int]] | None:
    """Make the beat that `measure_leads` reads.

    Parameters
    ----------
    mv : ndarray of shape (n_samples, n_leads)
        In mV, NaN where nothing is valid.
    fs : float or Fraction
        In Hz.
    provenance : sequence
        Of each column; empty: not stated.

    Returns
    -------
    (TypicalBeat, list of int) or None
        The beat and the columns of `mv` that it holds. None where fewer than three beats resemble each other.
    """
    there, sure = _readable(mv, [str(getattr(p, "value", p)) for p in provenance])
    if not sure or not fs:
        return None
    mv, _ = without_pulses(bridged(np.asarray(mv, np.float64), float(fs)), float(fs))
    beat = _beat_of(mv[:, there], fs, rhythm_of(mv[:, _clearest(mv, sure)], fs))[0]
    return (beat, there) if beat else None


def _readable(mv: AnyFloatArray, kinds: Sequence[str]) -> tuple[list[int], list[int]]:
    """Columns with enough samples, and those of them that beats and intervals are read from."""
    there = [k for k in range(len(kinds)) if len(mv) and np.isnan(mv[:, k]).mean() <= _MOST_MISSING]
    return there, [k for k in there if kinds[k] in _SURE] or [k for k in there if not kinds[k]]


def r_peaks(mv: AnyFloatArray, fs: float | Fraction) -> list[int]:
    """R peaks of one lead, shape (n_samples,) in mV, as rows; NaN counts as missing."""
    return list(rhythm_of(mv, fs).peaks)


def _clearest(mv: AnyFloatArray, columns: Sequence[int]) -> int:
    """The lead whose steepest slopes stand out most from its usual ones."""
    steep, usual = [], []
    for k in columns:
        slope = np.abs(np.diff(mv[:, k][np.isfinite(mv[:, k])]))
        steep.append(float(np.percentile(slope, 99)) if len(slope) else 0.0)
        usual.append(float(np.median(slope)) if len(slope) else 0.0)
    floor = 0.1 * max(steep) + 1e-6
    return columns[int(np.argmax([a / (b + floor) for a, b in zip(steep, usual, strict=True)]))]


def _usual(interval_mv: AnyFloatArray) -> float | None:
    known = np.asarray(interval_mv, np.float64)
    known = known[np.isfinite(known)]
    return float(np.median(known)) if len(known) else None


def _beat_of(x: FloatArray, fs: float | Fraction, found: Rhythm) -> tuple[TypicalBeat | None, float, int, bool]:
    """The typical beat, seconds to what comes early behind it (inf: nothing), how many are alike, and if none is early.

    Beats before an early one are left out where enough others are there.
    """
    beat = typical_beat(x, fs, found.peaks)
    if beat is None:
        return None, np.inf, 0, True
    following = np.asarray(found.next_s)[beat.kept]
    early = following < _EARLY * max(beat.rr_s, float(np.median(following)))
    others = [found.peaks[k] for k in beat.kept[~early]]
    if early.any() and len(others) >= MIN_BEATS and (again := typical_beat(x, fs, others)):
        p_alike = min(beat.p_alike, again.p_alike)
        return replace(again, rr_s=beat.rr_s, found=beat.found, p_alike=p_alike), np.inf, beat.used, False
    return beat, float(following[early].min(initial=np.inf)), beat.used, not early.any()


class _Reader:
    """Reads figures off one beat; of the leads `unsaid` the provenance is not stated."""

    def __init__(
        self,
        beat: TypicalBeat,
        f: Fiducials,
        leads: list[str],
        sure: tuple[str, ...],
        found: Rhythm,
        alike: int,
        steady: bool,
        unsaid: frozenset[str],
    ) -> None:
        self._beat, self._f, self._leads, self._sure, self._unsaid = beat, f, leads, sure, unsaid
        self._rhythm, self._rr, self._alike, self._steady = found, found.rr_s, alike, steady
        on = self._row(f.qrs_on)
        a, b = (max(0, on - round(s * FS)) for s in _LEVEL_S)
        self._x = beat.mv - beat.mv[a : b + 1].mean(axis=0)
        vectors = of_basis([x for x in sure if x in LEADS] or ["I"])
        self._independent = int(np.linalg.matrix_rank(vectors, tol=1e-6))
        self.doubts: tuple[str, ...] = ()
        if self._height(f.qrs_off + _AFTER_J_S, f.t_off) > _LARGE_T * self._height(f.qrs_on, f.qrs_off):
            self.doubts = (LARGE_T,)
            self._f = replace(f, t_peak=np.nan, t_off=np.nan)
            self._rhythm = replace(found, mean_s=np.nan)
            self._rr = np.nan

    def whole(self) -> Measurements:
        """The global figures."""
        f, rr = self._f, self._rr
        qrs = self._quality(self._height(f.qrs_on, f.qrs_off))
        p, t = self._quality(self._height(f.p_on, f.qrs_on)), self._quality(self._height(f.qrs_off, f.t_off))
        t = t if self._steady else "fair"
        qt = f.t_off - f.qrs_on
        return Measurements(
            self._beat.used,
            self._beat.found,
            self._rate(),
            p=self._ms(f.p_off - f.p_on, p),
            pr=self._ms(f.qrs_on - f.p_on, p),
            qrs=self._ms(f.qrs_off - f.qrs_on, qrs),
            qt=self._ms(qt, t),
            qtc_bazett=self._ms(qt / np.sqrt(rr), t),
            qtc_fridericia=self._ms(qt / np.cbrt(rr), t),
            p_axis=self._axis(f.p_on, f.p_off if np.isfinite(f.p_off) else f.qrs_on, p),
            qrs_axis=self._axis(f.qrs_on, f.qrs_off, qrs),
            t_axis=self._axis(f.qrs_off + 0.04, f.t_off, t),
            longest_rr=self._ms(self._rhythm.longest_s, "good" if self._enough() and self._beats() else "fair"),
        )

    def _rate(self) -> Figure | None:
        clear = self._enough() and self._rhythm.even and self._beats()
        rr = self._rhythm.mean_s
        quality = "good" if clear else "fair"
        return self._figure(round(60 / rr), "/min", self._sure, quality) if np.isfinite(rr) else None

    def _beats(self) -> bool:
        """Whether the waves found look like beats: a narrow QRS complex, or one that a T wave follows."""
        return bool(self._f.qrs_off - self._f.qrs_on < _WIDE_S or np.isfinite(self._f.t_off))

    def amplitudes(self, guesses: dict[str, float | None]) -> dict[str, dict[str, Figure | None]]:
        """Of each lead; `guesses` are the reconstructed ones with half their interval in mV."""
        chest = any(x.startswith("V") for x in self._sure)
        out = {}
        for k, lead in enumerate(self._leads):
            if lead not in guesses:
                out[lead] = self._waves(k, lead, None)
            elif (half := guesses[lead]) is not None:
                row = self._waves(k, lead, round(half, 3))
                if half >= ST_INTERVAL_MV or (lead in ST_WEAK and not chest):
                    row |= {"st_j": None, "st_j60": None}
                out[lead] = row
        return out

    def _waves(self, k: int, lead: str, interval: float | None) -> dict[str, Figure | None]:
        x, f = self._x[:, k], self._f
        qrs = x[self._row(f.qrs_on) : self._row(f.qrs_off) + 1]
        r, s = float(qrs.max(initial=0.0)), float(qrs.min(initial=0.0))
        t = None
        if np.isfinite(f.t_off):
            wave = x[self._row(f.qrs_off + 0.04) : self._row(f.t_off) + 1]
            t = float(wave[np.abs(wave).argmax()]) if len(wave) else None
        j = self._row(f.qrs_off)
        j60 = min(len(x) - 1, j + round(0.06 * FS))
        values = {"r": r, "s": s, "t": t, "st_j": float(x[j]), "st_j60": float(x[j60])}
        noise = float(self._beat.noise_mv[k])
        return {
            name: None if v is None else self._figure(
                round(v, 3) + 0.0, "mV", (lead,), "good" if self._enough() and noise < 0.02 else "fair", interval
            )
            for name, v in values.items()
        }  # fmt: skip

    def _enough(self) -> bool:
        return self._beat.used >= _GOOD_BEATS and self._alike >= _GOOD_SHARE * self._beat.found

    def _row(self, seconds: float) -> int:
        return int(np.clip(self._beat.r + round(seconds * FS), 0, len(self._beat.mv) - 1))

    def _columns(self) -> list[int]:
        return [self._leads.index(x) for x in self._sure]

    def _height(self, a: float, b: float) -> float:
        """Largest deflection between two instants in the leads that are measured; NaN where one is not known."""
        if not np.isfinite(a + b):
            return float("nan")
        return float(np.abs(self._x[self._row(a) : self._row(b) + 1][:, self._columns()]).max(initial=0.0))

    def _quality(self, height: float) -> str:
        noise = float(np.sqrt((self._beat.noise_mv[self._columns()] ** 2).mean()))
        clear = noise <= _GOOD_NOISE * height
        return "good" if clear and self._enough() and self._independent >= 2 else "fair"

    def _ms(self, seconds: float, quality: str) -> Figure | None:
        if not np.isfinite(seconds):
            return None
        return self._figure(_ROUND_MS * round(1000 * float(seconds) / _ROUND_MS), "ms", self._sure, quality)

    def _axis(self, a: float, b: float, quality: str) -> Figure | None:
        """Direction of the area in the frontal plane: x is lead I, y is (2 II - I) / sqrt(3)."""
        if not {"I", "II"} <= set(self._sure) or not np.isfinite(a + b):
            return None
        rows = self._x[self._row(a) : self._row(b) + 1]
        i, ii = (float(rows[:, self._leads.index(x)].sum()) for x in ("I", "II"))
        if np.hypot(i, ii) / FS < 0.0005:  # below 0.5 µVs there is no direction
            return None
        angle = round(float(np.degrees(np.arctan2((2 * ii - i) / np.sqrt(3), i))))
        return self._figure(angle, "°", ("I", "II"), quality)

    def _figure(
        self, value: float, unit: str, leads: tuple[str, ...], quality: str, interval: float | None = None
    ) -> Figure:
        return Figure(value, unit, leads, quality, interval, self._unsaid.isdisjoint(leads))
