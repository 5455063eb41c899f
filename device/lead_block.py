"""LeadBlock and Note: what goes to every sink."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.firmware_bridge.lead_names import LEADS, lead_name


@dataclass(frozen=True)
class Note:
    """Something that happened at a place of the time axis.

    Attributes
    ----------
    kind : str
        ``gap``, ``held``, ``lead-off``, ``lead-on``, ``disconnect``, ``reconnect``, ``overrun``, ``restart``,
        ``calibration``, ``signal`` (a lead is flat or clipped), ``fallback`` (other leads are reconstructed from),
        ``electrodes`` (they look exchanged), ``silent`` (connected, but nothing comes).
    index, stop : int
        Half-open range on the native sample axis; ``stop == index`` for an instant.
    text : str
        For the human.
    """

    kind: str
    index: int
    stop: int
    text: str


@dataclass(frozen=True)
class LeadBlock:
    """Consecutive samples of the twelve leads, all aligned to the same instants.

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
        True until the network has settled after a reset.
    sigma : ndarray of float32, shape (n_samples, 12)
        Half-width in mV of the interval the model states (at ``spec.head.interval_level``);
        zero for measured and derived leads.
    arrival : float
        Host time (``Clock.monotonic``) at which the sample that completed the block arrived.
    held : ndarray of bool, shape (n_samples,), or None
        True where a short gap in the input was bridged: the row is valid, but part of what it was
        computed from is a straight line. None: nowhere.
    share : ndarray of float32, shape (n_samples,), or None
        How much of a person's refitted head went into the row, 0 to 1. None: the model's own head alone.
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

    def __len__(self) -> int:
        return len(self.mv)

    @classmethod
    def empty(
        cls,
        index: int,
        n: int,
        provenance: tuple[Provenance, ...],
        arrival: float = 0.0,
        share: npt.NDArray[np.float32] | None = None,
    ) -> LeadBlock:
        """Make a block of `n` rows of which nothing is known: zeros, invalid, warming up.

        Parameters
        ----------
        index : int
            Index of the first row.
        n : int
            Number of rows, also 0.
        provenance, arrival, share
            As the attributes.
        """
        zero = np.zeros((n, len(LEADS)), np.float32)
        none = np.zeros((n, len(LEADS)), np.bool_)
        return cls(index, zero, provenance, none, np.ones(n, np.bool_), zero, arrival, share=share)

    def rows(self, a: int, b: int) -> LeadBlock:
        """Return rows `a` to `b` as views; `index` moves with them.

        Parameters
        ----------
        a, b : int
            Half-open range counted from the block's first row, not negative. Beyond the last row there are none.
        """
        return replace(
            self,
            index=self.index + a,
            mv=self.mv[a:b],
            valid=self.valid[a:b],
            warmup=self.warmup[a:b],
            sigma=self.sigma[a:b],
            held=None if self.held is None else self.held[a:b],
            share=None if self.share is None else self.share[a:b],
        )

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
