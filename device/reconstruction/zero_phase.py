"""A whole block without the phase of its high-pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.conditioning.zero_phase import phase_undone
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.firmware_bridge.array_types import BoolArray, Float32Array


def without_phase(block: LeadBlock, spec: ConditioningSpec) -> LeadBlock:
    """Undo the high-pass's phase in all leads and channels of a whole recording; see `phase_undone`.

    Parameters
    ----------
    block : LeadBlock
        A whole recording at the model's rate.
    spec : ConditioningSpec
        What the recording went through.
    """
    out = replace(block, mv=_undone(block, block.mv, block.valid, spec))
    if block.channel_mv is None or block.channel_valid is None:
        return out
    return replace(out, channel_mv=_undone(block, block.channel_mv, block.channel_valid, spec))


def _undone(block: LeadBlock, mv: Float32Array, valid: BoolArray, spec: ConditioningSpec) -> Float32Array:
    """What is not valid stays as it is."""
    undone = phase_undone(np.where(valid, mv, np.nan), block.fs, spec)
    return np.where(valid, undone, mv).astype(np.float32)
