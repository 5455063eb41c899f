"""What a source of samples is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ecg_edge.firmware_bridge.events import ReaderEvent


class Source(Protocol):
    """What the run loop takes events from; `firmware_bridge.ports.reader.Reader` is one.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> source = ee.open_source("synthetic:", fast=True)
    >>> source.start()
    >>> type(source.get()[0]).__name__, source.url, source.live, source.ended
    ('StreamInfo', 'synthetic:', False, False)
    >>> source.stop()
    """

    @property
    def url(self) -> str:
        """How the source is called in headers."""
        ...

    @property
    def live(self) -> bool:
        """Whether samples arrive at their own pace, also while no one waits."""
        ...

    @property
    def ended(self) -> bool:
        """Whether nothing more will arrive."""
        ...

    @property
    def dropped_blocks(self) -> int:
        """Blocks dropped because the run was too slow."""
        ...

    def start(self) -> None:
        """Begin; raise a typed error if that is impossible."""
        ...

    def stop(self) -> None:
        """End."""
        ...

    def get(self, timeout: float | None = None) -> list[ReaderEvent]:
        """Take what has arrived, waiting at most `timeout` seconds for it."""
        ...


@runtime_checkable
class HoldingSource(Protocol):
    """A source that can hold samples until the run needs them, and wakes no thread in between."""

    def expect(self, short: float, every: float) -> None:
        """Set what the run needs: `short` more samples now, then `every` samples each time."""
        ...


@runtime_checkable
class CountingSource(Protocol):
    """A source that can say whether it would know of every loss: a format without counter and time does not."""

    @property
    def loss_known(self) -> bool:
        """Whether what is counted as lost is all that was lost."""
        ...


@runtime_checkable
class NamedSource(Protocol):
    """A source that knows which device's format it decodes."""

    @property
    def device(self) -> str:
        """As the catalogue names it."""
        ...


@runtime_checkable
class ReadingSource(Protocol):
    """A source that counts the bytes it reads, samples or not."""

    @property
    def bytes_read(self) -> int:
        """Bytes read so far."""
        ...


def device_of(source: Source, heard: str) -> str:
    """Name of a source's device for ``--as``: what it decodes, else what the stream calls itself."""
    return (source.device if isinstance(source, NamedSource) else "") or heard
