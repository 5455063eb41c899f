"""A WFDB record as the input of a virtual patch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import signal

from ecg_edge.firmware_bridge.errors import MissingExtraError, RecordingError, UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.virtual_patch.signal_source import DEFAULT_LSB_MV, ArraySource, plain_info, to_counts

_MV_PER_UNIT = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3, "nv": 1e-6}
_CANONICAL = {lead.lower(): lead for lead in LEADS}
_MAX_RATIO = 10_000

FloatArray = npt.NDArray[np.float64]


class _Record(Protocol):
    """What is used of wfdb's records; of a header alone `p_signal` is None."""

    sig_name: list[str] | None
    units: list[str]
    fs: float
    p_signal: FloatArray | None


def record_source(
    path: str,
    leads: Sequence[str] = (),
    fs: Fraction | None = None,
    lsb_mv: float = DEFAULT_LSB_MV,
    loop: bool = False,
) -> ArraySource:
    """Read a WFDB record (with the ``wfdb`` package) as a source of samples.

    Parameters
    ----------
    path : str
        The record, with or without ``.hea``.
    leads : sequence of str
        Signal names in any case, in the order wanted. None: I and II where the record
        has both, otherwise all its signals.
    fs : Fraction, optional
        Rate in Hz to resample to (polyphase, zero phase); the record's own otherwise.
    lsb_mv : float
        Millivolts per count.
    loop : bool
        Begin again at the end.

    Returns
    -------
    ArraySource
        Samples missing in the record are marked as stale.

    Raises
    ------
    MissingExtraError
        The package is not installed.
    RecordingError
        The record cannot be read, or a signal is no voltage.
    UsageError
        The record has no signal of that name.
    """
    base = path.removesuffix(".hea").removesuffix(".dat")
    header = _read(base)
    names = [str(name).strip() for name in header.sig_name or []]
    picked = _pick(base, names, leads)
    record = _read(base, picked)
    mv = np.asarray(record.p_signal, dtype=np.float64) * _units(base, record.units)
    native = Fraction(float(record.fs)).limit_denominator(1000)
    rate = fs or native
    labels = tuple(_CANONICAL.get(names[k].lower(), names[k]) for k in picked)
    info = plain_info("ecg-edge virtual patch", rate, labels, lsb_mv)
    info = replace(info, serial=Path(base).name[:40], firmware="record")
    return ArraySource(info, to_counts(resample(mv, native, rate), lsb_mv), loop)


def resample(mv: FloatArray, native: Fraction, rate: Fraction) -> FloatArray:
    """Resample to another rate; what is missing (nan) stays missing.

    Parameters
    ----------
    mv : ndarray of float64, shape (n_samples, n_channels)
    native, rate : Fraction
        Rates in Hz before and after.

    Returns
    -------
    ndarray of float64, shape (ceil(n_samples * rate / native), n_channels)

    Raises
    ------
    UsageError
        The rate is not positive, or no ratio of small numbers to the record's.
    """
    if rate == native:
        return mv
    ratio = rate / native
    if rate <= 0 or max(ratio.numerator, ratio.denominator) > _MAX_RATIO:
        raise UsageError(f"cannot resample {native} Hz to {rate} Hz", f"use --fs {native}, or a round rate")
    missing = np.isnan(mv)
    filled = np.apply_along_axis(_fill, 0, mv) if missing.any() else mv
    # Without the line through both ends taken off, the edges would see a step from zero.
    out = signal.resample_poly(filled, ratio.numerator, ratio.denominator, axis=0, padtype="line")
    nearest = np.minimum(np.arange(len(out)) * ratio.denominator // ratio.numerator, len(mv) - 1)
    return np.where(missing[nearest], np.nan, out)


def _fill(column: FloatArray) -> FloatArray:
    good = np.flatnonzero(~np.isnan(column))
    if not len(good):
        return np.zeros_like(column)
    return np.interp(np.arange(len(column)), good, column[good])


def _read(base: str, channels: list[int] | None = None) -> _Record:
    """Read the header, or with `channels` the samples of these."""
    try:
        import wfdb
    except ImportError:
        raise MissingExtraError("wfdb", "wfdb") from None
    try:
        record: _Record = wfdb.rdheader(base) if channels is None else wfdb.rdrecord(base, channels=channels)
    except (OSError, ValueError, IndexError, KeyError, TypeError) as error:
        fix = f"give the record's path without extension; {base}.hea and its signal file must be there"
        raise RecordingError(f"cannot read the record {base}: {error}", fix) from error
    return record


def _pick(base: str, names: list[str], leads: Sequence[str]) -> list[int]:
    if not names:
        raise RecordingError(f"{base} holds no signals", "choose another record")
    by_name = {name.lower(): k for k, name in reversed(list(enumerate(names)))}
    if not leads:
        return [by_name["i"], by_name["ii"]] if {"i", "ii"} <= by_name.keys() else list(range(len(names)))
    absent = [lead for lead in leads if lead.strip().lower() not in by_name]
    if absent:
        raise UsageError(f"{base} has no signal {absent[0]!r}", f"use --leads with some of {', '.join(names)}")
    return [by_name[lead.strip().lower()] for lead in leads]


def _units(base: str, units: Sequence[str]) -> FloatArray:
    wrong = [unit for unit in units if str(unit).lower() not in _MV_PER_UNIT]
    if wrong:
        raise RecordingError(f"{base} has a signal in {wrong[0]!r}", "choose signals in mV with --leads")
    return np.array([_MV_PER_UNIT[str(unit).lower()] for unit in units])
