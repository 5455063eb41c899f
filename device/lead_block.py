"""Leadblock and note: what goes to every sink."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_edge.device.lead_algebra import Provenance


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
        Conditioned, in mV, columns as ``samples.LEADS``.
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
