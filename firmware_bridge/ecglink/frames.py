"""EcgLink v1, frame by frame: what each holds and how it becomes bytes. See PROTOCOL.md.

Integers are little-endian. The CRC alone is sent high byte first: it then continues the bits it protects, and detects
bursts that reach into it.
"""

from __future__ import annotations

import binascii
import struct
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.ecglink import cobs
from ecg_edge.firmware_bridge.events import Ack, DeviceStatus

MAJOR = 1
MINOR = 0
MAX_FRAME = 1024
"""Most bytes of a frame before stuffing, CRC included."""
MAX_COMMAND = 64
"""Most bytes of a command frame before stuffing: what a device must have room for."""
MAX_CHANNELS = 16
MAX_RUN = 64
"""Most frames decoded in one pass: a stream that nowhere follows costs no more than so many times its bytes."""

_CRC = 2
_SAMPLES = struct.Struct("<BBIIBHH")
_CLOCKS = 2  # where index and ticks stand
_FLAGS = slice(10, 15)  # where samples, electrodes off and channels valid stand
_WIDE = np.dtype("<i4")
_STATUS = struct.Struct("<BIBI")
_ACK = struct.Struct("<BBBB")
_COMMAND = struct.Struct("<BBB")
_NO_BATTERY = 0xFF
_NO_UPTIME = 0xFFFFFFFF


class FrameType(IntEnum):
    """High nibble of a frame's first byte; the low nibble is the major version."""

    SAMPLES = 1
    DESCRIPTION = 2
    STATUS = 3
    ACK = 4
    COMMAND = 8


class CommandCode(IntEnum):
    """What a host may ask of a device."""

    START = 1
    STOP = 2
    DESCRIBE = 3
    PING = 4


class AckCode(IntEnum):
    """How a device answers."""

    OK = 0
    UNKNOWN_COMMAND = 1
    BAD_ARGUMENT = 2
    FAILED = 3


class FrameError(ValueError):
    """A frame whose CRC is right and whose content is not; decoders count it and go on."""


@dataclass(frozen=True)
class SampleFrame:
    """Samples as they travel.

    Attributes
    ----------
    description : int
        8-bit hash of the description they are to be read by.
    index : int
        Index of the first sample, modulo 2^32, counted by the device.
    ticks : int
        Device time of the first sample, modulo 2^32.
    lead_off : int
        Bit mask over `lead_names.ELECTRODES`.
    valid : int
        Bit mask over channels: 0 where the whole frame of a channel is stale.
    counts : ndarray of int32, shape (n_samples, n_channels)
        24-bit values; `NO_VALUE` where a single sample is stale.
    """

    description: int
    index: int
    ticks: int
    lead_off: int
    valid: int
    counts: npt.NDArray[np.int32]


@dataclass(frozen=True)
class SampleRun:
    """Consecutive sample frames that differ in index, ticks and counts alone.

    Attributes
    ----------
    description, lead_off, valid : int
        As `SampleFrame`; the same in all frames.
    index, ticks : ndarray of int64, shape (n_frames,)
        As `SampleFrame`, of each frame.
    counts : ndarray of int32, shape (n_frames * n_samples, n_channels)
        One frame after another.
    """

    description: int
    index: npt.NDArray[np.int64]
    ticks: npt.NDArray[np.int64]
    lead_off: int
    valid: int
    counts: npt.NDArray[np.int32]

    @property
    def per_frame(self) -> int:
        """Samples in each frame."""
        return len(self.counts) // len(self.index)

    def head(self, n_frames: int) -> SampleRun:
        """Return the first frames alone."""
        if n_frames == len(self.index):
            return self
        counts = self.counts[: n_frames * self.per_frame]
        return replace(self, index=self.index[:n_frames], ticks=self.ticks[:n_frames], counts=counts)

    def frame(self, k: int) -> SampleFrame:
        """One of the frames."""
        n = self.per_frame
        counts = self.counts[k * n : (k + 1) * n]
        return SampleFrame(self.description, int(self.index[k]), int(self.ticks[k]), self.lead_off, self.valid, counts)


@dataclass(frozen=True)
class Command:
    """What the host asks; the device answers with an `Ack` of the same code and sequence."""

    code: int
    sequence: int
    data: bytes = b""


def first_byte(kind: FrameType) -> int:
    """First byte of a frame of this kind."""
    return kind << 4 | MAJOR


def seal(body: bytes) -> bytes:
    """Return the bytes on the wire: CRC appended, stuffed, ended by a zero."""
    crc = binascii.crc_hqx(body, 0xFFFF)
    return cobs.encode(body + crc.to_bytes(_CRC, "big")) + b"\0"


def unseal(encoded: bytes) -> bytes | None:
    """Return the body of a frame (delimiter removed), or None where stuffing or CRC are wrong."""
    try:
        return checked(cobs.decode(encoded))
    except cobs.CobsError:
        return None


def checked(frame: bytes) -> bytes | None:
    """Return the body of a frame already unstuffed, or None where its CRC is wrong."""
    # The CRC over a body and its own CRC is zero.
    if len(frame) <= _CRC or binascii.crc_hqx(frame, 0xFFFF):
        return None
    return frame[:-_CRC]


def description_hash(body: bytes) -> int:
    """8-bit hash of a description frame's body: the two bytes of its CRC, exclusive-ored."""
    crc = binascii.crc_hqx(body, 0xFFFF)
    return crc >> 8 ^ crc & 0xFF


