"""What is reconstructed when a lead is lost or too noisy: the leads that remain go through an any-lead model.

That model is fed the last seconds of what remains, so it has settled when it takes over. It is replaced once
the model of all leads has settled again. A noisy lead is still shown as measured, and what is derived from it as
derived. The same holds for a lead that has returned while the model of all leads still settles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.load import Model
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.firmware_bridge.array_types import BoolArray
from ecg_edge.firmware_bridge.lead_names import LEADS

AFTER_S = 0.5
"""A lead must be gone for so long: a passing touch of an electrode is left to the usual flags."""
HISTORY_S = 3.0


def fits(spec: ModelSpec, spare: ModelSpec) -> bool:
    """Whether an any-lead model can stand in: same rate, hop, look-ahead and conditioning."""
    leads = spare.any_electrode or set(spec.input_leads) <= set(LEADS)
    return leads and spare.any_lead and (spec.fs, spec.hop, spec.lookahead, spec.conditioning) == (
        spare.fs, spare.hop, spare.lookahead, spare.conditioning,
    )  # fmt: skip


class FallbackReconstructor:
    """A `StreamReconstructor` with a spare; the output is the same however the input is cut.

    Parameters
    ----------
    model : Model
        Of fixed leads.
    spare : Model, optional
        An any-lead model that `fits`. Where it does not, and the model is a view of one that does, that one is
        the spare. Without a spare the usual flags are all there is.
    told : callable
        Called with a row index and the leads reconstructed from, whenever these change.

    Attributes
    ----------
    provenance : tuple of Provenance
        While all leads are there.
    """

    def __init__(
        self, model: Model, spare: Model | None, told: Callable[[int, tuple[str, ...]], None] = lambda at, leads: None
    ) -> None:
        self._main = StreamReconstructor(model)
        self._leads = model.spec.input_leads
        others = (spare, model.whole) if spare is not None else ()
        self._spare_model = next((m for m in others if m is not None and fits(model.spec, m.spec)), None)
        self._told = told
        self._hop = model.spec.hop
        self._after = round(AFTER_S * model.spec.fs)
        self._history = round(HISTORY_S * model.spec.fs) // self._hop * self._hop
        self.provenance = self._main.provenance
        self._guess = np.array([p is Provenance.RECONSTRUCTED for p in self.provenance])
        self.reset()

    @property
    def hop(self) -> int:
        """Samples per hop."""
        return self._hop

    @property
    def missing(self) -> int:
        """Samples that complete the next hop."""
        return self._main.missing

    def refit(self, model: Model) -> None:
        """See `StreamReconstructor.refit`; the spare keeps its own head."""
        self._main.refit(model)

    def reset(self, index: int = 0) -> None:
        """Forget everything; the next sample fed has the given index."""
        self._main.reset(index)
        self._start = self._next = index
        self._gone = np.zeros(len(self._leads), np.int64)
        self._past = np.zeros((0, len(self._leads)), np.float32)
        self._past_ok = np.zeros((0, len(self._leads)), np.bool_)
        self._spare: StreamReconstructor | None = None
        self._columns: list[int] = []
        self._spare_leads: tuple[str, ...] = self._leads
        self._speaks = self._leads

    def feed(
        self,
        x: npt.NDArray[np.float32],
        valid: BoolArray | None = None,
        arrival: float = 0.0,
        fit: BoolArray | None = None,
    ) -> Iterator[LeadBlock]:
        """Take conditioned samples as `StreamReconstructor.feed`; run the iterator to its end."""
        x = np.asarray(x, np.float32)
        ok = np.ones(x.shape, np.bool_) if valid is None else np.asarray(valid, np.bool_)
        use = ok if fit is None else ok & fit
        if self._spare_model is None:
            yield self._main.feed(x, ok, arrival, use)
            return
        at = 0
        for row, there in self._changes(use):
            yield from self._both(x[at:row], ok[at:row], use[at:row], arrival)
            self._take_over(there)
            at = row
        yield from self._both(x[at:], ok[at:], use[at:], arrival)

    def flush(self, arrival: float = 0.0) -> Iterator[LeadBlock]:
        """End of stream: the rest of what was fed, then reset."""
        spare = self._spare.flush(arrival) if self._spare else None
        block = self._main.flush(arrival)
        out = list(self._merged(block, spare))
        self.reset(self._next)
        yield from out

    def _changes(self, ok: BoolArray) -> list[tuple[int, BoolArray]]:
        """Rows at which another set of leads has been there or gone for long enough, with the set."""
        rows = np.arange(1, len(ok) + 1)[:, None]
        good = np.maximum.accumulate(np.where(ok, rows, 0), axis=0)
        gone = np.where(good > 0, rows - good, rows + self._gone)
        lost = np.asarray(gone >= self._after, np.bool_)
        before = self._gone >= self._after
        turns = np.flatnonzero((np.diff(lost, axis=0, prepend=before[None])).any(axis=1))
        if len(ok):
            self._gone = gone[-1]
        return [(int(k), ~lost[k]) for k in turns]

    def _take_over(self, there: BoolArray) -> None:
        """Set the spare up for the leads that are there; none while all or none of them are.

        Where leads have come back, the spare goes on: the main model has to settle first.
        """
        columns = np.flatnonzero(there).tolist()
        if len(columns) == len(self._leads) or not columns or columns == self._columns:
            return
        assert self._spare_model is not None
        leads = tuple(self._leads[k] for k in columns)
        spare = StreamReconstructor(for_leads(self._spare_model, leads))
        boundary = (self._next - self._start) // self._hop * self._hop + self._start
        first = max(self._start, boundary - self._history)
        past = slice(len(self._past) - (self._next - first), None)
        spare.reset(first)
        spare.feed(self._past[past][:, columns], self._past_ok[past][:, columns])
        self._spare, self._columns, self._spare_leads = spare, columns, leads

    def _both(self, x: npt.NDArray[np.float32], ok: BoolArray, use: BoolArray, arrival: float) -> Iterator[LeadBlock]:
        if not len(x):
            return
        keep = slice(-(self._history + self._hop), None)
        self._past = np.concatenate([self._past, x])[keep]
        self._past_ok = np.concatenate([self._past_ok, use])[keep]
        self._next += len(x)
        spare = self._spare.feed(x[:, self._columns], use[:, self._columns], arrival) if self._spare else None
        yield from self._merged(self._main.feed(x, ok, arrival, use), spare)

    def _merged(self, main: LeadBlock, spare: LeadBlock | None) -> Iterator[LeadBlock]:
        """The main model's rows, and the spare's where the main one has nothing settled to say."""
        if spare is None or not len(main):
            yield main
            return
        assert (main.index, len(main)) == (spare.index, len(spare))  # both began on the same grid of hops
        sound = main.valid[:, self._guess].all(axis=1) & ~main.warmup
        better = spare.valid.any(axis=1) & ~spare.warmup
        over = bool(sound.any())
        settled = np.logical_or.accumulate(sound)  # from there on the spare has done its work
        use = ~settled & better
        own = main.valid & ~self._guess  # what is measured or follows from it is nobody's guess
        turns = np.diff(use) | (use[1:] & (own[1:] != own[:-1]).any(axis=1))
        edges = [0, *(np.flatnonzero(turns) + 1).tolist(), len(use)]
        for a, b in pairwise(edges):
            if use[a]:
                self._say(main.index + a, self._spare_leads)
            elif sound[a:b].any():
                self._say(main.index + a + int(sound[a:b].argmax()), self._leads)
            yield _mixed(main.rows(a, b), spare.rows(a, b), own[a]) if use[a] else main.rows(a, b)
        if over:
            self._spare, self._columns = None, []

    def _say(self, at: int, leads: tuple[str, ...]) -> None:
        if leads != self._speaks:
            self._speaks = leads
            self._told(at, leads)


def _mixed(main: LeadBlock, spare: LeadBlock, own: BoolArray) -> LeadBlock:
    """The spare's rows, but for the leads that are the main model's own."""
    return replace(
        spare,
        mv=np.where(own, main.mv, spare.mv),
        valid=spare.valid | own,
        sigma=np.where(own, main.sigma, spare.sigma),
        provenance=tuple(a if k else b for a, b, k in zip(main.provenance, spare.provenance, own, strict=True)),
    )
