"""EcgLink v1 from the wire: bytes in, events out. See PROTOCOL.md."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.ecglink.description import Description, unpack_description
from ecg_edge.firmware_bridge.ecglink.encoder import encode_command
from ecg_edge.firmware_bridge.ecglink.frame_splitter import FrameSplitter
from ecg_edge.firmware_bridge.ecglink.frames import (
    MAJOR,
    MAX_FRAME,
    CommandCode,
    FrameError,
    FrameType,
    alike,
    description_hash,
    first_byte,
    peek_samples,
    unpack_ack,
    unpack_run,
    unpack_samples,
    unpack_status,
)
from ecg_edge.firmware_bridge.ecglink.sequence import PlacedFrame, Sequence
from ecg_edge.firmware_bridge.errors import ProtocolVersionError, UsageError
from ecg_edge.firmware_bridge.events import NO_VALUE, Channel, Event, Gap, SampleBlock
from ecg_edge.firmware_bridge.lead_names import ELECTRODES, LEADS, electrodes_of
from ecg_edge.firmware_bridge.tally import Tally

_FOREIGN_FRAMES = 2  # one might be noise that passed the CRC
_FLAGS_KEPT = 64
_SAMPLES = first_byte(FrameType.SAMPLES)


class EcgLinkDecoder:
    """Decoder of EcgLink v1: the same samples for every cut of the stream.

    Frames that arrive together and follow each other become one block.

    Parameters
    ----------
    fs : Fraction, optional
        Rate in Hz in place of the one the description states: some firmware states another than it samples at.

    Samples that arrive before a description, or carry the hash of another one, are dropped: they are
    never read by the wrong scale. ``tally.undescribed`` counts them.

    Attributes
    ----------
    name : str
        ``"ecglink"``.
    tally : Tally
        See there; ``bad_frames`` are runs between two zeros that are no frame.
    complaint : str
        What is wrong with the last description that was refused; empty if none was.
    """

    name = "ecglink"

    def __init__(self, fs: Fraction | None = None) -> None:
        self._fs = fs
        self.tally = Tally()
        self.complaint = ""
        self._splitter = FrameSplitter(MAX_FRAME)
        self._sequence = Sequence(self.tally)
        self._description: Description | None = None
        self._hash = -1
        self._scale: _Scale | None = None
        self._ask = False
        self._asked_for = -1
        self._sent = 0
        self._foreign = (0, 0)
        self._error: ProtocolVersionError | None = None

    def feed(self, data: bytes, arrival: float = 0.0) -> list[Event]:
        """Take the next bytes and return what they complete.

        Parameters
        ----------
        data : bytes
            Any number of bytes, any cut.
        arrival : float
            Host time at which they arrived; copied into the blocks they complete.

        Raises
        ------
        ProtocolVersionError
            Two frames with the right CRC speak another major version. What came before
            them is returned first; the decoder is of no use afterwards.
        """
        self._raise_pending()
        events: list[Event] = []
        bodies, at = self._splitter.feed(data), 0
        while at < len(bodies) and not self._error:
            many = alike(bodies, at)
            run = self._run(bodies[at : at + many], arrival) if many > 1 else None
            if run is not None:
                events.append(run[0])
                at += run[1]
                continue
            body = bodies[at]
            at += 1
            try:
                events += self._open(body, arrival)
            except FrameError as e:
                self.complaint = str(e) if body[0] >> 4 == FrameType.DESCRIPTION else self.complaint
                self._splitter.refuse(body)
        self._count()
        if not events:
            self._raise_pending()
        return events

    def close(self) -> list[Event]:
        """End of stream; a frame that waited for a second one to confirm it is refused."""
        self._raise_pending()
        self._splitter.close()
        self._sequence.close()
        self._count()
        return []

    def opening(self) -> bytes:
        """Return a delimiter that ends whatever noise went before, DESCRIBE and START."""
        return b"\0" + self._command(CommandCode.DESCRIBE) + self._command(CommandCode.START)

    def closing(self) -> bytes:
        """Return STOP."""
        return b"\0" + self._command(CommandCode.STOP)

    def request(self) -> bytes:
        """Return DESCRIBE if samples came that cannot be read, once per new description; else nothing.

        A reader that writes this after each `feed` saves up to a second of samples. Another one waits for the
        description, which arrives every second.
        """
        if not self._ask:
            return b""
        self._ask = False
        return self._command(CommandCode.DESCRIBE)

    def _command(self, code: CommandCode) -> bytes:
        self._sent += 1
        return encode_command(code, self._sent)

    def _open(self, body: bytes, arrival: float) -> list[Event]:
        kind, major = body[0] >> 4, body[0] & 0x0F
        if major != MAJOR:
            return self._refuse_major(major)
        self._foreign = (0, 0)
        if kind == FrameType.SAMPLES:
            return self._samples(body, arrival)
        if kind == FrameType.DESCRIPTION:
            return self._describe(body)
        if kind == FrameType.STATUS:
            return [unpack_status(body)]
        if kind == FrameType.ACK:
            return [unpack_ack(body)]
        return []  # A later minor version may send more kinds.

    def _run(self, bodies: list[bytes], arrival: float) -> tuple[SampleBlock, int] | None:
        """Decode the sample frames that follow each other in one pass; None where the first wants its own look.

        Returns
        -------
        SampleBlock, int
            Their samples, and how many they are.
        """
        if bodies[0][0] != _SAMPLES or self._scale is None or bodies[0][1:2] != bytes([self._hash]):
            return None
        try:
            run = unpack_run(bodies, len(self._scale.channels))
        except FrameError:
            return None
        placed = self._sequence.place_run(run, arrival)
        if placed is None:
            return None
        self._foreign = (0, 0)
        return self._scale.block(placed[0], self.tally), placed[1]

    def _samples(self, body: bytes, arrival: float) -> list[Event]:
        described_by, n = peek_samples(body)
        if self._scale is None or described_by != self._hash:
            self._ask = self._ask or described_by != self._asked_for
            self._asked_for = described_by
            self.tally.undescribed += n
            return []
        frame = unpack_samples(body, len(self._scale.channels))
        return [
            item if isinstance(item, Gap) else self._scale.block(item, self.tally)
            for item in self._sequence.place(frame, arrival)
        ]

    def _describe(self, body: bytes) -> list[Event]:
        new, old = self._at_rate(unpack_description(body)), self._description
        self._hash, self._ask, self._asked_for = description_hash(body), False, -1
        if new == old:
            return []
        renewed = old is not None and _clocks(new) != _clocks(old)
        self._description, self._scale = new, _Scale(new.info.channels)
        self._sequence.describe(new.info.fs, new.info.tick_hz, renewed)
        return [new.info] if old is None or new.info != old.info else []

    def _at_rate(self, stated: Description) -> Description:
        return replace(stated, info=replace(stated.info, fs=self._fs)) if self._fs else stated

    def _refuse_major(self, major: int) -> list[Event]:
        seen = self._foreign[1] + 1 if self._foreign[0] == major else 1
        self._foreign = (major, seen)
        if seen >= _FOREIGN_FRAMES:
            self._error = ProtocolVersionError(
                f"the device speaks EcgLink {major}, this build speaks EcgLink {MAJOR}",
                f"pip install -U ecg-edge, or flash a firmware that speaks EcgLink {MAJOR}",
            )
        return []

    def _raise_pending(self) -> None:
        if self._error:
            raise self._error

    def _count(self) -> None:
        self.tally.skipped_bytes = self._splitter.skipped_bytes
        self.tally.bad_frames = self._splitter.bad_frames + self._sequence.refused


def ecglink(leads: object = None, gain: float | None = None, fs: Fraction | None = None) -> EcgLinkDecoder:
    """Make a decoder as `devices.Device.decoder` asks for one.

    Raises
    ------
    UsageError
        Something is given that the stream itself says.
    """
    if leads is not None or gain is not None:
        raise UsageError("EcgLink carries its own leads and scale", "leave leads (--leads) and gain (--gain) out")
    return EcgLinkDecoder(fs)


class _Scale:
    """Counts to millivolts and validity, for the channels of one description."""

    def __init__(self, channels: tuple[Channel, ...]) -> None:
        self.channels = channels
        self._lsb = np.array([c.lsb_mv for c in channels])
        self._offset = np.array([c.offset for c in channels]) if any(c.offset for c in channels) else None
        self._bit = np.arange(len(channels))
        self._needs = np.array([_needs(c) for c in channels])
        self._all = (1 << len(channels)) - 1
        self._flags: dict[tuple[int, int, int], npt.NDArray[np.bool_]] = {}

    def block(self, placed: PlacedFrame, tally: Tally) -> SampleBlock:
        """Return the samples of a placed frame, counting its stale ones."""
        frame = placed.frame
        valid = self._valid(len(frame.counts), frame.valid, frame.lead_off)
        missing = frame.counts == NO_VALUE
        if missing.any() or frame.valid & self._all != self._all:
            stale = missing | (frame.valid >> self._bit & 1 == 0)
            tally.stale += int(stale.any(axis=1).sum())
            valid = valid & ~stale
        counts = frame.counts if self._offset is None else frame.counts - self._offset
        mv: npt.NDArray[np.float32] = (counts * self._lsb).astype(np.float32)
        return SampleBlock(
            index=placed.index,
            counts=frame.counts,
            mv=mv,
            valid=valid,
            lead_off=frame.lead_off,
            ticks=placed.ticks,
            arrival=placed.arrival,
        )

    def _valid(self, n: int, valid: int, lead_off: int) -> npt.NDArray[np.bool_]:
        """Flags of the channels, the same for all rows of a frame: made once, and not to be written to."""
        if (n, valid, lead_off) not in self._flags:
            if len(self._flags) >= _FLAGS_KEPT:
                self._flags.clear()
            row = (valid >> self._bit & 1 == 1) & (self._needs & lead_off == 0)
            flags = np.repeat(row[None], n, axis=0)
            flags.flags.writeable = False
            self._flags[n, valid, lead_off] = flags
        return self._flags[n, valid, lead_off]


def _clocks(description: Description) -> tuple[int, Fraction, Fraction | None]:
    """Return what index and ticks are counted by; when it changes they cannot be compared."""
    return description.boot, description.info.fs, description.info.tick_hz


def _needs(channel: Channel) -> int:
    """Bit mask of the electrodes a channel cannot do without."""
    names = tuple(name for name in (channel.positive, channel.negative) if name)
    if not names and channel.lead in LEADS:
        names = electrodes_of(channel.lead)
    return sum(1 << k for k, name in enumerate(ELECTRODES) if name in names)
