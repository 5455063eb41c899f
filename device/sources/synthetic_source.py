"""The synthetic heart as a source: ``synthetic:``."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from urllib.parse import parse_qs

import numpy as np

from ecg_edge.device.sources.paced_source import FRAME_S
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import Channel, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.lead_names import parse_channels
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

_FS = 1, 100_000
_EXAMPLE = "write synthetic:leads=I,II&fs=250&seed=0&bpm=65"


def synthetic(text: str) -> tuple[StreamInfo, Iterator[SampleBlock]]:
    """Endless blocks of the synthetic heart, from ``leads=…&fs=…&seed=…&bpm=…``.

    Raises
    ------
    UsageError
        Unknown or malformed parameters.
    """
    known = {"leads": "I,II", "fs": "250", "seed": "0", "bpm": "65"}
    try:
        given = {
            k: v[-1] for k, v in parse_qs(text.lstrip("?"), keep_blank_values=True, strict_parsing=bool(text)).items()
        }
        if unknown := given.keys() - known.keys():
            raise UsageError(f"unknown parameter {', '.join(sorted(unknown))} in synthetic:{text}")
        known |= given
        fs, leads = Fraction(known["fs"]), parse_channels(known["leads"])
        if not _FS[0] <= fs <= _FS[1]:
            raise UsageError(f"fs={known['fs']} is no rate of an ECG: {_FS[0]} to {_FS[1]} Hz")
        heart = SyntheticHeart(fs, leads, float(known["bpm"]), int(known["seed"]))
    except (ValueError, ArithmeticError, UsageError) as e:
        fix = f"{e.fix}; {_EXAMPLE}" if isinstance(e, UsageError) and e.fix else _EXAMPLE
        raise UsageError(f"bad source synthetic:{text}: {getattr(e, 'message', e)}", fix) from e
    frame = max(1, round(FRAME_S * fs))
    info = StreamInfo("synthetic heart", fs, tuple(Channel(x, _LSB_MV) for x in leads), samples_per_frame=frame)
    return info, _beat_on(heart, frame)


_LSB_MV = 0.001


def _beat_on(heart: SyntheticHeart, frame: int) -> Iterator[SampleBlock]:
    index = 0
    while True:
        counts = np.rint(heart.read(frame) / _LSB_MV).astype(np.int32)
        mv = (counts * _LSB_MV).astype(np.float32)
        yield SampleBlock(index, counts, mv, np.ones(mv.shape, np.bool_))
        index += frame
