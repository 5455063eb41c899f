"""Arrays as users hold them: shape, rate, lead names and unit are checked before anything is computed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from fractions import Fraction
from numbers import Real
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ecg_edge.device.analysis.leaps import LeapWatch
from ecg_edge.device.analysis.plausibility import LARGE_MV, SMALL_MV
from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.load import Model, loaded
from ecg_edge.device.inference.shipped import default_model
from ecg_edge.device.lead_algebra import of_basis, span_solution
from ecg_edge.firmware_bridge.array_types import BoolArray
from ecg_edge.firmware_bridge.errors import CalibrationError, LeadMismatchError, UnitsError, UsageError
from ecg_edge.firmware_bridge.lead_names import SKIP, channel_name, known_channels, parse_channels

LARGEST_SWING_MV, SMALLEST_SWING_MV = LARGE_MV, SMALL_MV
"""No heart swings more within two seconds, and no lead with a heart in it swings less."""
WINDOW_S = 2.0
_MOVES = 2
"""An electrode that gets a new offset oftener within two seconds is none."""
_SLOWEST_HZ, _FASTEST_HZ = 50, 20_000
_MAX_DENOMINATOR = 4096
_BETWEEN_WORDS = re.compile(r"[\s_.:,;/()\[\]]+|(?<=[iIlLfFrR1-6])(?=[mMuUµμ][vV]$)")
_BETWEEN_PARTS = re.compile(rf"-|{_BETWEEN_WORDS.pattern}")
_NUMBERED = re.compile(r"(?:l|lead|ecg|ekg)[\s_.-]*([123]|i{1,3})", re.IGNORECASE)
_OTHER_UNIT = re.compile(
    r"(?:^|[\s_.:,;/()\[\]-]|(?<=[iIlLfFrR1-6]))(?:[uµμn]?V|volts?)(?![ _]?[1-6])(?=$|[\s_.:,;/()\[\]-])", re.I
)
_ENDLESS_MV = 1e300
_TABLE = "pass rows of one length, a number for each lead; NaN where a sample is missing"
_MILLIVOLTS = "pass millivolts: divide microvolts by 1000, multiply volts by 1000, scale counts by the device's gain"


class Personal(Protocol):
    """What fits a model to a person; `Calibration` is one."""

    def apply(self, model: Model) -> Model:
        """Return the model with the person's head."""
        ...


def exact_rate(fs: float | Fraction, name: str = "fs") -> Fraction:
    """Return a rate in Hz as a fraction.

    Raises
    ------
    UsageError
        Not a number, or outside 50 to 20000 Hz.
    """
    try:
        if isinstance(fs, str | bytes | bytearray | bool):
            raise TypeError
        plain = fs if isinstance(fs, Fraction) else Fraction(float(fs))
        rate = plain.limit_denominator(_MAX_DENOMINATOR)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{name}={fs!r} is not a rate", "pass the samples per second of one lead: fs=250") from None
    if not _SLOWEST_HZ <= rate <= _FASTEST_HZ:
        guess = f": fs={1 / float(rate):g}" if 0 < rate < 1 else ""
        raise UsageError(
            f"{name}={float(rate):g} Hz is outside {_SLOWEST_HZ} to {_FASTEST_HZ} Hz",
            f"pass the samples per second of one lead, not the sampling interval{guess}",
        )
    return rate


def exact_leads(leads: Sequence[str] | str, skip: bool = False) -> tuple[str, ...]:
    """Return lead names in their canonical spelling.

    Parameters
    ----------
    leads : sequence of str, or str
        One by one, or separated by commas.
    skip : bool
        Whether ``-`` may stand for a channel that is no lead.

    Raises
    ------
    UsageError
        A name is neither one of the twelve nor a pair of electrodes, or occurs twice, there is none, or no order.
    """
    if isinstance(leads, str):
        return parse_channels(leads, skip)
    if isinstance(leads, Set):  # a set has no order: its columns would change places from run to run
        raise UsageError(f"leads={leads!r} has no order", "name every column in column order: leads=('I', 'II')")
    if not isinstance(leads, Iterable) or isinstance(leads, bytes | bytearray):
        raise UsageError(f"leads={leads!r} names no leads", "name every column in column order: leads=('I', 'II')")
    names = tuple(SKIP if skip and lead == SKIP else channel_name(str(lead)) for lead in leads)
    named = [name for name in names if name != SKIP]
    if not named or len(set(named)) != len(named):
        raise UsageError(f"leads={tuple(leads)!r}", "name every column once, in column order: leads=('I', 'II')")
    return names


