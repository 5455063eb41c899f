"""OpenView frames of HealthyPi v3, v4 and 5, and of the HeartyPatch (see `openview` for the framing)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.decoders.openview import SYNC, ads1292r_lsb, envelope
from ecg_edge.firmware_bridge.events import Channel
from ecg_edge.firmware_bridge.framing.byte_fields import little_endian
from ecg_edge.firmware_bridge.framing.frame_formats import (
    NO_COUNTERS,
    Bytes2D,
    FixedFormat,
    Ints,
    Mask,
    Run,
    VariableFormat,
    every,
    pattern,
    split,
)
from ecg_edge.firmware_bridge.framing.framed_decoder import NOT_A_VOLTAGE, FramedDecoder, stream_info
from ecg_edge.firmware_bridge.framing.sequencer import Frames, Seconds
from ecg_edge.firmware_bridge.lead_names import electrode_bits, electrodes_of

_STATUS = 24
_BLOCK = 8


def off_by_input(lead: str) -> npt.NDArray[np.int64]:
    """LOFF_STAT of an ADS1292 whose channel 2 is `lead` -> mask over `ELECTRODES`, as a table of 32."""
    positive, negative = electrodes_of(lead)[:2]
    masks = {2: electrode_bits([positive]), 3: electrode_bits([negative]), 4: electrode_bits(["RL"])}
    return np.array([sum(m for bit, m in masks.items() if s >> bit & 1) for s in range(32)], np.int64)


class HealthyPi34(FramedDecoder):
    """HealthyPi v3 and v4: filtered ECG, respiration, lead-off."""

    off: npt.NDArray[np.int64]

    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """Counts of ECG and respiration."""
        return little_endian(frames, 5, 2, "<i2").astype(np.int32)

    def electrodes_off(self, frames: Frames) -> npt.NDArray[np.int64]:
        """Lead-off from the status byte."""
        return self.off[frames[:, _STATUS]]


def healthypi34(
    leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None, *, version: int
) -> FramedDecoder:
    """Decode HealthyPi v3 or v4 (in its "V3 mode"): the ECG chain is that of `openview.ads1292r`.

    v3 says only that some electrode of the lead is off (after 2 s); v4 says which.
    While off, the ECG is sent as 0: those samples are not valid.
    """
    constants = envelope(20, 2) | {22: 80} | ({23: 120} if version == 4 else {})
    framed = pattern(constants)
    highest = 0x1F if version == 4 else 0x03

    def good(frames: Bytes2D) -> Mask:
        return framed(frames) & (frames[:, _STATUS] <= highest)

    ecg = Channel("II", ads1292r_lsb(gain), bits=16, highpass_hz=0.16, lowpass_hz=40, group_delay_s=80 / 125)
    info = stream_info(
        f"healthypi{version}", fs or Fraction(125), [ecg, Channel("resp", NOT_A_VOLTAGE, bits=16)], leads
    )
    lead = info.leads[0]
    any_off = np.array([0, electrode_bits(electrodes_of(lead)), 0, electrode_bits(electrodes_of(lead))], np.int64)
    off = off_by_input(lead) if version == 4 else any_off
    decoder = HealthyPi34(replace(info, sensed=int(np.bitwise_or.reduce(off))), FixedFormat(27, good, sync=SYNC))
    decoder.off = off
    return decoder


def max30001_lsb(gain: float | None, default: float) -> float:
    """MV per count of an 18-bit MAX3000x: 1000 mV reference."""
    return 1000 / (131072 * (gain or default))


def _shifted(frames: Bytes2D, start: int, n: int) -> Mask:
    """Whether `n` little-endian words are 18-bit numbers shifted left by 8."""
    words = frames[:, start : start + 4 * n].reshape(len(frames), n, 4)
    top = words[:, :, 3]
    return every((words[:, :, 0] == 0) & ((top <= 1) | (top >= 0xFE)))


class HealthyPi5(FramedDecoder):
    """HealthyPi 5, firmware 2: one sample of ECG and bio-impedance in a frame."""

    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """Counts of ECG (sent shifted left by 8) and bio-impedance."""
        return (little_endian(frames, 5, 2, "<i4") >> (8, 0)).astype(np.int32)


def _hp5_channel(gain: float | None) -> Channel:
    return Channel("II", max30001_lsb(gain, 80), bits=18)


def healthypi5(
    leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None
) -> FramedDecoder:
    """Decode HealthyPi 5 with firmware 2.x: 128 Hz, gain 80; it is silent while DTR is down."""
    framed = pattern(envelope(22, 2))

    def good(frames: Bytes2D) -> Mask:
        return framed(frames) & _shifted(frames, 5, 1)

    info = stream_info("healthypi5", fs or Fraction(128), [_hp5_channel(gain), Channel("bioz", NOT_A_VOLTAGE)], leads)
    return HealthyPi5(info, FixedFormat(29, good, sync=SYNC))


class HealthyPi5Blocks(FramedDecoder):
    """HealthyPi 5, firmware 1 ("OV3"): eight ECG samples in a frame; frames of the PPG lie between."""

    def select(self, run: Run) -> Iterator[tuple[Frames, Ints]]:
        """Keep the ECG frames."""
        ours = [frame for frame in split(run.data, run.lengths) if frame[4] == 3]
        if ours:
            yield np.frombuffer(b"".join(ours), np.uint8).reshape(len(ours), -1), NO_COUNTERS

    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """Counts of the ECG (sent shifted left by 8), one column."""
        return (little_endian(frames, 5, _BLOCK, "<i4") >> 8).reshape(-1, 1).astype(np.int32)


def healthypi5_ov3(
    leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None
) -> FramedDecoder:
    """Decode HealthyPi 5 with firmware 1.x (types 3 and 4)."""
    checks = {3: (57, pattern(envelope(50, 3))), 4: (26, pattern(envelope(19, 4)))}

    def measure(buf: bytes, pos: int) -> int:
        """Length of the frame at `pos`; 0 if there is none, -1 if more bytes must come."""
        if len(buf) - pos < 5:
            return -1 if buf.startswith(SYNC[: len(buf) - pos], pos) else 0
        length, check = checks.get(buf[pos + 4], (0, None))
        if check is None or buf[pos + 2] != length - 7:
            return 0
        if len(buf) - pos < length:
            return -1
        frame = np.frombuffer(buf, np.uint8, length, pos).reshape(1, length)
        whole = check(frame)[0] and (length != 57 or _shifted(frame, 5, _BLOCK)[0])
        return length if whole else 0

    info = stream_info("healthypi5-ov3", fs or Fraction(128), [_hp5_channel(gain)], leads, samples_per_frame=_BLOCK)
    return HealthyPi5Blocks(info, VariableFormat(57, SYNC, measure))


class HeartyPatch(FramedDecoder):
    """HeartyPatch: eight samples, packet number and device time in a frame."""

    def seconds(self, frames: Frames) -> Seconds | None:
        """Device time: seconds and microseconds."""
        parts = little_endian(frames, 9, 2, "<u4")
        return parts[:, 0] + parts[:, 1] / 1e6

    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """Counts of the ECG: the upper 18 of 32 bits, one column."""
        return (little_endian(frames, 21, _BLOCK, "<i4") >> 14).reshape(-1, 1).astype(np.int32)


def heartypatch(
    leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None
) -> FramedDecoder:
    """Decode the HeartyPatch (TCP port 4567): 128 Hz unless `fs` says 256 or 512, gain 20.

    Its packet number restarts at 0 after an overflow; device time then tells the loss.
    """
    whole = pattern(envelope(48, 3) | {53: 0xF0})

    def counter(frames: Bytes2D) -> Ints:
        return little_endian(frames, 5, 1, "<u4")[:, 0]

    channel = Channel("I", max30001_lsb(gain, 20), bits=18)
    info = stream_info("heartypatch", fs or Fraction(128), [channel], leads, samples_per_frame=_BLOCK)
    return HeartyPatch(info, FixedFormat(55, whole, counter, 1 << 32, sync=SYNC), timed=True)
