"""Gain and zero of a board that does not send its own: counts to millivolts as calibrated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ecg_edge.device.sources.source import Source, can_hold, counts_bytes, device_of, knows_losses
from ecg_edge.firmware_bridge.errors import LeadMismatchError
from ecg_edge.firmware_bridge.events import Channel, ReaderEvent, SampleBlock, StreamInfo

_FINE_MV = 1e-4
"""Millivolts of a count where the device writes text."""


@dataclass(frozen=True)
class Scale:
    """``mV = (count - zero) * uv_per_count / 1000``; where the device writes text, of the number it writes."""

    uv_per_count: float
    zero: float = 0.0

    def channel(self, before: Channel) -> Channel:
        """The channel as it is described now."""
        if before.per_count != 1:
            return replace(before, lsb_mv=_FINE_MV, offset=0.0)
        return replace(before, lsb_mv=self.uv_per_count / 1000, offset=self.zero)

    def apply(
        self, before: Channel, counts: npt.NDArray[np.int32], mv: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Counts and mV of a channel, which were those of `before`."""
        if before.per_count == 1:
            return counts, ((counts.astype(np.float64) - self.zero) * (self.uv_per_count / 1000)).astype(np.float32)
        # Large numbers do not fit into the fine counts of text; its millivolts hold them.
        written = (mv.astype(np.float64) / before.lsb_mv + before.offset) * before.per_count
        scaled = (written - self.zero) * (self.uv_per_count / 1000)
        limit = np.iinfo(np.int32)
        fine = np.nan_to_num(np.clip(np.rint(scaled / _FINE_MV), limit.min, limit.max))
        return fine.astype(np.int32), scaled.astype(np.float32)


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
        self._were: tuple[Channel, ...] = ()

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

    @property
    def bytes_read(self) -> int:
        """Bytes read so far; 0 where the source reads none."""
        return self._source.bytes_read if counts_bytes(self._source) else 0

    def start(self) -> None:
        """Begin."""
        self._source.start()

    def stop(self) -> None:
        """End."""
        self._source.stop()

    @property
    def device(self) -> str:
        """Name of the device's format; empty where the source has none."""
        return device_of(self._source, "")

    @property
    def loss_known(self) -> bool:
        """Whether the source knows of every loss."""
        return not knows_losses(self._source) or self._source.loss_known

    def expect(self, short: float, every: float) -> None:
        """Set what the run needs, where the source can hold samples until then."""
        if can_hold(self._source):
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
            numbered = {number: s for number, s in self._scales.items() if number not in names}
            self._of = [self._scales.get(name, numbered.get(str(k + 1))) for k, name in enumerate(names)]
            self._were = event.channels
            rescaled = (c if s is None else s.channel(c) for c, s in zip(event.channels, self._of, strict=True))
            origin = event.origin and replace(event.origin, past=event.origin.past and self._block(event.origin.past))
            return replace(event, channels=tuple(rescaled), origin=origin)
        return self._block(event) if isinstance(event, SampleBlock) else event

    def _block(self, event: SampleBlock) -> SampleBlock:
        if any(self._of):
            mv, counts, valid = event.mv.copy(), event.counts.copy(), event.valid.copy()
            for k, s in enumerate(self._of):
                if s is not None:
                    counts[:, k], mv[:, k] = s.apply(self._were[k], event.counts[:, k], event.mv[:, k])
                    valid[:, k] &= np.abs(counts[:, k].astype(np.int64)) < np.iinfo(np.int32).max
            return replace(event, counts=counts, mv=mv, valid=valid)
        return event
