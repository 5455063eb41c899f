"""The high-pass without its phase: what it did to the time of a wave is undone where a recording has a future.

The filter that a model's millivolts are defined behind runs forward in time, live and stored alike. It moves a QRS
complex by about 2 ms to the left. Its magnitude is kept. Its phase is removed by the filter ``|H| / H``, which needs a
few seconds of rows before and behind.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from scipy import signal

from ecg_edge.device.conditioning.conditioner import highpass_sos
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.reconstruction.lead_in import lead_in
from ecg_edge.firmware_bridge.array_types import FloatArray

_REACH = 2.5
"""Periods of the corner frequency: what lies further away hardly moves a row."""
_GRID = 1 << 15


def without_phase(block: LeadBlock, spec: ConditioningSpec) -> LeadBlock:
    """Undo the high-pass's phase in all leads and channels of a whole recording.

    Parameters
    ----------
    block : LeadBlock
        A whole recording at the model's rate.
    spec : ConditioningSpec
        What the recording went through.
    """
    if len(block) < 2:
        return block
    taps = _taps(spec, float(block.fs))
    mv = _undone(np.where(block.valid, block.mv, 0.0), taps, Fraction(block.fs))
    out = replace(block, mv=np.where(block.valid, mv, block.mv).astype(np.float32))
    if block.channel_mv is None or block.channel_valid is None:
        return out
    strips = _undone(np.where(block.channel_valid, block.channel_mv, 0.0), taps, Fraction(block.fs))
    return replace(out, channel_mv=np.where(block.channel_valid, strips, block.channel_mv).astype(np.float32))


def _taps(spec: ConditioningSpec, fs: float) -> FloatArray:
    """Weights of the rows around a row."""
    hz = np.fft.rfftfreq(_GRID, 1 / fs)
    _, response = signal.sosfreqz(highpass_sos(spec, fs), worN=hz, fs=fs)
    phase = np.unwrap(np.angle(response[1:]))
    undo = np.concatenate([[np.cos(phase[0])], np.exp(-1j * phase)])
    n = max(2, round(_REACH / spec.highpass_hz * fs))
    return np.asarray(np.roll(np.fft.irfft(undo, _GRID), n)[: 2 * n + 1], np.float64)


def _undone(x: FloatArray, taps: FloatArray, fs: Fraction) -> FloatArray:
    rows, n = x.astype(np.float64), len(taps) // 2
    longer = np.concatenate([lead_in(rows, fs, n), rows, lead_in(rows[::-1], fs, n)[::-1]])  # the rhythm goes on
    return np.asarray(signal.oaconvolve(longer, taps[:, None], mode="valid", axes=0), np.float64)
