"""Joining blocks that arrived together: the fixed cost of a block is paid once for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from ecg_edge.firmware_bridge.events import ReaderEvent, SampleBlock


def coalesce(events: Iterable[ReaderEvent]) -> Iterator[ReaderEvent]:
    """Join consecutive sample blocks that adjoin and have the same electrodes off.

    The pipeline makes the same of them, bit for bit. The joined block carries the device time of its first sample and
    the arrival of its last.
    """
    run: list[SampleBlock] = []
    for event in events:
        if run and not (isinstance(event, SampleBlock) and _adjoins(run[-1], event)):
            yield _joined(run)
            run = []
        if isinstance(event, SampleBlock):
            run.append(event)
        else:
            yield event
    if run:
        yield _joined(run)


def _adjoins(a: SampleBlock, b: SampleBlock) -> bool:
    return a.index + len(a) == b.index and a.lead_off == b.lead_off


def _joined(run: list[SampleBlock]) -> SampleBlock:
    if len(run) == 1:
        return run[0]
    return replace(
        run[0],
        counts=np.concatenate([b.counts for b in run]),
        mv=np.concatenate([b.mv for b in run]),
        valid=np.concatenate([b.valid for b in run]),
        arrival=run[-1].arrival,
    )
