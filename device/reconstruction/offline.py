"""A stored recording to twelve leads: aligned to the input, warm from the first sample, complete at the last.

A live stream shows the input late by the resampler's group delay. It starts cold: what is reconstructed is invalid
until the model has settled (``spec.settling_s``). A stored recording has a future and can be given a past, so
it has neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_edge.device.analysis.implausible import without_implausible
from ecg_edge.device.analysis.leaps import HOLD_S
from ecg_edge.device.conditioning.lead_in import lead_in, mirrored
from ecg_edge.device.conditioning.resampler import Resampler
from ecg_edge.device.inference.load import Model
from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.reconstruction.array_input import (
    Personal,
    check_columns,
    check_unit,
    exact_leads,
    exact_rate,
    exact_rows,
    model_for,
    swing_mv,
)
from ecg_edge.device.reconstruction.conditioned_input import ConditionedInput
from ecg_edge.device.reconstruction.measured_leads import steady_leads
from ecg_edge.device.reconstruction.short_losses import bridge_short
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.device.reconstruction.zero_phase import without_phase
from ecg_edge.firmware_bridge.array_types import BoolArray, FloatArray

_PIECE_S = 30
_PAST_S = 1.0
"""The past is this much longer than the network remembers: the filters settle as well."""


def reconstruct(
    mv: npt.ArrayLike,
    *,
    fs: float | Fraction,
    leads: Sequence[str] | str,
    model: Model | Path | str | None = None,
    mains_hz: float | None = 50.0,
    calibration: Personal | None = None,
    out_fs: float | Fraction | None = None,
) -> LeadBlock:
    """Reconstruct twelve leads of a whole recording.

    Row ``k`` of the result is the instant ``k / out_fs``. The group delay of the resampler, the look-ahead of the
    network and the phase of the high-pass are undone. The high-pass of 0.5 Hz itself stays: it is part of what the
    model means by a millivolt.
    A lead is invalid where it cannot be an ECG: noise, a counter, a tone, another unit. A sample more than 20 mV off
    the last good one counts as missing.

    Parameters
    ----------
    mv : array_like, shape (n_samples, n_leads), or (n_samples,) for one lead
        In mV; NaN where a sample is missing. Up to 40 ms are bridged by a straight line.
    fs : float or Fraction
        Rate of the samples in Hz, 50 to 20000.
    leads : sequence of str
        Names of the columns.
    model : Model, Path or str, optional
        A loaded model, a file, or the name of a shipped one. By default the shipped one that uses most leads.
    mains_hz : float or None
        50, 60, or None for no notch.
    calibration : Calibration, optional
        Fits the model to a person.
    out_fs : float or Fraction, optional
        Rate of the rows returned. By default the model's own, 100 Hz in the shipped models; pass ``out_fs=fs``
        for a row per sample. The band stays the model's.

    Returns
    -------
    LeadBlock
        ``ceil(n_samples * out_fs / fs)`` rows from index 0. Marked as warming up after a loss, and where
        the recording is shorter than the network needs to settle: then what is reconstructed is invalid.

    Raises
    ------
    UsageError
        A rate, a shape or a lead name is wrong, or a table's own column names contradict `leads`.
    UnitsError
        These cannot be millivolts.
    LeadMismatchError, ModelFileError, CalibrationError
        The model does not read these leads, or a file cannot be used.

    Examples
    --------
    >>> import numpy as np, ecg_edge as ee
    >>> t = np.arange(5000) / 500
    >>> beat = np.exp(-(((t % 0.8 - 0.4) / 0.02) ** 2))
    >>> twelve = ee.reconstruct(np.stack([0.6 * beat, beat], axis=1), fs=500, leads=("I", "II"))
    >>> twelve.mv.shape
    (1000, 12)
    >>> bool(twelve.warmup.any())
    False
    >>> int(twelve.lead("II")[:80].argmax())  # at 0.40 s, where the input has its beat
    40
    """
    names, rate = exact_leads(leads), exact_rate(fs)
    check_columns(mv, names)
    rows = exact_rows(mv, len(names))
    wanted = None if out_fs is None else exact_rate(out_fs, "out_fs")
    check_unit(swing_mv(rows, rate), len(rows) / float(rate))
    rows, _ = without_implausible(rows, rate)
    chosen = model_for(model, names, calibration)
    block = LeadBlock.join(list(offline_blocks(chosen, rows, rate, mains_hz, names)))
    block = without_phase(block, chosen.spec.conditioning)
    return block if wanted is None else at_rate(block, wanted, -(-len(rows) * wanted // rate))


def offline_blocks(
    model: Model, mv: FloatArray, fs: Fraction, mains_hz: float | None = None, leads: tuple[str, ...] | None = None
) -> Iterator[LeadBlock]:
    """Reconstruct piece by piece, at the model's rate; `reconstruct` also undoes the phase of the high-pass.

    Parameters
    ----------
    model : Model
        Of fixed leads.
    mv : ndarray of float64, shape (n_samples, n_leads)
        In mV; NaN where a sample is missing.
    fs : Fraction
        Rate in Hz.
    mains_hz : float or None
        50, 60, or None for no notch.
    leads : tuple of str, optional
        Names of the columns, leads or channels; the model's inputs unless given. What they measure, or what follows
        exactly from them, is returned as it is; the network's estimate fills the rest.

    Yields
    ------
    LeadBlock
        Contiguous from index 0; together ``ceil(n_samples * model.spec.fs / fs)`` rows.
    """
    spec, step = model.spec, fs / model.spec.fs
    names = spec.input_leads if leads is None else leads
    exact = steady_leads(names, spec.input_leads)
    if exact is None:
        mv = mv[:, [names.index(lead) for lead in spec.input_leads]]
    source, stream = ConditionedInput(fs, spec, mains_hz, mv.shape[1]), StreamReconstructor(model)

    def through(piece: FloatArray) -> LeadBlock:
        rows, valid = source.feed(piece)
        if exact is None:
            return stream.feed(rows, valid)
        return exact.overlay(stream.feed(*exact.feed(rows, valid)))

    n_rows = int(-(-len(mv) // step))
    missing = ~np.isfinite(mv)
    mv = bridge_short(mv, int(HOLD_S * fs))
    held = _held(missing & np.isfinite(mv), step, source.half, n_rows)
    past = _past(model, mv, fs, source.half)
    # Sample 0 is entered as the one that the resampler, late by `half`, shows at row 0.
    source.reset(-source.half - len(past))
    stream.reset(source.next_row)
    if exact is not None:
        exact.reset(source.next_row)
    behind = source.half + int((spec.lookahead + 2 * spec.hop) * step) + 1
    if not len(mv):
        yield replace(through(mv).rows(0, 0), index=0)
        return
    for piece in chain([past], _pieces(mv, fs), [mirrored(mv, behind)]):
        block = through(piece)
        first, stop = max(0, -block.index), max(0, n_rows - block.index)
        if first < min(stop, len(block)):
            shown = _short(model, block.rows(first, stop), n_rows)
            yield shown if held is None else replace(shown, held=held[shown.index : shown.index + len(shown)])


def _held(bridged: BoolArray, step: Fraction, half: int, n_rows: int) -> BoolArray | None:
    """Rows with a bridged sample under the resampler's kernel, which reaches `half` samples to both sides."""
    if not bridged.any():
        return None
    count = np.concatenate([[0], np.cumsum(bridged.any(axis=1))])
    at = np.arange(n_rows) * step.numerator // step.denominator
    first, stop = np.clip(at - half, 0, len(bridged)), np.clip(at + half + 2, 0, len(bridged))
    return np.asarray(count[stop] > count[first])