def check_columns(mv: object, leads: tuple[str, ...]) -> None:
    """Refuse a table whose own column names contradict the leads named.

    Parameters
    ----------
    mv : object
        What holds the samples: a DataFrame, a Series, or an array, which has no names.
    leads : tuple of str
        Of the columns.

    Raises
    ------
    UsageError
        A column is called by the name of another lead, or there are more columns than leads.
    """
    own = list(getattr(mv, "columns", [getattr(mv, "name", None)]))
    read = [_column_lead(label) for label in own]
    if [str(label) for label in own] == ["2", "1"] and leads == ("I", "II"):
        read = ["II", "I"]
    if unit := next((x for x, lead in zip(own, read, strict=True) if lead and _OTHER_UNIT.search(str(x))), None):
        raise UsageError(f"the column {unit} is not in mV", "pass mV under names that say so, or table.to_numpy()")
    picked = [own[read.index(lead)] for lead in leads if lead in read]
    too_many = len(own) > len(leads) == len(picked)
    if too_many or any(name not in ("", lead) for name, lead in zip(read, leads, strict=False)):
        called = ", ".join(str(label) for label in own)
        wrong = "; where the table's names are wrong, pass table.to_numpy()" if len(own) == len(leads) else ""
        raise UsageError(
            f"the columns are called {called}, but leads names {', '.join(leads)}",
            _column_fix(own, read, picked if len(picked) == len(leads) else []) + wrong,
        )


def _column_fix(own: list[object], read: list[str], picked: list[object]) -> str:
    """How to name the leads by the table's own columns; `picked` holds those of the leads, empty where one is missing.

    Only what works is offered: a lead or a label that stands twice cannot be chosen by its name.
    """
    named = [label for label, name in zip(own, read, strict=True) if name]
    names = tuple(name for name in read if name)
    if picked and all(own.count(label) == 1 for label in picked):
        return f"choose the columns of the leads, in their order: table[{picked!r}]"
    if len(set(names)) < len(names):
        return "rename the columns: each lead once"
    if len(names) == len(own):
        return f"pass leads={names!r}"
    return f"leave out what is no lead: table[{named!r}] with leads={names!r}, or rename the other columns"


def _column_lead(label: object) -> str:
    """Lead or channel that a column is called after; empty: none, or more than one.

    A unit, a prefix or a level of a MultiIndex may stand beside the name: ``II_mV``, ``mv_II``, ``("ecg", "II")``.
    """
    if isinstance(label, tuple):
        return _only(_column_lead(part) for part in label)
    text = label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label)
    if whole := _known(text) or _numbered(text):
        return whole
    return _only(map(_known, _BETWEEN_WORDS.split(text))) or _only(map(_known, _BETWEEN_PARTS.split(text)))


def _numbered(label: str) -> str:
    """Limb lead of ``L2``, ``LII`` and ``lead2``: so people name columns, but no device its channels; empty: none."""
    found = _NUMBERED.fullmatch(label.strip())
    return "I" * (int(found[1]) if found[1].isdigit() else len(found[1])) if found else ""


def _only(names: Iterable[str]) -> str:
    """Name that stands there alone; empty: none, or several."""
    found = {name for name in names if name}
    return found.pop() if len(found) == 1 else ""


def _known(label: str) -> str:
    """Lead or channel of that name; empty: none."""
    try:
        return channel_name(label)
    except UsageError:
        return ""


def exact_rows(mv: npt.ArrayLike, n_leads: int, name: str = "mv") -> npt.NDArray[np.float64]:
    """Return samples as rows.

    Parameters
    ----------
    mv : array_like, shape (n_samples, n_leads), or (n_samples,) for one lead
        Real numbers; NaN, or masked, where a sample is missing.
    n_leads : int
        How many leads were named.
    name : str
        What the program calls the samples, for the message.

    Raises
    ------
    UsageError
        Another shape, rows of different lengths, or not real numbers.
    """
    masked = np.ma.getmaskarray(mv) if isinstance(mv, np.ma.MaskedArray) else None
    try:
        given = np.asarray(mv)
        if given.dtype.kind == "O":  # Python's floats in a table, pandas' nullable ones
            missing = np.vectorize(lambda x: type(x).__name__ in ("NoneType", "NAType"), otypes=[bool])(given)
            if not missing.all() and all(isinstance(x, Real) and not isinstance(x, bool) for x in given[~missing].flat):
                given = np.where(missing, np.nan, given).astype(np.float64)
    except Exception as e:  # an object's own __array__ may raise anything
        why = " ".join(str(e).split()) or type(e).__name__
        raise UsageError(f"{name}={type(mv).__name__} is no table of numbers: {why}", _TABLE) from e
    if given.dtype.kind not in "fiub":
        fix = f"pass floats in mV: {name}.to_numpy(float), or np.asarray({name}, float)"
        raise UsageError(f"{name} has samples of type {given.dtype}, which are not real numbers", fix)
    rows = given[:, None] if given.ndim == 1 and n_leads == 1 else given
    if rows.ndim == 2 and rows.shape[1] == n_leads:
        rows = rows.astype(np.float64)
        return rows if masked is None else np.where(masked.reshape(rows.shape), np.nan, rows)
    turned = rows.ndim == 2 and rows.shape[0] == n_leads
    fix = "a row is an instant and a column a lead: pass mv.T" if turned else "name every column once with leads=(...)"
    raise UsageError(f"{name} has samples of shape {given.shape}, but {n_leads} leads are named", fix)


