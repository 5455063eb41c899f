"""What the decoders of framed formats have in common: scan, place, convert."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import Channel, Event, Gap, SampleBlock, StreamInfo, placed_leads
from ecg_edge.firmware_bridge.framing.chain_scanner import ChainFormat, ChainScanner
from ecg_edge.firmware_bridge.framing.frame_formats import FrameFormat, Run
from ecg_edge.firmware_bridge.framing.frame_scanner import Scanner
from ecg_edge.firmware_bridge.framing.sequencer import Frames, Ints, PacketRun, Seconds, Sequencer
from ecg_edge.firmware_bridge.lead_names import SKIP, lead_off_leads
from ecg_edge.firmware_bridge.tally import Tally

NOT_A_VOLTAGE = float("nan")
"""`Channel.lsb_mv` of a channel that carries no voltage: its mV are NaN, its counts are what the device sent."""


class FramedDecoder(ABC):
    """Base of the decoders whose packets all carry the same number of samples.

    A subclass gives `unpack`, and where the format has them `seconds`,
    `electrodes_off`, `stale` and `select`. It fulfils `decoder.Decoder`.

    Parameters
    ----------
    info : StreamInfo
        What the decoder announces before the first samples.
    fmt : FrameFormat or ChainFormat
        The frames.
    shared, timed : bool
        See `Sequencer`.
    opening, closing : bytes
        Written when the port is opened and before it is closed.
    """

    def __init__(
        self,
        info: StreamInfo,
        fmt: FrameFormat | ChainFormat,
        *,
        shared: bool = False,
        timed: bool = False,
        opening: bytes = b"",
        closing: bytes = b"",
    ) -> None:
        self.name = info.device
        self.info = info
        self.tally = Tally()
        self._scanner: Scanner | ChainScanner
        self._scanner = ChainScanner(fmt, self.tally) if isinstance(fmt, ChainFormat) else Scanner(fmt, self.tally)
        self._sequencer = Sequencer(
            self.tally, info.fs, info.samples_per_frame, fmt.modulus, shared=shared, timed=timed
        )
        self._opening, self._closing = opening, closing
        self._announced = False
        self._arrival = 0.0
        self._bad = self._skipped = 0  # before the next frames with samples
        self._lsb = np.array([c.lsb_mv for c in info.channels], np.float64)
        self._zero = np.array([c.offset for c in info.channels], np.float64)

    @property
    def buffered(self) -> int:
        """Bytes kept for later: bounded, whatever is fed."""
        return self._scanner.buffered

    def feed(self, data: bytes, arrival: float = 0.0) -> list[Event]:
        """Take the next bytes and return what they complete (`decoder.Decoder.feed`)."""
        self._arrival = arrival
        if isinstance(self._scanner, ChainScanner):
            return self._take(self._scanner.feed(data, arrival))
        return self._take(self._scanner.feed(data))

    def close(self) -> list[Event]:
        """End of stream: return the events that are left."""
        return self._take(self._scanner.close()) + self._emit(self._sequencer.close())

    def opening(self) -> bytes:
        """Bytes to write when the port is opened."""
        return self._opening

    def request(self) -> bytes:
        """Nothing: these devices cannot be asked while they send."""
        return b""

    def closing(self) -> bytes:
        """Bytes to write before the port is closed."""
        return self._closing

    @abstractmethod
    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """``(n, length)`` frames -> ``(n * samples_per_frame, n_channels)`` counts."""

    def millivolts(self, counts: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        """Counts -> mV by each channel's `lsb_mv` and `offset`."""
        return ((counts - self._zero) * self._lsb).astype(np.float32)

    def seconds(self, frames: Frames) -> Seconds | None:
        """Device time of each frame in seconds, unwrapped; None where the format has none."""
        return None

    def electrodes_off(self, frames: Frames) -> npt.NDArray[np.int64] | None:
        """Lead-off mask (bits over `ELECTRODES`) of each sample; None where the format has none."""
        return None

    def stale(self, frames: Frames) -> npt.NDArray[np.bool_] | None:
        """``(n_samples, n_channels)``, True where the device repeats an old value; None where it never says so."""
        return None

    def select(self, run: Run) -> Iterator[tuple[Frames, Ints]]:
        """Frames with samples and their counters, in order; between two of them `restarted` may be called."""
        yield run.rows(), run.counters

    def restarted(self) -> None:
        """Note that the device said it restarted."""
        self._sequencer.restart()

    def _take(self, runs: Sequence[Run]) -> list[Event]:
        events: list[Event] = []
        for run in runs:
            self._bad += run.bad
            self._skipped += run.skipped
            arrival = self._arrival if run.arrival is None else run.arrival
            for frames, counters in self.select(run):
                seconds = self.seconds(frames) if len(frames) else None
                placed = self._sequencer.place(frames, counters, seconds, arrival, self._bad, self._skipped)
                self._bad = self._skipped = 0
                events += self._emit(placed)
        return events

    def _emit(self, placed: Sequence[PacketRun | Gap]) -> list[Event]:
        events: list[Event] = []
        for item in placed:
            if isinstance(item, Gap):
                events.append(item)
                continue
            if not self._announced:
                self._announced = True
                events.append(self.info)
            events += self._blocks(item)
        return events

    def _blocks(self, placed: PacketRun) -> list[Event]:
        """One block for each stretch of constant lead-off mask."""
        counts = self.unpack(placed.frames)
        mv = self.millivolts(counts)
        valid = np.ones(counts.shape, bool)
        stale = self.stale(placed.frames)
        if stale is not None:
            valid &= ~stale
            self.tally.stale += int(stale.any(axis=1).sum())
        self.tally.samples += len(counts)
        off = self.electrodes_off(placed.frames)
        if off is None:
            return [SampleBlock(placed.index, counts, mv, valid, arrival=placed.arrival)]
        if (off == off[0]).all():
            return [self._block(placed, slice(0, len(off)), int(off[0]), counts, mv, valid)]
        edges = [0, *(np.flatnonzero(np.diff(off)) + 1).tolist(), len(off)]
        return [self._block(placed, slice(a, b), int(off[a]), counts, mv, valid) for a, b in itertools.pairwise(edges)]

    def _block(
        self,
        placed: PacketRun,
        rows: slice,
        mask: int,
        counts: npt.NDArray[np.int32],
        mv: npt.NDArray[np.float32],
        valid: npt.NDArray[np.bool_],
    ) -> SampleBlock:
        if mask:
            gone = lead_off_leads(mask)
            valid[rows, [k for k, lead in enumerate(self.info.leads) if lead in gone]] = False
        return SampleBlock(placed.index + rows.start, counts[rows], mv[rows], valid[rows], mask, arrival=placed.arrival)


