"""What a source of samples is."""

from __future__ import annotations

from typing import Protocol, TypeGuard

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


class HoldingSource(Protocol):
    """A source that can hold samples until the run needs them, and wakes no thread in between."""

    def expect(self, short: float, every: float) -> None:
        """Set what the run needs: `short` more samples now, then `every` samples each time."""
        ...


class CountingSource(Protocol):
    """A source that can say whether it would know of every loss: a format without counter and time does not."""

    @property
    def loss_known(self) -> bool:
        """Whether what is counted as lost is all that was lost."""
        ...


class NamedSource(Protocol):
    """A source that knows which device's format it decodes."""

    @property
    def device(self) -> str:
        """As the catalogue names it."""
        ...


class ReadingSource(Protocol):
    """A source that counts the bytes it reads, samples or not."""

    @property
    def bytes_read(self) -> int:
        """Bytes read so far."""
        ...


# Asked by name: `isinstance` of a protocol does not see what a wrapper passes on by ``__getattr__`` on Python 3.12.


def can_hold(source: object) -> TypeGuard[HoldingSource]:
    """Whether it is a `HoldingSource`."""
    return hasattr(source, "expect")


def knows_losses(source: object) -> TypeGuard[CountingSource]:
    """Whether it is a `CountingSource`."""
    return hasattr(source, "loss_known")


def counts_bytes(source: object) -> TypeGuard[ReadingSource]:
    """Whether it is a `ReadingSource`."""
    return hasattr(source, "bytes_read")


def knows_device(source: object) -> TypeGuard[NamedSource]:
    """Whether it is a `NamedSource`."""
    return hasattr(source, "device")


def device_of(source: Source, heard: str) -> str:
    """Name of a source's device for ``--as``: what it decodes, else what the stream calls itself."""
    return (source.device if knows_device(source) else "") or heard
