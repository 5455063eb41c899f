"""What a source measures is used and shown, whatever the model reads: algebra before the network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ecg_edge.device.lead_algebra import (
    Provenance,
    further_channels,
    known_leads,
    of_basis,
    provenance,
    span_solution,
)
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import LeadMismatchError
from ecg_edge.firmware_bridge.events import StreamInfo
from ecg_edge.firmware_bridge.lead_names import LEADS, known_channels

BoolArray = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.float32]


def measured_names(info: StreamInfo, inputs: tuple[str, ...]) -> tuple[str, ...]:
    """Leads a source measures: the model's inputs as they are where there are no others, else all, as in `LEADS`.

    Channels that are no leads stand behind them, in the source's order.

    Raises
    ------
    LeadMismatchError
        An input neither is there nor follows from those that are.
    """
    there = [c.lead for c in info.channels if np.isfinite(c.lsb_mv)]
    names = tuple(lead for lead in LEADS if lead in there)
    names += tuple(name for name in known_channels(there) if name not in LEADS)
    exact, _ = span_solution(of_basis(names), of_basis(inputs))
    if missing := [lead for lead, known in zip(inputs, exact.tolist(), strict=True) if not known]:
        raise LeadMismatchError(
            f"the model reads {', '.join(inputs)}, but the source has "
            f"{', '.join(info.leads) or 'no lead'}: {', '.join(missing)} missing",
            "choose a model for the source's leads (ecg-edge info), or name them: leads=(...) (--leads)",
        )
    return inputs if set(names) == set(inputs) and set(names) <= set(LEADS) else names


class MeasuredLeads:
    """Makes a model's inputs of all leads that a source measures, and puts these leads into what comes out.

    A row whose measured leads are valid shows them as measured, and what follows from them as derived. Only what
    remains is the network's. A measured lead that is off is derived from the others where that is possible.

    Parameters
    ----------
    measured : tuple of str
        Leads, or channels between electrodes, of the conditioned columns, each once.
    inputs : tuple of str
        Leads or channels that the model reads.

    Attributes
    ----------
    provenance : tuple of Provenance
        Of each of the twelve leads while all are valid.
    channels : tuple of str
        Measured channels that are none of the twelve: they go with the leads, in strips of their own.
    """

    def __init__(self, measured: tuple[str, ...], inputs: tuple[str, ...]) -> None:
        self._measured, self._names = measured, (*LEADS, *(name for name in inputs if name not in LEADS))
        self._inputs = [self._names.index(name) for name in inputs]
        self.provenance = provenance(measured)
        self.channels = further_channels(measured)
        self._strips = [measured.index(name) for name in self.channels]
        self._maps: dict[bytes, tuple[tuple[Provenance, ...], list[list[tuple[int, float]]]]] = {}
        self._usual = self._map(np.ones(len(measured), np.bool_))[1]
        self.reset(0)

    def terms(self, lead: str) -> list[tuple[int, float]]:
        """Columns and weights that a lead is the sum of while all are valid; empty where it is not exact."""
        return self._usual[self._names.index(lead)]

    def reset(self, index: int) -> None:
        """Forget everything; the next row fed has the given index."""
        self._at = index
        self._x = np.zeros((0, len(self._measured)), np.float32)
        self._ok = np.zeros((0, len(self._measured)), np.bool_)

    def feed(self, x: Rows, ok: BoolArray, fit: BoolArray) -> tuple[Rows, BoolArray, BoolArray]:
        """Take conditioned rows of the measured leads; return the model's inputs, their validity and fitness.

        Each array has shape (n_samples, n_measured), and those returned (n_samples, n_inputs).
        """
        self._x, self._ok = np.concatenate([self._x, x]), np.concatenate([self._ok, ok])
        made = np.zeros((len(x), len(self._inputs)), np.float32)
        good, used = (np.zeros(made.shape, np.bool_) for _ in range(2))
        for a, b in _runs(ok):
            _, parts = self._map(ok[a])
            for k, lead in enumerate(self._inputs):
                good[a:b, k] = bool(parts[lead])
                terms = parts[lead] or self._usual[lead]
                made[a:b, k] = _sum(x[a:b], terms)
                used[a:b, k] = good[a:b, k] & fit[a:b][:, [j for j, _ in terms]].all(axis=1)
        return made, good, used

    def overlay(self, block: LeadBlock) -> Iterator[LeadBlock]:
        """Put measured and derived leads into a block; more than one comes out where their validity changes."""
        first = block.index - self._at
        ok = self._ok[max(0, first) : max(0, first + len(block))]
        if len(ok) < len(block):  # rows of a gap: nothing was fed for them
            nothing = np.zeros((len(block), len(self._strips)), np.float32)
            yield self._with_channels(replace(block, provenance=self.provenance), nothing, nothing > 0)
            return
        for a, b in _runs(ok):
            x = self._x[first + a : first + b]
            mixed = self._mixed(block.rows(a, b), x, ok[a])
            yield self._with_channels(mixed, x[:, self._strips], ok[a:b, self._strips])
        self._x, self._ok, self._at = (
            self._x[first + len(block) :],
            self._ok[first + len(block) :],
            (block.index + len(block)),
        )

    def _with_channels(self, block: LeadBlock, mv: Rows, valid: BoolArray) -> LeadBlock:
        if not self.channels:
            return block
        return replace(block, channels=self.channels, channel_mv=mv, channel_valid=valid)

    def _mixed(self, block: LeadBlock, x: Rows, ok: BoolArray) -> LeadBlock:
        kinds, parts = self._map(ok)
        mv, valid, sigma = block.mv.copy(), block.valid.copy(), block.sigma.copy()
        out = list(kinds)
        for k, (kind, theirs) in enumerate(zip(kinds, block.provenance, strict=True)):
            if kind is not Provenance.RECONSTRUCTED:
                mv[:, k], valid[:, k], sigma[:, k] = _sum(x, parts[k]), True, 0
            elif theirs is not Provenance.RECONSTRUCTED:  # an input that is off, and nothing stands in
                out[k], valid[:, k] = self.provenance[k], False
        warmup = block.warmup if Provenance.RECONSTRUCTED in out else np.zeros(len(block), np.bool_)
        return replace(block, mv=mv, valid=valid, sigma=sigma, provenance=tuple(out), warmup=warmup)

    def _map(self, ok: BoolArray) -> tuple[tuple[Provenance, ...], list[list[tuple[int, float]]]]:
        """Provenance of the twelve leads while these are valid, and each as a sum of measured columns."""
        key = ok.tobytes()
        if key not in self._maps:
            there = [lead for lead, good in zip(self._measured, ok.tolist(), strict=True) if good]
            columns = [self._measured.index(lead) for lead in there]
            kinds = provenance(there)
            known, matrix = known_leads(there)
            rows = dict(zip(known, matrix, strict=True)) | _rows_of(self._names[len(LEADS) :], there)
            terms = [[(columns[j], float(c)) for j, c in enumerate(rows.get(name, ())) if c] for name in self._names]
            self._maps[key] = kinds, terms
        return self._maps[key]


def _rows_of(channels: tuple[str, ...], there: list[str]) -> dict[str, FloatArray]:
    """Channels that are there or follow exactly, as combinations of what is there."""
    exact, matrix = span_solution(of_basis(there), of_basis(channels))
    found = {name: row for name, row, known in zip(channels, matrix, exact.tolist(), strict=True) if known}
    itself = {name: np.eye(len(there))[there.index(name)] for name in channels if name in there}
    return found | itself


def _runs(ok: BoolArray) -> list[tuple[int, int]]:
    """Stretches of rows with the same flags."""
    if not len(ok):
        return []
    turns = np.flatnonzero((ok[1:] != ok[:-1]).any(axis=1)) + 1
    return list(pairwise([0, *turns.tolist(), len(ok)]))


def _sum(x: Rows, terms: list[tuple[int, float]]) -> Rows:
    """Weighted sum, term by term: the same to the bit for every cut, and a lead alone stays itself."""
    out = np.zeros(len(x), np.float64)
    for column, weight in terms:
        out += weight * x[:, column].astype(np.float64)
    return out.astype(np.float32)


class SteadyLeads:
    """The same for an array whose columns never change: a missing sample is invalid, and provenance stays.

    Parameters
    ----------
    names : tuple of str
        Of the columns, leads or channels, each once.
    inputs : tuple of str
        Leads that the model reads; each is a column or follows from them.
    """

    def __init__(self, names: tuple[str, ...], inputs: tuple[str, ...]) -> None:
        self._leads, self._n = MeasuredLeads(names, inputs), len(names)
        self._parts = [[j for j, _ in self._leads.terms(lead)] for lead in LEADS]
        self._inputs = [[j for j, _ in self._leads.terms(name)] for name in inputs]
        self._strips = [names.index(name) for name in self._leads.channels]
        self.reset(0)

    def reset(self, index: int) -> None:
        """Forget everything; the next row fed has the given index."""
        self._leads.reset(index)
        self._at, self._ok = index, np.zeros((0, self._n), np.bool_)

    def feed(self, x: Rows, ok: BoolArray) -> tuple[Rows, BoolArray]:
        """Take conditioned rows of the columns; return the model's inputs and their validity."""
        whole = np.ones(x.shape, np.bool_)
        made, _, _ = self._leads.feed(x, whole, whole)
        self._ok = np.concatenate([self._ok, ok])
        return made, np.stack([ok[:, columns].all(axis=1) for columns in self._inputs], axis=1)

    def overlay(self, block: LeadBlock) -> LeadBlock:
        """Put measured and derived leads into a block."""
        first = block.index - self._at
        ok = self._ok[max(0, first) : max(0, first + len(block))]
        shown = list(self._leads.overlay(block)) if len(block) else [replace(block, provenance=self._leads.provenance)]
        out = LeadBlock.join(shown)
        valid = out.valid.copy()
        for k, columns in enumerate(self._parts):
            if columns and len(ok) == len(block):
                valid[:, k] = ok[:, columns].all(axis=1)
        self._ok, self._at = self._ok[max(0, first + len(block)) :], block.index + len(block)
        if out.channels and len(ok) == len(block):
            out = replace(out, channel_valid=ok[:, self._strips])
        return replace(out, valid=valid)


def steady_leads(names: tuple[str, ...], inputs: tuple[str, ...]) -> SteadyLeads | None:
    """What an array of these columns needs around a model: None where the model reads all there is."""
    if set(names) == set(inputs) and set(names) <= set(LEADS):
        return None
    return SteadyLeads(names, inputs)
