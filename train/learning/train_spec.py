"""How a network is trained: the settings of a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ecg_edge.firmware_bridge.errors import CheckpointError
from ecg_edge.train.learning.augment import Augmentation

MAY_CHANGE = ("lr", "clip", "patience", "minutes")
"""Settings that a run may be continued with other values of."""


@dataclass(frozen=True)
class TrainSpec:
    """How to train.

    Attributes
    ----------
    epochs, batch, lr, weight_decay, seed
        As usual; the rate follows one cycle (a tenth of the steps up, cosine down).
    crop : int
        Samples of each record seen per epoch, cut at random: every crop is a cold start.
    warmup_samples : int
        Samples after the cold start that do not count in the loss.
    r_weight : float
        Weight of ``1 - r`` beside the RMSE.
    spread : float
        Weight of the lost spread of R amplitudes over a batch, see `spread_loss.lost_spread`.
    spread_share : float
        Wanted spread, in units of the truth's standard deviation.
    stretch : float
        R waves of the teachers' estimates are stretched until their variance over records is this share of the
        truth's. 0: not at all. See `r_wave_stretch.learn`.
    mix : float
        Teachers also answer for records whose measured leads are mixed by this much; 0: no. See `teachers.taught`.
    mixes : int
        How often each record is mixed, each time by other random numbers.
    diagnosis : float
        Weight of what a classifier of diagnoses sees of the estimate and not of the truth, or the other way round.
    field : int
        How often an epoch shows each field record (0: not at all; `train --plan` alone).
    warp : float
        Each record is stretched in time by a factor up to this share (on a GPU, see `gpu.draw`).
    minutes : float
        Not used: a plan of `train --plan` gives a network its time.
    gain, band, noise_mv, colour, wander_mv, mains_mv, muscle_mv, motion_mv, mask, shift : float
        See `augment.Augmentation`.
    specialists : float
        Any-lead: share of the drawn lead sets that have a network of their own, see `subsets`.
    ema : float
        Decay of the averaged weights that are validated and kept.
    keep : float
        Where training starts from other weights: their share in what is validated and kept, 0 to 1. Between the
        two a network is as good on what it knew, and most of what it learnt is there (Wortsman et al. 2022,
        "Robust fine-tuning of zero-shot models", CVPR).
    clip : float
        Largest norm of the gradient.
    patience : int
        Stop after this many epochs without a better RMSE on the validation records; 0: never.
    """

    epochs: int = 20
    batch: int = 64
    lr: float = 4e-3
    weight_decay: float = 0.02
    seed: int = 0
    crop: int = 800
    warmup_samples: int = 60
    r_weight: float = 0.15
    spread: float = 0.0
    spread_share: float = 1.0
    stretch: float = 0.0
    mix: float = 0.0
    mixes: int = 1
    diagnosis: float = 0.0
    field: int = 0
    warp: float = 0.0
    minutes: float = 0.0
    gain: float = 0.25
    band: float = 0.25
    noise_mv: float = 0.02
    colour: float = 1.0
    wander_mv: float = 0.0
    mains_mv: float = 0.0
    muscle_mv: float = 0.0
    motion_mv: float = 0.0
    mask: float = 0.0
    shift: float = 0.0
    specialists: float = 0.5
    ema: float = 0.999
    keep: float = 0.0
    clip: float = 5.0
    patience: int = 0

    @property
    def augmentation(self) -> Augmentation:
        """What is done to each crop."""
        return Augmentation(**{f.name: getattr(self, f.name) for f in fields(Augmentation)})

    def continues(self, other: TrainSpec) -> bool:
        """Whether a run trained by `other` may go on with these settings."""
        return replace(other, **{name: getattr(self, name) for name in MAY_CHANGE}) == self

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionary for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> TrainSpec:
        """Read back what `to_dict` wrote."""
        if unknown := set(d) - {f.name for f in fields(cls)}:
            raise CheckpointError(f"unknown training settings {sorted(unknown)}", "train again with this version")
        return cls(**d)
