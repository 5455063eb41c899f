"""From decoder events to twelve leads: one thread, no clock, the same bytes for every cut of the stream."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ecg_edge.device.analysis.leaps import LeapWatch, believable
from ecg_edge.device.analysis.plausibility import Doubt
from ecg_edge.device.analysis.signal_quality import Quality
from ecg_edge.device.analysis.signal_watch import SignalWatch
from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.conditioning.input_guard import InputGuard
from ecg_edge.device.conditioning.mains import exact_mains
from ecg_edge.device.inference.load import Model
from ecg_edge.device.lead_algebra import further_channels
from ecg_edge.device.lead_block import LONG_GAP_S, LeadBlock, Note
from ecg_edge.device.reconstruction.fallback import FallbackReconstructor
from ecg_edge.device.reconstruction.gap_bridge import GapBridge
from ecg_edge.device.reconstruction.measured_leads import MeasuredLeads, measured_names
from ecg_edge.device.reconstruction.short_losses import ShortLosses
from ecg_edge.firmware_bridge.array_types import BoolArray, FloatArray
from ecg_edge.firmware_bridge.errors import NotAnEcgStreamError
from ecg_edge.firmware_bridge.events import BACKLOG, Event, Gap, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES, LEADS, lead_off_leads
from ecg_edge.firmware_bridge.tally import Counts

_GAP_ROWS = 4096
_DRIFTED = "the calibration does not fit: the model's own head is used; check the electrodes or calibrate again"
_UNFIT, _FIT = 0.5, 0.75
"""Share of a refitted head below which it is said not to fit, and from which to fit again."""


class Pipeline:
    """Conditions a source's samples and runs them through a model.

    The blocks that come out are contiguous in index for any sequence of events. Only over gaps of more than a minute
    the index leaps. Joined, they are the same bytes however the sample blocks were cut.

    Parameters
    ----------
    model : Model
        Whose input leads the source must have.
    info : StreamInfo
        The source's description.
    mains_hz : float or None
        50, 60, or None for no notch.
    spare : Model, optional
        An any-lead model for the leads that remain when others are lost; see `fallback`.

    Attributes
    ----------
    counts : Counts
        What went through so far.
    info : StreamInfo
        The source's description.
    provenance : tuple of Provenance
        Of each of the twelve leads.
    reconstructed_from : tuple of str
        Leads the others are reconstructed from now.
    hop : float
        Native samples per hop.
    delay : float
        Group delay of the resampler in seconds.
    support : int
        Native samples under the resampler's kernel.

    Raises
    ------
    LeadMismatchError
        The source lacks an input lead of the model.
    NotAnEcgStreamError
        From `feed`: the device came back with other leads or another rate.

    Notes
    -----
    Row ``m`` shows the source at ``m / fs - delay`` (``delay`` is the resampler's). A row is invalid if a sample under
    the resampler's kernel was lost, stale or taken with an electrode off. The kernel is the ``support`` samples up to
    the row's own instant. A loss of up to 40 ms, of all leads or of one, is bridged by a straight line instead. The
    rows it touches stay valid and are flagged `held`. A sample that leaps counts as lost; see `LeapWatch`. What was
    taken with an electrode off, or clipped, is not bridged. The tails of the recursive filters beyond that are not
    counted. Nothing is reconstructed from a lead that is too noisy (see `noise_gate`); it stays valid itself, being
    what was measured.
    """

    def __init__(
        self,
        model: Model,
        info: StreamInfo,
        *,
        mains_hz: float | None,
        spare: Model | None = None,
    ) -> None:
        spec = model.spec
        self.info = info
        self._names = names = measured_names(info, spec.input_leads)
        plain = names == spec.input_leads and not further_channels(names)
        self._sums = MeasuredLeads(names, spec.input_leads)
        self._measured = None if plain else self._sums
        self._columns = [info.leads.index(lead) for lead in names]
        n = len(self._columns)
        self._conditioner = Conditioner(info.fs, spec.fs, n, spec.conditioning, exact_mains(mains_hz))
        self._told: list[Note] = []
        self._reconstructor = FallbackReconstructor(model, spare, self._tell)
        self.provenance = (self._measured or self._reconstructor).provenance
        self._algorithmic = spec.algorithmic_latency_s
        self._fs, self._step = spec.fs, info.fs / spec.fs
        self.hop = float(self._reconstructor.hop * self._step)
        self.delay = self._conditioner.delay
        self.support = max(1, round(2 * self.delay * float(info.fs)))
        self._gaps = GapBridge(info.fs, self._step, self.support)
        self._leaps = LeapWatch(info.fs, n)
        self._guard = InputGuard(n, self._gaps.hold, self.support)
        lost = (lead_off_leads(1 << k, names) for k in range(len(ELECTRODES)))
        self._off_leads = [np.array([lead in off for lead in names]) for off in lost]
        self.counts = Counts()
        self._losses = ShortLosses(n, self._gaps.hold)
        self._off = 0
        self._fits = True
        self._input_leads = self.reconstructed_from = spec.input_leads
        channels = tuple(self.info.channels[c] for c in self._columns)
        self._watch = SignalWatch(names, channels, info.fs, spec.fs)
        if info.origin and info.origin.past:
            self._warm(info.origin.past)

    def refit(self, model: Model) -> None:
        """Use a person's head, or another one, of the same model from the next hop on."""
        self._reconstructor.refit(model)
        self._fits = True

    @property
    def calibration_fits(self) -> bool:
        """False while the model's own head replaces a person's."""
        return self._fits

    @property
    def quality(self) -> dict[str, Quality]:
        """How good each measured lead is now."""
        return self._watch.quality

    @property
    def doubts(self) -> dict[str, Doubt]:
        """Measured leads that cannot be millivolts of a heart, and why."""
        return self._watch.doubts

    @property
    def trusted(self) -> frozenset[str]:
        """Measured leads that have passed for an ECG and are not doubted."""
        return self._watch.trusted

    def rests_on(self, lead: str) -> frozenset[str]:
        """Measured leads or channels whose sum a lead is; itself where it is measured, none for an estimate."""
        if lead in self._names:
            return frozenset([lead])
        return frozenset(self._names[k] for k, _ in self._sums.terms(lead)) if lead in LEADS else frozenset()

    @property
    def lead_off(self) -> tuple[str, ...]:
        """Electrodes that are off now."""
        return _electrodes(self._off)

    @property
    def next_index(self) -> int:
        """Index on the native axis of the next sample expected."""
        return self._gaps.reached

    @property
    def missing(self) -> int:
        """Native samples before whose arrival no further block can come out."""
        return self._conditioner.missing(self._reconstructor.missing)

    @property
    def latency_terms(self) -> dict[str, float]:
        """The terms of the latency that are known in advance, in seconds."""
        return {
            "device filter": max((self.info.channels[c].group_delay_s for c in self._columns), default=0.0),
            "frame": float(max(0, self.info.samples_per_frame - 1) / self.info.fs),
            "resampler": self.delay,
            "algorithmic": self._algorithmic,
        }

    def feed(self, event: Event) -> Iterator[LeadBlock | Note]:
        """Take one event; the iterator must be run to its end before the next is fed.

        It is an iterator so that a minute's gap, which is a minute's rows, need not fit into memory.
        """
        if isinstance(event, SampleBlock):
            yield from self._samples(event)
        elif isinstance(event, Gap):
            self._gaps.remember(event)
        elif isinstance(event, StreamInfo):
            self._check(event)

    def flush(self, arrival: float = 0.0) -> Iterator[LeadBlock | Note]:
        """End of stream: emit what is still inside."""
        if gap := self._gaps.take():  # nothing behind it that a bridge could end at
            yield from self._restart(gap, arrival)
        yield from self._rows(*self._losses.flush(), arrival)
        yield from self._emit_all(self._reconstructor.flush(arrival))

    def _warm(self, past: SampleBlock) -> None:
        """Let filters and network run through a stored source's past, in whole hops; nothing of it comes out."""
        hop = self._reconstructor.hop
        n = math.ceil(int(len(past) / self._step) // hop * hop * self._step)
        if not 0 < n <= len(past):
            return
        self._conditioner.reset(-n)
        self._guard.reset(-n, lost_before=False)
        self._reconstructor.reset(self._conditioner.next_output)
        if self._measured:
            self._measured.reset(self._conditioner.next_output)
        valid = past.valid[-n:, self._columns]
        x, flags = self._conditioned(np.where(valid, past.mv[-n:, self._columns], 0.0), valid)
        fit = flags
        if self._measured:
            x, flags, fit = self._measured.feed(x, flags, fit)
        for _ in self._reconstructor.feed(x, flags, 0.0, fit):
            pass

    def _check(self, info: StreamInfo) -> None:
        """Refuse a device that returns as another one."""
        if (info.fs, info.leads) != (self.info.fs, self.info.leads):
            raise NotAnEcgStreamError(
                f"the device now sends {', '.join(info.leads)} at {float(info.fs):g} Hz; it began with "
                f"{', '.join(self.info.leads)} at {float(self.info.fs):g} Hz",
                "start the run again: one recording has one set of leads and one rate",
            )

    def _samples(self, block: SampleBlock) -> Iterator[LeadBlock | Note]:
        reached = self._gaps.reached
        skip = min(max(0, reached - block.index), len(block))  # rows that are there already
        if skip == len(block):
            return
        if block.index > reached:
            self._gaps.remember(Gap(reached, block.index))
        mv = block.mv[skip:, self._columns].astype(np.float64)
        seen = block.valid[skip:, self._columns] & np.isfinite(mv)
        off = np.zeros(len(self._columns), np.bool_)
        for k in range(len(ELECTRODES) if block.lead_off else 0):
            if block.lead_off >> k & 1:
                off |= self._off_leads[k]
        faults = self._watch.faults(block.counts[skip:, self._columns], seen & ~off)
        false = faults[0] | faults[1] | off
        missing, valid = ~(seen | false), seen & ~false
        yield from self._bridge(block.arrival)
        yield from self._watch.native(mv, valid, faults, self._gaps.next)
        yield from self._electrodes(block.lead_off)
        self.counts.samples_in += len(mv)
        yield from self._take(mv, valid, missing, block.arrival)

    def _electrodes(self, mask: int) -> Iterator[Note]:
        """Notes of the electrodes that went off or came back since the last block."""
        if mask == self._off:
            return
        at = self._gaps.next
        for kind, changed in (("lead-off", mask & ~self._off), ("lead-on", self._off & ~mask)):
            if names := _electrodes(changed):
                yield Note(kind, at, at, f"{kind} {', '.join(names)}")
        self._off = mask

    def _take(self, mv: FloatArray, valid: BoolArray, missing: BoolArray, arrival: float) -> Iterator[LeadBlock | Note]:
        """Bridge short losses of native rows, and work on what is settled."""
        leaps = self._leaps.feed(mv, valid)
        valid = valid & ~leaps
        rows, good, bridges = self._losses.feed(np.where(valid, mv, 0.0), valid, missing | leaps)
        self._gaps.next += len(mv)
        for bridge in bridges:
            if self._gaps.mark(bridge.start, bridge.stop):  # a gap has its note already
                leads = ", ".join(self._names[k] for k in bridge.columns)
                n = bridge.stop - bridge.start
                text = f"{n} {'sample' if n == 1 else 'samples'} of {leads} missing, bridged"
                yield Note("held", bridge.start, bridge.stop, text)
        yield from self._rows(rows, good, arrival)

    def _rows(self, mv: FloatArray, valid: BoolArray, arrival: float) -> Iterator[LeadBlock | Note]:
        """Condition and reconstruct native rows."""
        if not len(mv):
            return
        x, flags = self._conditioned(mv, valid)
        fit, notes = self._watch.rows(x, flags)
        yield from notes
        if self._measured:
            x, flags, fit = self._measured.feed(x, flags, fit)
        yield from self._emit_all(self._reconstructor.feed(x, flags, arrival, fit))

    def _conditioned(self, mv: FloatArray, valid: BoolArray) -> tuple[npt.NDArray[np.float32], BoolArray]:
        """Native rows at the model's rate, and where they are valid."""
        first = self._conditioner.next_output
        parts = []
        for segment in self._guard.feed(mv, valid):
            if segment.back.any():
                self._conditioner.reseed(segment.back, segment.mv[0])
            parts.append(self._conditioner.feed(segment.mv))
        rows = np.concatenate(parts)
        return rows, self._guard.valid(first, self._conditioner.next_output, self._step) & believable(rows)

    def _bridge(self, arrival: float) -> Iterator[LeadBlock | Note]:
        """Lead the time axis over the gap remembered, if any."""
        gap = self._gaps.take()
        if gap is None:
            return
        if not self._gaps.bridges(gap):
            yield from self._restart(gap, arrival)
            return
        n = gap.stop - gap.start
        self.counts.lose(gap.start, gap.stop)
        yield Note("held", gap.start, gap.stop, f"{n} samples {gap.reason}, bridged")
        self._gaps.mark(gap.start, gap.stop)
        lost = np.ones((n, len(self._columns)), np.bool_)
        yield from self._take(np.zeros(lost.shape), ~lost, lost, arrival)

    def _restart(self, gap: Gap, arrival: float) -> Iterator[LeadBlock | Note]:
        """Flush, mark the rows of the gap as invalid, and begin anew behind it."""
        n = gap.stop - gap.start
        self.counts.lose(gap.start, gap.stop)
        self.counts.loss_known &= gap.known
        yield from self._rows(*self._losses.flush(), arrival)
        yield from self._emit_all(self._reconstructor.flush(arrival))
        what = f"{n / float(self.info.fs):.3f} s ({n} samples) {gap.reason}"
        text = what if gap.known else f"{what}; the device restarted, and how much is missing is not known"
        kind = "restart" if not gap.known else "overrun" if gap.reason == BACKLOG else "gap"
        yield Note(kind, gap.start, gap.stop, text)
        first = self._conditioner.next_output
        self._conditioner.reset(gap.stop)
        stop = self._conditioner.next_output
        for at in range(first, stop if n <= LONG_GAP_S * self.info.fs else first, _GAP_ROWS):
            yield from self._emit(self._nothing(at, min(stop - at, _GAP_ROWS), arrival))
        self._reconstructor.reset(stop)
        if self._measured:
            self._measured.reset(stop)
        self._watch.reset(stop)
        self._guard.reset(gap.stop, lost_before=True)
        self._losses.reset(gap.stop)
        self._leaps.reset()
        self._gaps.restart(gap.stop)

    def _nothing(self, index: int, n: int, arrival: float) -> LeadBlock:
        return LeadBlock.empty(index, n, self.provenance, arrival, fs=self._fs)

    def _emit_all(self, blocks: Iterator[LeadBlock]) -> Iterator[LeadBlock | Note]:
        for block in blocks:
            yield from self._emit(block)

    def _tell(self, row: int, leads: tuple[str, ...]) -> None:
        """Note from which leads the others are reconstructed from now on."""
        at = max(0, round(row * self._step))
        self.reconstructed_from = leads
        text = f"reconstructing from {', '.join(leads)}"
        self._told.append(Note("fallback", at, at, text + (" again" if leads == self._input_leads else " alone")))

    def _emit(self, block: LeadBlock) -> Iterator[LeadBlock | Note]:
        told, self._told = self._told, []
        yield from told
        if block.index < 0:  # of a stored source's past
            block = block.rows(min(-block.index, len(block)), len(block))
        if len(block):
            yield from self._calibration(block)
            self.counts.rows_out += len(block)
            for part in self._measured.overlay(block) if self._measured else (block,):
                held = self._gaps.held(part.index, len(part))
                yield part if held is None else replace(part, held=held)

    def _calibration(self, block: LeadBlock) -> Iterator[Note]:
        """Notes of where a person's calibration ceases to fit, and fits again."""
        for row, share in enumerate([] if block.share is None else block.share.tolist()):
            if share < _UNFIT if self._fits else share >= _FIT:
                self._fits = not self._fits
                at = round((block.index + row) * self._step)
                text = "the calibration fits again" if self._fits else _DRIFTED
                yield Note("calibration", at, at, text)


def _electrodes(mask: int) -> tuple[str, ...]:
    """Names of the electrodes whose bit is set."""
    return tuple(name for k, name in enumerate(ELECTRODES) if mask >> k & 1)
