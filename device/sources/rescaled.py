"""Gain and zero of a board that does not send its own: counts to millivolts as calibrated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ecg_edge.device.sources.source import CountingSource, HoldingSource, Source
from ecg_edge.firmware_bridge.errors import LeadMismatchError
from ecg_edge.firmware_bridge.events import ReaderEvent, SampleBlock, StreamInfo


@dataclass(frozen=True)
class Scale:
    """``mV = (count - zero) * uv_per_count / 1000``."""

    uv_per_count: float
    zero: float = 0.0


class RescaledSource:
    """A source whose channels are scaled anew.

    Parameters
    ----------
    source : Source
        Gives counts.
    scales : mapping of str to Scale
        By the channel's name as the device gives it, or its number from 1.
    """

    def __init__(self, source: Source, scales: Mapping[str, Scale]) -> None:
        self._source, self._scales = source, dict(scales)
        self._of: list[Scale | None] = []

    @property
    def url(self) -> str:
        """How the source is called in headers."""
        return self._source.url

    @property
    def live(self) -> bool:
        """Whether samples arrive at their own pace."""
        return self._source.live

    @property
    def ended(self) -> bool:
        """Whether nothing more will arrive."""
        return self._source.ended

    @property
    def dropped_blocks(self) -> int:
        """Blocks dropped because the run was too slow."""
        return self._source.dropped_blocks

    def start(self) -> None:
        """Begin."""
        self._source.start()

    def stop(self) -> None:
        """End."""
        self._source.stop()

    @property
    def loss_known(self) -> bool:
        """Whether the source knows of every loss."""
        return not isinstance(self._source, CountingSource) or self._source.loss_known

    def expect(self, short: float, every: float) -> None:
        """Set what the run needs, where the source can hold samples until then."""
        if isinstance(self._source, HoldingSource):
            self._source.expect(short, every)

    def get(self, timeout: float | None = None) -> list[ReaderEvent]:
        """Take what has arrived, in millivolts as calibrated.

        Raises
        ------
        LeadMismatchError
            The device has no channel of a name.
        """
        return [self._scaled(event) for event in self._source.get(timeout)]

    def _scaled(self, event: ReaderEvent) -> ReaderEvent:
        if isinstance(event, StreamInfo):
            names = [c.lead for c in event.channels]
            if unknown := [
                n for n in self._scales if n not in names and not (n.isdigit() and 0 < int(n) <= len(names))
            ]:
                raise LeadMismatchError(
                    f"there is no channel {', '.join(unknown)} to scale; the device has {', '.join(names)}",
                    "name a channel as the device does, or by its number from 1",
                )
            self._of = [self._scales.get(name, self._scales.get(str(k + 1))) for k, name in enumerate(names)]
            return replace(
                event,
                channels=tuple(
                    c if s is None else replace(c, lsb_mv=s.uv_per_count / 1000, offset=s.zero)
                    for c, s in zip(event.channels, self._of, strict=True)
                ),
            )
        if isinstance(event, SampleBlock) and any(self._of):
            mv = event.mv.copy()
            for k, s in enumerate(self._of):
                if s is not None:
                    mv[:, k] = (event.counts[:, k].astype(np.float64) - s.zero) * (s.uv_per_count / 1000)
            return replace(event, mv=mv)
        return event
