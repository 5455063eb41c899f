"""What a device sends over EcgLink, and what a host asks: values in, bytes on the wire out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.ecglink.description import Description, pack_description
from ecg_edge.firmware_bridge.ecglink.frames import (
    MAX_COMMAND,
    MAX_FRAME,
    Command,
    SampleFrame,
    description_hash,
    pack_ack,
    pack_command,
    pack_samples,
    pack_status,
    samples_size,
    seal,
)
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import NO_VALUE, Ack, DeviceStatus, StreamInfo

_MAX_COUNT = 2**23 - 1


def encode_command(code: int, sequence: int, data: bytes = b"") -> bytes:
    """Return a command on the wire.

    Parameters
    ----------
    code : int
        One of `CommandCode`.
    sequence : int
        0 to 255; the answer carries the same.
    data : bytes
        Argument of the command; a ping's comes back in its answer.

    Raises
    ------
    UsageError
        More data than a device must accept.
    """
    body = pack_command(Command(code, sequence & 0xFF, data))
    if len(body) + 2 > MAX_COMMAND:
        raise UsageError(f"{len(data)} bytes of command data", f"send at most {MAX_COMMAND - 5}")
    return seal(body)


class EcgLinkEncoder:
    """The sending half of EcgLink v1.

    Parameters
    ----------
    info : StreamInfo
        What the device says of itself.
    boot : int
        A number that changes with every boot, 0 for none; see `Description`.

    Raises
    ------
    UsageError
        `info` does not fit a description frame.
    """

    def __init__(self, info: StreamInfo, boot: int = 0) -> None:
        body = pack_description(Description(info, boot))
        self.info = info
        self.hash = description_hash(body)
        self._description = seal(body)

    def describe(self) -> bytes:
        """Return the description frame."""
        return self._description

    def samples(
        self,
        counts: npt.ArrayLike,
        index: int,
        ticks: int = 0,
        lead_off: int = 0,
        valid: npt.ArrayLike = True,
    ) -> bytes:
        """Return one sample frame.

        Parameters
        ----------
        counts : array_like of int, shape (n_samples, n_channels)
            24-bit values; `NO_VALUE` marks a single sample as stale.
        index, ticks : int
            Of the first sample; sent modulo 2^32.
        lead_off : int
            Bit mask over `lead_names.ELECTRODES`.
        valid : array_like of bool, shape () or (n_channels,) or (n_samples, n_channels)
            False where a value is stale. A channel that is stale throughout keeps its
            counts; single stale samples are sent as `NO_VALUE`.

        Raises
        ------
        UsageError
            Wrong shape, too many samples for one frame, or a count beyond 24 bits.
        """
        values = np.array(counts, dtype=np.int64)
        n_channels = len(self.info.channels)
        if values.ndim != 2 or values.shape[1] != n_channels or not 1 <= len(values) <= 255:
            raise UsageError(f"counts of shape {values.shape}", f"give (1 to 255, {n_channels}) values")
        if samples_size(*values.shape) > MAX_FRAME:
            raise UsageError(f"{values.size} values in one frame", "send fewer samples per frame")
        if values.min() < NO_VALUE or values.max() > _MAX_COUNT:
            raise UsageError("a count needs more than 24 bits", "scale the LSB up")
        good = np.broadcast_to(np.asarray(valid, dtype=bool), values.shape)
        channel_good = good.any(axis=0)
        values[~good & channel_good] = NO_VALUE
        mask = int(np.sum(channel_good << np.arange(n_channels)))
        frame = SampleFrame(self.hash, index, ticks, lead_off, mask, values.astype(np.int32))
        return seal(pack_samples(frame))

    def status(self, status: DeviceStatus) -> bytes:
        """Return a status frame."""
        return seal(pack_status(status))

    def ack(self, command: Command, code: int = 0, data: bytes = b"") -> bytes:
        """Return the answer to a command."""
        return seal(pack_ack(Ack(command.code, command.sequence, code, data)))
