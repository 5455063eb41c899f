"""A stored recording as the input of a virtual patch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import RateUnknownError, RecordingError, UsageError
from ecg_edge.firmware_bridge.lead_names import channel_name, pair_of
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.recordings.recording import MIN_ECG_FS, Recording
from ecg_edge.firmware_bridge.recordings.resample import resample_rows, resampled_length, values_at
from ecg_edge.firmware_bridge.virtual_patch.signal_source import DEFAULT_LSB_MV, ArraySource, plain_info, to_counts

_AGAINST_WILSON: dict[str, dict[str, float]] = {
    "RA": {"I": -1 / 3, "II": -1 / 3},
    "LA": {"I": 2 / 3, "II": -1 / 3},
    "LL": {"I": -1 / 3, "II": 2 / 3},
    **{f"V{k}": {f"V{k}": 1.0} for k in range(1, 7)},
}
"""Potential of each electrode against Wilson's terminal, from leads: RA + LA + LL = 0, I = LA - RA, II = LL - RA."""


def record_source(
    path: str,
    leads: Sequence[str] = (),
    fs: Fraction | None = None,
    lsb_mv: float = DEFAULT_LSB_MV,
    loop: bool = False,
    unit: str = "",
) -> ArraySource:
    """Read a recording of any format as a source of samples.

    Parameters
    ----------
    path : str
        Of the recording; see `open_recording`.
    leads : sequence of str
        Leads, pairs of electrodes or labels in any case, in the order wanted; a pair follows from twelve leads. None of
        them is an estimate. None: I and II where the record has both, otherwise all its voltages.
    fs : Fraction, optional
        Rate in Hz to resample to (zero phase); the record's own otherwise. Also the rate of a file that states none.
    lsb_mv : float
        Millivolts per count.
    loop : bool
        Begin again at the end.
    unit : str
        Of a record that states none.

    Returns
    -------
    ArraySource
        Samples missing in the record are marked as stale.

    Raises
    ------
    MissingExtraError
        The format's package is not installed.
    RecordingError
        The record cannot be read, or a signal is no voltage.
    UsageError
        The record has no signal of that name.
    """
    try:
        recording = open_recording(path, unit=unit)
    except RateUnknownError:
        if fs is None:
            raise
        recording = open_recording(path, fs, unit)
    recording = recording.measured()
    wanted = _pairs_as_leads(recording, leads)
    picked = _pick(recording, wanted)
    scale = [recording.scale(k) for k in picked]
    rate = fs or max(recording.signals[k].fs for k in picked)
    if rate < MIN_ECG_FS:
        raise RecordingError(f"{path} has {float(rate):g} Hz, too few for an ECG", f"choose {MIN_ECG_FS} Hz or more")
    n = max(resampled_length(recording.signals[k].length, recording.signals[k].fs, rate) for k in picked)
    mv = np.stack([values_at(recording, k, rate, 0, n) * s for k, s in zip(picked, scale, strict=True)], axis=1)
    labels = tuple(recording.signals[k].name for k in picked)
    if wanted != tuple(leads):
        mv, labels = _measured(mv, wanted, leads), tuple(map(_canonical, leads))
    info = plain_info("ecg-edge virtual patch", rate, labels, lsb_mv)
    info = replace(info, serial=recording.name[:40], firmware="record")
    return ArraySource(info, to_counts(mv, lsb_mv), loop)


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
        The rate is not positive.
    """
    if rate <= 0:
        raise UsageError(f"cannot resample {native} Hz to {rate} Hz", f"use --fs {native}")
    n = resampled_length(len(mv), native, rate)
    columns = [resample_rows(lambda a, b, x=x: x[a:b], len(mv), native, rate, 0, n) for x in mv.T]  # type: ignore[misc]
    return np.stack(columns, axis=1)


def _canonical(name: str) -> str:
    """A channel's canonical name, or a label of the record as it is."""
    try:
        return channel_name(name)
    except UsageError:
        return name


def _pairs_as_leads(recording: Recording, leads: Sequence[str]) -> tuple[str, ...]:
    """What is read from a record: pairs that it does not hold follow from leads."""
    needed: list[str] = []
    for name in leads:
        pair = None if recording.column(name) is not None else pair_of(_canonical(name))
        needed += [name] if pair is None else [w for electrode in pair for w in _AGAINST_WILSON[electrode]]
    return tuple(leads) if needed == list(leads) else tuple(dict.fromkeys(needed))


def _measured(mv: FloatArray, there: Sequence[str], leads: Sequence[str]) -> FloatArray:
    """Channels from the leads that were read, shape (n_samples, len(leads)) in mV."""
    of = {name: mv[:, k] for k, name in enumerate(there)}

    def potential(electrode: str) -> FloatArray:
        return np.asarray(sum(weight * of[lead] for lead, weight in _AGAINST_WILSON[electrode].items()))

    columns = []
    for name in leads:
        pair = pair_of(_canonical(name)) if name not in of else None
        columns.append(of[name] if pair is None else potential(pair[1]) - potential(pair[0]))
    return np.stack(columns, axis=1)


def _pick(recording: Recording, wanted: Sequence[str]) -> list[int]:
    """Columns by lead or label."""
    if not wanted:
        usual = [recording.column("I"), recording.column("II")]
        both = [k for k in usual if k is not None]
        voltages = [k for k, s in enumerate(recording.signals) if s.mv_per_unit is not None or s.lead.lead]
        return both if len(both) == len(usual) else voltages
    picked = []
    for lead in wanted:
        if (k := recording.column(lead)) is None:
            there = ", ".join(s.label for s in recording.signals)
            raise UsageError(f"{recording.name} has no signal {lead!r}", f"use --leads with some of {there}")
        picked.append(k)
    return picked