def _past(model: Model, mv: FloatArray, fs: Fraction, half: int) -> FloatArray:
    """The past, in whole hops of the network up to row 0."""
    spec = model.spec
    rows = -(-(spec.receptive_field + round(_PAST_S * spec.fs)) // spec.hop) * spec.hop
    n = int(-(-rows * (fs / spec.fs) // 1)) - half
    return lead_in(mv, fs, n) if len(mv) else mv


def _pieces(mv: FloatArray, fs: Fraction) -> Iterator[FloatArray]:
    step = int(_PIECE_S * fs)
    return (mv[a : a + step] for a in range(0, len(mv), step))


def _short(model: Model, block: LeadBlock, n_rows: int) -> LeadBlock:
    """A recording shorter than the settling time says too little of its own past."""
    if n_rows >= round(model.spec.settling_s * model.spec.fs):
        return block
    guess = np.array([p is Provenance.RECONSTRUCTED for p in block.provenance])
    return replace(block, warmup=np.ones(len(block), np.bool_), valid=block.valid & ~guess)


def at_rate(block: LeadBlock, fs: Fraction, n: int) -> LeadBlock:
    """Bring a block to another rate without delay.

    Parameters
    ----------
    block : LeadBlock
        From index 0 on.
    fs : Fraction
        Rate in Hz wanted.
    n : int
        Rows wanted.

    Returns
    -------
    LeadBlock
        Values through the resampler's kernel; a row is valid where both rows around it are.
    """
    had = Fraction(block.fs)
    if fs == had or not len(block):
        return replace(block.rows(0, n), fs=fs)
    n_leads = block.mv.shape[1]
    mv = np.hstack([block.mv, *([] if block.channel_mv is None else [block.channel_mv])]).astype(np.float64)
    resampler = Resampler(had, fs, mv.shape[1])
    half = round(resampler.delay * had)
    resampler.reset(-2 * half)  # `half` rows before the first one, mirrored as well
    x = np.concatenate([mirrored(mv[::-1], half)[::-1], mv, mirrored(mv, 2 * half + 1)])
    first = resampler.next_output
    values = np.concatenate([resampler.feed(piece) for piece in _pieces(x, had)])[-first:][:n]
    step = had / fs
    below, rest = np.divmod(np.arange(n, dtype=np.int64) * step.numerator, step.denominator)
    above, part = np.minimum(below + 1, len(block) - 1), (rest / step.denominator).astype(np.float32)
    return LeadBlock(
        0,
        values[:, :n_leads].astype(np.float32),
        block.provenance,
        block.valid[below] & block.valid[above],
        block.warmup[below] | block.warmup[above],
        block.sigma[below] + part[:, None] * (block.sigma[above] - block.sigma[below]),
        block.arrival,
        held=None if block.held is None else block.held[below] | block.held[above],
        share=None if block.share is None else block.share[below],
        fs=fs,
        channels=block.channels,
        channel_mv=None if block.channel_mv is None else values[:, n_leads:].astype(np.float32),
        channel_valid=None if (ok := block.channel_valid) is None else ok[below] & ok[above],
    )
