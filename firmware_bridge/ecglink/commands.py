"""The device's ear: bytes from the host in, commands out."""

from __future__ import annotations

from ecg_edge.firmware_bridge.ecglink.frame_splitter import FrameSplitter
from ecg_edge.firmware_bridge.ecglink.frames import (
    MAX_COMMAND,
    Command,
    FrameError,
    FrameType,
    first_byte,
    unpack_command,
)


class CommandParser:
    """Find commands in what a host sends; anything else is ignored and counted.

    A command of another major version is ignored too: the host learns the
    device's version from the description, which it can read before it asks.
    """

    def __init__(self) -> None:
        self._splitter = FrameSplitter(MAX_COMMAND)

    @property
    def bad_frames(self) -> int:
        """Runs between two zeros that were no command, after the first good one."""
        return self._splitter.bad_frames

    def feed(self, data: bytes) -> list[Command]:
        """Return the commands that `data` completes, for any cut of the stream."""
        return [c for body in self._splitter.feed(data) if (c := self._open(body)) is not None]

    def _open(self, body: bytes) -> Command | None:
        try:
            if body[0] == first_byte(FrameType.COMMAND):
                return unpack_command(body)
        except FrameError:
            pass
        self._splitter.refuse(body)
        return None