def stream_info(
    device: str,
    fs: Fraction,
    channels: Sequence[Channel],
    leads: Sequence[str] | None = None,
    *,
    samples_per_frame: int = 1,
) -> StreamInfo:
    """Describe a stream; `leads` names the first channels anew (see `placed_leads`), the others keep their labels.

    Raises
    ------
    UsageError
        More leads are named than there are channels that carry a voltage, or the rate is not positive.
    """
    if fs <= 0:
        raise UsageError(f"{device}: the sampling rate must be positive, not {fs}", "leave fs (--fs) out")
    named = list(channels)
    given = list(leads or ())
    places = placed_leads(given, named)
    if len(places) < sum(lead != SKIP for lead in given):
        electrical = sum(not np.isnan(c.lsb_mv) for c in named)
        raise UsageError(
            f"{device} has {electrical} channel(s), but {len(given)} leads are named",
            f"leads (--leads) with at most {electrical} name(s)",
        )
    for k, lead in places.items():
        # an earlier default of the same name would make the label ambiguous
        named = [replace(c, lead=f"ch{i + 1}") if c.lead == lead else c for i, c in enumerate(named)]
        named[k] = replace(named[k], lead=lead)
    return StreamInfo(device, fs, tuple(named), samples_per_frame=samples_per_frame)
