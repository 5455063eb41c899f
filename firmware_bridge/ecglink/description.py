"""The EcgLink description frame: all that is needed to turn counts into millivolts. See PROTOCOL.md."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from ecg_edge.firmware_bridge.ecglink.frames import MAX_CHANNELS, MAX_FRAME, MINOR, FrameError, FrameType, first_byte
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import Channel, StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES, LEADS

MAX_FS = 100_000
MAX_TEXT = 48
MAX_LABEL = 16

_HEAD = struct.Struct("<BBBBIIII")
_CHANNEL = struct.Struct("<qiBBBIII")
_DEVICE, _SERIAL, _FIRMWARE, _BOOT, _SENSED, _CHANNEL_TAG = 1, 2, 3, 4, 5, 16
_NO_ELECTRODE = 0xFF
_FEMTOVOLTS_PER_MV = 10**12
_PAIRS = {("LA", "RA"): "I", ("LL", "RA"): "II", ("LL", "LA"): "III"}
_CANONICAL = {lead.lower(): lead for lead in LEADS}


@dataclass(frozen=True)
class Description:
    """A device's description.

    Attributes
    ----------
    info : StreamInfo
        What it says of the stream.
    boot : int
        A number the device changes at every boot, or 0 where it keeps none. It reveals a restart even if the new sample
        index is higher than the old.
    minor : int
        Minor protocol version.
    """

    info: StreamInfo
    boot: int = 0
    minor: int = MINOR


def pack_description(description: Description) -> bytes:
    """Return the body of a description frame.

    Raises
    ------
    UsageError
        A value does not fit its field; the message names it.
    """
    info = description.info
    fs, tick = info.fs, info.tick_hz or Fraction(0, 1)
    _fits("rate", fs > 0 and max(fs.numerator, fs.denominator) < 2**32 and fs <= MAX_FS)
    _fits("tick rate", tick >= 0 and max(tick.numerator, tick.denominator) < 2**32)
    _fits("number of channels", 1 <= len(info.channels) <= MAX_CHANNELS)
    _fits("samples per frame", 1 <= info.samples_per_frame <= 255)
    body = _HEAD.pack(
        first_byte(FrameType.DESCRIPTION),
        description.minor,
        len(info.channels),
        info.samples_per_frame,
        *(fs.numerator, fs.denominator, tick.numerator, tick.denominator),
    )
    for tag, text in ((_DEVICE, info.device), (_SERIAL, info.serial), (_FIRMWARE, info.firmware)):
        if text:
            body += _tlv(tag, _utf8(text, MAX_TEXT))
    if description.boot:
        body += _tlv(_BOOT, struct.pack("<I", description.boot))
    if info.sensed:
        body += _tlv(_SENSED, struct.pack("<H", info.sensed))
    body += b"".join(_tlv(_CHANNEL_TAG, _pack_channel(c)) for c in info.channels)
    _fits("description as a whole", len(body) + 2 <= MAX_FRAME)
    return body


def unpack_description(body: bytes) -> Description:
    """Return the content of a description frame; unknown TLVs are ignored.

    Raises
    ------
    FrameError
        It is cut short, contradicts itself, or names a rate or scale that cannot be.
    """
    if len(body) < _HEAD.size:
        raise FrameError("description too short")
    _, minor, n_channels, per_frame, fs_num, fs_den, tick_num, tick_den = _HEAD.unpack_from(body)
    if 0 in (fs_num, fs_den, tick_den, per_frame) or fs_num > MAX_FS * fs_den:
        raise FrameError("description with an impossible rate")
    texts, channels, boot, sensed = {_DEVICE: "", _SERIAL: "", _FIRMWARE: ""}, [], 0, 0
    for tag, value in _tlvs(body[_HEAD.size :]):
        if tag in texts:
            texts[tag] = _text(value[:MAX_TEXT])
        elif tag == _CHANNEL_TAG:
            channels.append(_unpack_channel(value))
        elif tag == _BOOT and len(value) == 4:
            boot = int.from_bytes(value, "little")
        elif tag == _SENSED and len(value) == 2:
            sensed = int.from_bytes(value, "little")
    if not 1 <= n_channels <= MAX_CHANNELS or len(channels) != n_channels:
        raise FrameError("description whose channels are not as many as it says")
    info = StreamInfo(
        device=texts[_DEVICE],
        fs=Fraction(fs_num, fs_den),
        channels=tuple(channels),
        firmware=texts[_FIRMWARE],
        serial=texts[_SERIAL],
        tick_hz=Fraction(tick_num, tick_den) if tick_num else None,
        samples_per_frame=per_frame,
        sensed=sensed,
    )
    return Description(info, boot, minor)


def _pack_channel(channel: Channel) -> bytes:
    lsb = round(channel.lsb_mv * _FEMTOVOLTS_PER_MV) if math.isfinite(channel.lsb_mv) else 0
    band = {
        "high-pass": channel.highpass_hz * 1e3,
        "low-pass": channel.lowpass_hz * 1e3,
        "group delay": channel.group_delay_s * 1e6,
    }
    _fits(f"LSB of {channel.lead}", 0 < abs(lsb) < 2**63)
    _fits(f"offset of {channel.lead}", channel.offset == int(channel.offset) and abs(channel.offset) < 2**31)
    _fits(f"resolution of {channel.lead}", 1 <= channel.bits <= 32)
    for name, value in band.items():
        _fits(f"{name} of {channel.lead}", 0 <= value < 2**32 - 1)
    fixed = _CHANNEL.pack(
        lsb,
        int(channel.offset),
        channel.bits,
        _electrode(channel.positive),
        _electrode(channel.negative),
        *(round(value) for value in band.values()),
    )
    return fixed + _utf8(channel.lead, MAX_LABEL)


def _unpack_channel(value: bytes) -> Channel:
    if len(value) < _CHANNEL.size:
        raise FrameError("channel description too short")
    lsb, offset, bits, plus, minus, highpass, lowpass, delay = _CHANNEL.unpack_from(value)
    if lsb == 0 or not 1 <= bits <= 32:
        raise FrameError("channel description without a scale")
    pair = tuple(ELECTRODES[k] if k < len(ELECTRODES) else "" for k in (plus, minus))
    label = _text(value[_CHANNEL.size :][:MAX_LABEL])
    return Channel(
        lead=_CANONICAL.get(label.lower(), label) or _PAIRS.get((pair[0], pair[1]), "-".join(pair)),
        lsb_mv=lsb / _FEMTOVOLTS_PER_MV,
        offset=float(offset),
        bits=bits,
        highpass_hz=highpass / 1e3,
        lowpass_hz=lowpass / 1e3,
        group_delay_s=delay / 1e6,
        positive=pair[0],
        negative=pair[1],
    )


def _tlv(tag: int, value: bytes) -> bytes:
    return bytes((tag, len(value))) + value


def _tlvs(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        if at + 2 > len(data) or at + 2 + data[at + 1] > len(data):
            raise FrameError("description cut short")
        yield data[at], data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]


def _utf8(text: str, most: int) -> bytes:
    data = text.encode()
    _fits(f"text {text!r}", len(data) <= most)
    return data


def _text(data: bytes) -> str:
    # It comes from outside and ends on terminals and in file headers.
    return "".join(c for c in data.decode("utf-8", "replace") if c.isprintable()).strip()


def _electrode(name: str) -> int:
    if not name:
        return _NO_ELECTRODE
    _fits(f"electrode {name!r}", name in ELECTRODES)
    return ELECTRODES.index(name)


def _fits(what: str, good: bool) -> None:
    if not good:
        raise UsageError(f"the {what} does not fit an EcgLink description", "see firmware_bridge/PROTOCOL.md")
