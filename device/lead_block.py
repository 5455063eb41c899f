"""LeadBlock and Note: what goes to every sink."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from operator import index as exact_index
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.firmware_bridge.array_types import same_contents
from ecg_edge.firmware_bridge.errors import NOT_LOADABLE, MissingExtraError, UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS, lead_name

_T = TypeVar("_T")
if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

LONG_GAP_S = 60.0
"""A longer gap has no rows, only a note: an hour of nothing would cost memory, disk and time in every sink."""


@dataclass(frozen=True)
class Note:
    """Something that happened at a place of the time axis.

    Attributes
    ----------
    kind : str
        ``gap``, ``held``, ``lead-off``, ``lead-on``, ``disconnect``, ``reconnect``, ``overrun``, ``restart``,
        ``calibration``, ``signal`` (a lead is flat or clipped), ``fallback`` (other leads are reconstructed from).
        Or ``electrodes`` (they look exchanged), ``silent`` (connected, but nothing arrives), ``rate`` (not the nominal
        one), ``clock`` (the machine's was set: dates are mended). Or ``worker`` (another process goes on: what was
        before lies in another recording).
    index, stop : int
        Half-open range on the native sample axis; ``stop == index`` for an instant.
    text : str
        For the human.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> ee.Note("gap", 500, 750, "1.000 s (250 samples) lost").stop
    750
    """

    kind: str
    index: int
    stop: int
    text: str


@dataclass(frozen=True, repr=False, eq=False)
class LeadBlock:
    """Consecutive samples of the twelve leads, all aligned to the same instants.

    Two blocks are equal where everything is but `arrival`: when they arrived. NaN equals NaN.

    Attributes
    ----------
    index : int
        Index of the first row on the model-rate sample axis.
    mv : ndarray of float32, shape (n_samples, 12)
        Conditioned, in mV, columns as ``lead_names.LEADS``.
    provenance : tuple of Provenance
        One per lead.
    valid : ndarray of bool, shape (n_samples, 12)
        False where the value must not be shown or used.
    warmup : ndarray of bool, shape (n_samples,)
        True until the network has settled after a reset or after lost samples. After a reset what is reconstructed is
        invalid; after a loss it is valid once its inputs are.
    sigma : ndarray of float32, shape (n_samples, 12)
        Half-width in mV of the interval the model states (at ``spec.head.interval_level``);
        zero for measured and derived leads.
    arrival : float
        Host time (``Clock.monotonic``) at which the sample that completed the block arrived.
    held : ndarray of bool, shape (n_samples,), or None
        True where a short gap in the input was bridged. The row is valid, but part of its input is a straight line.
        None: nowhere.
    share : ndarray of float32, shape (n_samples,), or None
        How much of a person's refitted head went into the row, 0 to 1. None: the model's own head alone.
    fs : float or Fraction
        Rate of the rows in Hz; 0 where it is not known.
    channels : tuple of str
        Measured channels that are none of the twelve leads: pairs of electrodes such as ``RA-V5``.
    channel_mv, channel_valid : ndarray of shape (n_samples, n_channels), or None
        Their values in mV, conditioned, and where these can be trusted. None: no such channel.

    Examples
    --------
    >>> import numpy as np, ecg_edge as ee
    >>> block = ee.reconstruct(0.1 * np.sin(np.arange(500.0)), fs=250, leads=("I",))
    >>> block
    <LeadBlock: 200 rows from 0 at 100 Hz; measured I; reconstructed II, III, aVR, aVL, aVF, V1, V2, V3, V4, V5, V6>
    >>> block.lead("V2").shape, block.rows(100, 150).mv.shape
    ((200,), (50, 12))
    """

    index: int
    mv: npt.NDArray[np.float32]
    provenance: tuple[Provenance, ...]
    valid: npt.NDArray[np.bool_]
    warmup: npt.NDArray[np.bool_]
    sigma: npt.NDArray[np.float32]
    arrival: float = 0.0
    held: npt.NDArray[np.bool_] | None = None
    share: npt.NDArray[np.float32] | None = None
    fs: float | Fraction = 0
    channels: tuple[str, ...] = ()
    channel_mv: npt.NDArray[np.float32] | None = None
    channel_valid: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.mv)

    def __eq__(self, other: object) -> bool:
        return same_contents(self, other, but="arrival")

    __hash__ = None  # type: ignore[assignment]  # arrays have none

    def __repr__(self) -> str:
        rate = f" at {float(self.fs):g} Hz" if self.fs else ""
        parts = [f"{len(self)} rows from {self.index}{rate}"]
        for kind in Provenance:
            if leads := [lead for lead, p in zip(LEADS, self.provenance, strict=True) if p is kind]:
                parts.append(f"{kind.value} {', '.join(leads)}")
        if self.channels:
            parts.insert(1, f"channels {', '.join(self.channels)}")
        return f"<LeadBlock: {'; '.join(parts)}>"

    @classmethod
    def join(cls, blocks: Iterable[LeadBlock]) -> LeadBlock:
        """Join blocks that follow each other.

        Parameters
        ----------
        blocks : iterable of LeadBlock
            At least one, without a row missing between them.

        Raises
        ------
        UsageError
            None, or rows are missing, or provenance or rate change.

        Examples
        --------
        Where an electrode was off, provenance changes. Join each stretch for itself:

        >>> from itertools import groupby
        >>> import ecg_edge as ee
        >>> with ee.open_stream("synthetic:", fast=True) as stream:
        ...     blocks = [next(stream) for _ in range(9)]
        >>> stretches = [ee.LeadBlock.join(same) for _, same in groupby(blocks, lambda block: block.provenance)]
        >>> len(stretches), len(stretches[0]) == sum(map(len, blocks))
        (1, True)
        """
        blocks = _blocks(blocks)
        first, at = blocks[0], blocks[0].index
        for block in blocks:
            if misfit := _misfit(first, block, at):
                raise UsageError(*misfit)
            at += len(block)
        return replace(
            first,
            mv=np.concatenate([b.mv for b in blocks]),
            valid=np.concatenate([b.valid for b in blocks]),
            warmup=np.concatenate([b.warmup for b in blocks]),
            sigma=np.concatenate([b.sigma for b in blocks]),
            arrival=blocks[-1].arrival,
            held=_joined([b.held for b in blocks], blocks, np.bool_),
            share=_joined([b.share for b in blocks], blocks, np.float32),
            channel_mv=_joined([b.channel_mv for b in blocks], blocks, np.float32),
            channel_valid=_joined([b.channel_valid for b in blocks], blocks, np.bool_),
        )

    @classmethod
    def empty(
        cls,
        index: int,
        n: int,
        provenance: tuple[Provenance, ...],
        arrival: float = 0.0,
        share: npt.NDArray[np.float32] | None = None,
        fs: float | Fraction = 0,
    ) -> LeadBlock:
        """Make a block of `n` rows of which nothing is known: zeros, invalid, warming up.

        Parameters
        ----------
        index : int
            Index of the first row.
        n : int
            Number of rows, also 0.
        provenance, arrival, share, fs
            As the attributes.
        """
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
            raise UsageError(f"n={n!r} is no number of rows", "pass a whole number, 0 or more")
        if not isinstance(index, int | np.integer):
            raise UsageError(f"index={index!r} is no row", "pass a whole number")
        if not isinstance(provenance, tuple) or len(provenance) != len(LEADS):
            raise UsageError(f"provenance={provenance!r} is not that of twelve leads", "pass block.provenance")
        zero = np.zeros((n, len(LEADS)), np.float32)
        none = np.zeros((n, len(LEADS)), np.bool_)
        return cls(index, zero, provenance, none, np.ones(n, np.bool_), zero, arrival, share=share, fs=fs)

    def rows(self, a: int | None = None, b: int | None = None) -> LeadBlock:
        """Return rows `a` to `b` as views; `index` moves with them.

        Parameters
        ----------
        a, b : int, optional
            Half-open range as of a slice: counted from the block's first row, from its end where negative. By default
            from the first row, to the last one. Beyond the last row there are none.

        Raises
        ------
        UsageError
            No whole numbers.
        """
        a, b = self._row(a, 0, "a"), self._row(b, len(self), "b")
        return replace(
            self,
            index=self.index + a,
            mv=self.mv[a:b],
            valid=self.valid[a:b],
            warmup=self.warmup[a:b],
            sigma=self.sigma[a:b],
            held=None if self.held is None else self.held[a:b],
            share=None if self.share is None else self.share[a:b],
            channel_mv=None if self.channel_mv is None else self.channel_mv[a:b],
            channel_valid=None if self.channel_valid is None else self.channel_valid[a:b],
        )

    def _row(self, at: int | None, usual: int, name: str) -> int:
        """Row of a slice's end, not negative."""
        if at is None:
            return usual
        fix = "count rows: block.rows(0, 100); a second has block.fs"
        if isinstance(at, bool):
            raise UsageError(f"{name}={at} is no row", fix)
        try:
            row = exact_index(at)
        except TypeError:
            raise UsageError(f"{name}={at!r} is no row", fix) from None
        return max(0, len(self) + row) if row < 0 else row

    def lead(self, name: str) -> npt.NDArray[np.float32]:
        """Return one lead in mV, shape (n_samples,), as a view.

        Parameters
        ----------
        name : str
            In any spelling `lead_name` knows: ``"V2"``, ``"avr"``.

        Raises
        ------
        UsageError
            Not one of the twelve leads.
        """
        if not isinstance(name, str):
            raise UsageError(f"{name!r} is no name of a lead", f"name one: block.lead('V2'), or block.mv[:, {name!r}]")
        return self.mv[:, LEADS.index(lead_name(name))]

    @property
    def interval(self) -> npt.NDArray[np.float32]:
        """Half-width in mV of the stated interval, shape as `mv`; NaN where nothing was estimated.

        The truth lies within ``mv ± interval`` with the probability of the model's
        ``spec.head.interval_level``: 90 % in the shipped models. A measured lead, and one that follows
        exactly from measured ones, has no interval.
        """
        guess = np.array([p is Provenance.RECONSTRUCTED for p in self.provenance])
        return np.where(guess, self.sigma, np.float32(np.nan))

    @property
    def seconds(self) -> npt.NDArray[np.float64]:
        """Time of each row in seconds from row 0, shape (n_samples,).

        Raises
        ------
        UsageError
            The rate is not known.
        """
        if not self.fs:
            raise UsageError("this block does not know its rate", "set it: dataclasses.replace(block, fs=100)")
        return np.asarray((self.index + np.arange(len(self))) / float(self.fs), np.float64)

    def to_dataframe(self) -> pandas.DataFrame:
        """Return the leads as a pandas DataFrame: a column per lead in mV, NaN where invalid.

        The index is the time in seconds; ``attrs`` holds ``unit``, ``fs`` and ``provenance``.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        try:
            import pandas
        except NOT_LOADABLE:
            raise MissingExtraError("pandas", "pandas") from None
        time = pandas.Index(self.seconds, name="seconds")
        frame = pandas.DataFrame(np.where(self.valid, self.mv, np.float32(np.nan)), index=time, columns=list(LEADS))
        kinds = {lead: p.value for lead, p in zip(LEADS, self.provenance, strict=True)}
        frame.attrs |= {"unit": "mV", "fs": float(self.fs), "provenance": kinds}
        return frame

    def plot(self) -> Figure:
        """Draw the first ten seconds as a twelve-lead strip; a notebook shows the figure.

        A measured lead is a solid line, a derived one thin, a reconstructed one dashed with its stated interval
        as a band. Warming-up rows lie on grey; invalid ones are left out.

        Raises
        ------
        MissingExtraError
            matplotlib is not installed.
        """
        from ecg_edge.device.lead_drawing import draw_strip

        mv = np.where(self.valid, self.mv, np.float32(np.nan))
        return draw_strip(self.seconds, mv, self.interval, self.warmup, [p.value for p in self.provenance])

    def _repr_svg_(self) -> str | None:
        return self._picture("svg", str)

    def _repr_png_(self) -> bytes | None:
        return self._picture("png", bytes)

    def _picture(self, kind: str, to: type[_T]) -> _T | None:
        """What a notebook shows; None, and so the text, where nothing can be drawn."""
        from ecg_edge.device.lead_drawing import picture

        if not len(self) or not self.fs:
            return None
        try:
            drawn = picture(self.plot(), kind)
            return drawn if isinstance(drawn, to) else None
        except MissingExtraError:
            return None


def _blocks(given: object) -> list[LeadBlock]:
    """At least one block."""
    fix = "collect them: LeadBlock.join([one, other])"
    if isinstance(given, LeadBlock) or not isinstance(given, Iterable):
        raise UsageError(f"blocks={type(given).__name__} is no list of blocks", fix)
    blocks = list(given)
    if not blocks:
        raise UsageError("there is no block to join", "collect at least one")
    if strangers := {type(b).__name__ for b in blocks if not isinstance(b, LeadBlock)}:
        raise UsageError(f"blocks holds {', '.join(sorted(strangers))}, which is no LeadBlock", fix)
    return blocks


def _misfit(first: LeadBlock, block: LeadBlock, at: int) -> tuple[str, str] | None:
    """Why a block does not follow at a row, and what to do."""
    if block.fs != first.fs:
        return f"the rate changes from {float(first.fs):g} to {float(block.fs):g} Hz", "join blocks of one rate"
    if block.index != at:
        where = f"row {block.index} follows where row {at} should"
        return where, "join blocks of one stream, in order; a gap of more than a minute has no rows: join around it"
    if block.provenance != first.provenance:
        leads = [x for x, a, b in zip(LEADS, first.provenance, block.provenance, strict=True) if a is not b]
        return (
            f"at row {at} the provenance of {', '.join(leads)} changes: an electrode went off, or came back",
            "join each stretch: [LeadBlock.join(s) for _, s in itertools.groupby(blocks, lambda b: b.provenance)]",
        )
    return None


def _joined(
    parts: Sequence[npt.NDArray[Any] | None], blocks: Sequence[LeadBlock], kind: Any
) -> npt.NDArray[Any] | None:
    """Rows of a field that may be None, which stands for zeros."""
    if all(part is None for part in parts):
        return None
    shape = next(part.shape[1:] for part in parts if part is not None)
    return np.concatenate(
        [np.zeros((len(b), *shape), kind) if p is None else p for p, b in zip(parts, blocks, strict=True)]
    )
