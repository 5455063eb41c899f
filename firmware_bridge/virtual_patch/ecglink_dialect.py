"""EcgLink as a virtual device sends it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.ecglink.commands import CommandParser
from ecg_edge.firmware_bridge.ecglink.encoder import EcgLinkEncoder
from ecg_edge.firmware_bridge.ecglink.frames import AckCode, Command, CommandCode
from ecg_edge.firmware_bridge.events import DeviceStatus, StreamInfo
from ecg_edge.firmware_bridge.virtual_patch.dialect import Answer

_FLOW = {CommandCode.START: True, CommandCode.STOP: False}


class EcgLinkVoice:
    """Fulfils `dialect.Voice`.

    Parameters
    ----------
    info : StreamInfo
        What the device says of itself.
    boot : int
        Number of this boot, 0 for none.
    """

    unasked = False

    def __init__(self, info: StreamInfo, boot: int = 0) -> None:
        self.info = info
        self._encoder = EcgLinkEncoder(info, boot)
        self._parser = CommandParser()

    def greet(self) -> bytes:
        """Say what the device is; the zero before it ends what the line may have held."""
        self._parser = CommandParser()
        return b"\0" + self._encoder.describe()

    def hear(self, data: bytes) -> list[Answer]:
        """Acknowledge every command."""
        return [self._answer(command) for command in self._parser.feed(data)]

    def _answer(self, command: Command) -> Answer:
        known = command.code in tuple(CommandCode)
        echo = command.data if command.code == CommandCode.PING else b""
        wire = self._encoder.ack(command, AckCode.OK if known else AckCode.UNKNOWN_COMMAND, echo)
        if command.code in (CommandCode.START, CommandCode.DESCRIBE):
            wire += self._encoder.describe()
        return Answer(wire, _FLOW[CommandCode(command.code)] if command.code in _FLOW else None)

    def frame(self, counts: npt.NDArray[np.int32], index: int, ticks: int, lead_off: int) -> bytes:
        """See `EcgLinkEncoder.samples`."""
        return self._encoder.samples(counts, index, ticks, lead_off)

    def beacon(self, status: DeviceStatus) -> bytes:
        """Description and status."""
        return self._encoder.describe() + self._encoder.status(status)

    def farewell(self, status: DeviceStatus) -> bytes:
        """Return a last status, by which a receiver learns of frames dropped at the end."""
        return self._encoder.status(status)