def swing_mv(rows: npt.NDArray[np.float64], fs: Fraction) -> npt.NDArray[np.float64]:
    """Return how far each lead swings within two seconds, shape (n_leads,) in mV.

    The median over the stretches of two seconds of maximum minus minimum. Electrode offset, slow
    drift and single leaps do not count. NaN where a lead has no sample.
    """
    step = min(max(1, int(WINDOW_S * fs)), max(1, len(rows)))
    known = np.where(np.isfinite(rows), np.clip(rows, -_ENDLESS_MV, _ENDLESS_MV), np.nan)[: len(rows) // step * step]
    level = _Level(fs, rows.shape[1])
    even = np.concatenate([known[:0], *(level.feed(known[a : a + step]) for a in range(0, len(known), step))])
    mostly = 2 * np.isfinite(even).sum(axis=0) >= np.isfinite(known).sum(axis=0)
    known = np.where(mostly, even, known)  # a converter's counts leap all the time
    stretches = known.reshape(-1, step, rows.shape[1])
    spans = np.fmax.reduce(stretches, axis=1) - np.fmin.reduce(stretches, axis=1)
    return np.array([np.median(c[np.isfinite(c)]) if np.isfinite(c).any() else np.nan for c in spans.T])


def check_unit(swing: npt.NDArray[np.float64], seconds: float = WINDOW_S) -> None:
    """Refuse samples that cannot be millivolts.

    Every lead that moves at all must be too large, or too small: a single lead may be off.

    Parameters
    ----------
    swing : ndarray of float64, shape (n_leads,)
        From `swing_mv`.
    seconds : float
        Length of the signal. Less than two seconds may lie between two beats: they cannot be too small.

    Raises
    ------
    UnitsError
        They look like microvolts or counts (above 20 mV), or like volts (below 0.02 mV).
    """
    moving = swing[np.isfinite(swing) & (swing > 0)]
    if not moving.size:
        return
    if moving.min() > LARGEST_SWING_MV:
        what = "microvolts or counts of a converter"
    elif moving.max() < SMALLEST_SWING_MV and seconds >= WINDOW_S:
        what = "volts"
    else:
        return
    raise UnitsError(
        f"the leads swing by {moving.min():.3g} mV within {WINDOW_S:g} s: these look like {what}", _MILLIVOLTS
    )


class _Level:
    """Rows without leaps and without the first offsets that they leap to; the same however the rows are cut."""

    def __init__(self, fs: Fraction, n_leads: int) -> None:
        self._leaps = LeapWatch(fs, n_leads)
        self._last, self._offset = np.full(n_leads, np.nan), np.zeros(n_leads)
        self._moves = np.zeros(n_leads, np.int64)

    def feed(self, rows: npt.NDArray[np.float64], starts: bool = True) -> npt.NDArray[np.float64]:
        """Return rows of one stretch, NaN where there is none; `starts`: the stretch begins with them."""
        leaps = self._leaps.feed(rows, np.isfinite(rows))
        out = np.where(leaps, np.nan, rows)
        self._moves[:] = 0 if starts else self._moves
        for k, column in enumerate(out.T):
            at = np.flatnonzero(np.isfinite(column))
            if len(at):
                steps = np.diff(column[at], prepend=np.nan_to_num(self._last[k], nan=column[at[0]]))
                moved = np.abs(steps) > LARGE_MV
                self._last[k] = column[at[-1]]
                if moved.any() or self._offset[k]:
                    column[at] -= self._passed(k, steps, moved)
        return out

    def _passed(self, k: int, steps: npt.NDArray[np.float64], moved: BoolArray) -> npt.NDArray[np.float64]:
        """Offset of a lead at each of its samples: what it has moved by so far."""
        moves = self._moves[k] + np.cumsum(moved)
        offsets = np.cumsum([self._offset[k], *np.where(moved & (moves <= _MOVES), steps, 0.0)])[1:]
        self._moves[k], self._offset[k] = moves[-1], offsets[-1]
        return np.asarray(offsets, np.float64)


class UnitCheck:
    """The same for a stream: two stretches of two seconds in a row must look wrong at its beginning.

    A single one may be an amplifier that settles, or an electrode that is put on. At any time rows count as no
    millivolts from the sample that is too far to the end of the next stretch.
    """

    def __init__(self, fs: Fraction, n_leads: int) -> None:
        self._fs, self._stretch = fs, max(1, int(WINDOW_S * fs))
        self._level = _Level(fs, n_leads)
        self._wanted = 2 * self._stretch
        self._parts: list[npt.NDArray[np.float64]] = []
        self._at, self._large, self._before = 0, False, False
        self._low = self._high = np.full(1, np.nan)

    def feed(self, rows: npt.NDArray[np.float64]) -> BoolArray:
        """Take the next rows; return which of them cannot be millivolts, shape (n_samples,).

        Raises
        ------
        UnitsError
            The first four seconds have passed, and both halves look wrong; see `check_unit`.
        """
        rows = np.clip(rows, -_ENDLESS_MV, _ENDLESS_MV)
        self._begin(rows)
        out = [np.zeros(0, np.bool_)]
        while len(rows):
            piece = rows[: self._stretch - self._at]
            out.append(self._too_large(piece))
            rows = rows[len(piece) :]
        return np.concatenate(out)

    def _too_large(self, piece: npt.NDArray[np.float64]) -> BoolArray:
        """Judge rows of one stretch by what it has shown up to each of them."""
        piece = self._level.feed(piece, starts=self._at == 0)
        high = np.fmax.accumulate(np.concatenate([np.broadcast_to(self._high, (1, piece.shape[1])), piece]))[1:]
        low = np.fmin.accumulate(np.concatenate([np.broadcast_to(self._low, (1, piece.shape[1])), piece]))[1:]
        swing = np.nan_to_num(high - low)
        large = ((swing > LARGEST_SWING_MV) | (swing == 0)).all(axis=1) & (swing > 0).any(axis=1)
        self._high, self._low, self._large = high[-1], low[-1], bool(large[-1])
        out = np.asarray(large | self._before, np.bool_)
        self._at += len(piece)
        if self._at == self._stretch:
            self._at, self._before = 0, self._large
            self._low = self._high = np.full(1, np.nan)
        return out

    def _begin(self, rows: npt.NDArray[np.float64]) -> None:
        """Keep the first four seconds, and judge them."""
        if self._wanted <= 0:
            return
        self._parts.append(rows[: self._wanted])
        self._wanted -= len(rows)
        if self._wanted <= 0:
            self.finish()

    def finish(self) -> None:
        """The stream has ended: judge what there was."""
        parts, self._parts, self._wanted = self._parts, [], 0
        if not parts:
            return
        seen, step = np.concatenate(parts), max(1, int(WINDOW_S * self._fs))
        spans = [swing_mv(seen[a : a + step], self._fs) for a in range(0, max(1, len(seen) - step + 1), step)]
        low, high = np.fmin.reduce(spans), np.fmax.reduce(spans)
        check_unit(low if (high > LARGEST_SWING_MV).any() else high, len(seen) / float(self._fs))


def model_for(model: Model | Path | str | None, leads: tuple[str, ...], personal: Personal | None) -> Model:
    """Return the model for an array of these leads.

    Parameters
    ----------
    model : Model, Path, str or None
        A loaded model, a file, the name of a shipped one; None takes the shipped one that uses most leads.
    leads : tuple of str
        Of the columns.
    personal : Personal, optional
        Fits the model to a person.

    Raises
    ------
    LeadMismatchError
        The model reads a lead that is not there.
    ModelFileError, CalibrationError
        The file, or the calibration, cannot be used.
    """
    if personal is not None and not hasattr(personal, "apply"):
        raise CalibrationError(
            f"calibration={personal!r} is no calibration", "read the file: calibration=ee.read_calibration(path)"
        )
    found = for_leads(loaded(default_model(leads) if model is None else model), leads)
    exact, _ = span_solution(of_basis(known_channels(leads)), of_basis(found.spec.input_leads))
    if missing := [lead for lead, known in zip(found.spec.input_leads, exact.tolist(), strict=True) if not known]:
        raise LeadMismatchError(
            f"{found.path.name} reads {', '.join(found.spec.input_leads)}; "
            f"the signal has {', '.join(leads)}: {', '.join(missing)} missing",
            "leave model out to take the shipped one that fits, or name the leads as they are with leads=(...)",
        )
    return personal.apply(found) if personal else found
