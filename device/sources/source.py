"""What a source of samples is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ecg_edge.firmware_bridge.events import ReaderEvent


class Source(Protocol):
    """What the run loop takes events from; `firmware_bridge.ports.reader.Reader` is one.

    Attributes
    ----------
    live : bool
        Whether samples come at their own pace, whoever waits for them.
    """

    live: bool

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
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
        """Take what has come, waiting at most `timeout` seconds for it."""
        ...


@runtime_checkable
class Patient(Protocol):
    """A source that can keep samples back until they are of use, to wake nobody in between."""

    def expect(self, short: float, every: float) -> None:
        """Samples are of use when `short` more have come, and then whenever `every` more have."""
        ...