def samples_size(n_samples: int, n_channels: int) -> int:
    """Bytes of a sample frame before stuffing, CRC included."""
    return _SAMPLES.size + 3 * n_samples * n_channels + _CRC


def pack_samples(frame: SampleFrame) -> bytes:
    """Return the body of a sample frame; the fields are taken as they are (indices modulo 2^32)."""
    head = _SAMPLES.pack(
        first_byte(FrameType.SAMPLES),
        frame.description,
        frame.index & 0xFFFFFFFF,
        frame.ticks & 0xFFFFFFFF,
        len(frame.counts),
        frame.lead_off,
        frame.valid,
    )
    wide = np.ascontiguousarray(frame.counts, dtype="<i4").view(np.uint8)
    return head + wide.reshape(-1, 4)[:, :3].tobytes()


def peek_samples(body: bytes) -> tuple[int, int]:
    """Return description hash and number of samples of a sample frame, without its description."""
    if len(body) < _SAMPLES.size:
        raise FrameError("sample frame too short")
    return body[1], body[10]


def unpack_samples(body: bytes, n_channels: int) -> SampleFrame:
    """Return the content of a sample frame.

    Raises
    ------
    FrameError
        The length is not what the number of samples and channels asks for.
    """
    _, n = peek_samples(body)
    if n == 0 or len(body) + _CRC != samples_size(n, n_channels):
        raise FrameError("sample frame of the wrong length")
    _, description, index, ticks, n, lead_off, valid = _SAMPLES.unpack_from(body)
    # Every 24 bits with the byte before them, which the shift takes away again.
    counts = np.ndarray((n, n_channels), _WIDE, body, _SAMPLES.size - 1, (3 * n_channels, 3)) >> 8
    return SampleFrame(description, index, ticks, lead_off, valid, counts)


def alike(bodies: list[bytes], start: int) -> int:
    """Count the bodies from `start` on that differ in index, ticks and counts alone; at most `MAX_RUN`."""
    first = bodies[start]
    size, kind, flags = len(first), first[:2], first[_FLAGS]
    stop = start + 1
    while stop < min(len(bodies), start + MAX_RUN):
        body = bodies[stop]
        if len(body) != size or body[:2] != kind or body[_FLAGS] != flags:
            break
        stop += 1
    return stop - start


def unpack_run(bodies: list[bytes], n_channels: int) -> SampleRun:
    """Return the content of sample frames that are `alike`: the same as `unpack_samples` of each, in one pass.

    Raises
    ------
    FrameError
        The length is not what the number of samples and channels asks for.
    """
    _, n = peek_samples(bodies[0])
    size = len(bodies[0])
    if n == 0 or size + _CRC != samples_size(n, n_channels):
        raise FrameError("sample frame of the wrong length")
    _, description, _, _, n, lead_off, valid = _SAMPLES.unpack_from(bodies[0])
    data = b"".join(bodies)
    count = len(bodies)
    clocks = np.ndarray((count, 2), "<u4", data, _CLOCKS, (size, 4)).astype(np.int64)
    shape, strides = (count, n, n_channels), (size, 3 * n_channels, 3)
    counts = (np.ndarray(shape, _WIDE, data, _SAMPLES.size - 1, strides) >> 8).reshape(count * n, n_channels)
    return SampleRun(description, clocks[:, 0], clocks[:, 1], lead_off, valid, counts)


def pack_status(status: DeviceStatus) -> bytes:
    """Return the body of a status frame."""
    battery = _NO_BATTERY if status.battery_percent is None else status.battery_percent
    uptime = _NO_UPTIME if status.uptime_s is None else round(status.uptime_s * 10)
    head = first_byte(FrameType.STATUS)
    return _STATUS.pack(head, status.dropped & 0xFFFFFFFF, battery, uptime)


def unpack_status(body: bytes) -> DeviceStatus:
    """Return the content of a status frame; bytes beyond those known are ignored."""
    if len(body) < _STATUS.size:
        raise FrameError("status frame too short")
    _, dropped, battery, uptime = _STATUS.unpack_from(body)
    return DeviceStatus(
        dropped=dropped,
        battery_percent=battery if battery <= 100 else None,
        uptime_s=None if uptime == _NO_UPTIME else uptime / 10,
    )


def pack_ack(ack: Ack) -> bytes:
    """Return the body of an ack frame."""
    return _ACK.pack(first_byte(FrameType.ACK), ack.command, ack.sequence, ack.code) + ack.data


def unpack_ack(body: bytes) -> Ack:
    """Return the content of an ack frame."""
    if len(body) < _ACK.size:
        raise FrameError("ack frame too short")
    _, command, sequence, code = _ACK.unpack_from(body)
    return Ack(command, sequence, code, body[_ACK.size :])


def pack_command(command: Command) -> bytes:
    """Return the body of a command frame."""
    head = _COMMAND.pack(first_byte(FrameType.COMMAND), command.code, command.sequence)
    return head + command.data


def unpack_command(body: bytes) -> Command:
    """Return the content of a command frame."""
    if len(body) < _COMMAND.size:
        raise FrameError("command frame too short")
    _, code, sequence = _COMMAND.unpack_from(body)
    return Command(code, sequence, body[_COMMAND.size :])
