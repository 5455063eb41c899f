"""Score a network on test records that are disturbed in one way each: what an augmentation is worth where it should."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.train.data.prepare import SCORED_FROM_S, Prepared
from ecg_edge.train.evaluation import metrics
from ecg_edge.train.learning import augment
from ecg_edge.train.learning import wearable_noise as disturb
from ecg_edge.train.learning.augment import Augmentation
from ecg_edge.train.runs.checkpoints import reconstruct

_BATCH = 128
_EVERY = 2
Disturb = Callable[[Float32Array, tuple[str, ...], int, int, np.random.Generator], tuple[Float32Array, Float32Array]]
"""Records (n, 8, n_samples), the measured leads first; their names, number, rate → inputs, truth."""


def _recorder(how: Augmentation) -> Disturb:
    """Another recorder changes truth and inputs alike."""

    def apply(
        x: Float32Array, leads: tuple[str, ...], n: int, fs: int, rng: np.random.Generator
    ) -> tuple[Float32Array, Float32Array]:
        x = augment.recorded(x, fs, how, rng)
        return x[:, :n], x[:, n:]

    return apply


def _wearing(how: Augmentation) -> Disturb:
    """What is wrong with the electrodes changes the inputs alone."""

    def apply(
        x: Float32Array, leads: tuple[str, ...], n: int, fs: int, rng: np.random.Generator
    ) -> tuple[Float32Array, Float32Array]:
        return augment.measured(x, leads, n, fs, how, rng), x[:, n:]

    return apply


def _noise(kind: disturb.Noise, mv: float) -> Disturb:
    """Noise of one RMS in every record."""

    def apply(
        x: Float32Array, leads: tuple[str, ...], n: int, fs: int, rng: np.random.Generator
    ) -> tuple[Float32Array, Float32Array]:
        inputs = x[:, :n]
        return np.asarray(inputs + mv * kind(inputs.shape, fs, rng), np.float32), x[:, n:]

    return apply


_QUIET: dict[str, Any] = {"gain": 0.0, "band": 0.0, "noise_mv": 0.0}
CONDITIONS: dict[str, Disturb] = {
    "clean": _recorder(Augmentation(**_QUIET)),
    "gain ±25 %": _recorder(Augmentation(**_QUIET | {"gain": 0.25})),
    "other filters": _recorder(Augmentation(**_QUIET | {"band": 1.0})),
    "white 50 µV": _noise(disturb.white, 0.05),
    "wander 200 µV": _noise(disturb.wander, 0.2),
    "mains 100 µV": _noise(disturb.mains, 0.1),
    "muscle 100 µV": _noise(disturb.muscle, 0.1),
    "motion 200 µV": _noise(disturb.motion, 0.2),
    "a lead off at times": _wearing(Augmentation(**_QUIET, mask=1.0)),
    "electrodes 20 % off": _wearing(Augmentation(**_QUIET, shift=0.2)),
}
"""How test records are disturbed; noise by its RMS."""


def score(model: Any, data: Prepared) -> dict[str, dict[str, float]]:
    """Means over the hidden leads from 2.0 s on, for each of `CONDITIONS`, on every second record.

    Parameters
    ----------
    model : UNet
        In evaluation mode.
    data : Prepared
        Test records.

    Returns
    -------
    dict of str to dict
        ``rmse_mv`` and ``r`` of each condition.
    """
    spec = model.spec
    leads = (*spec.input_leads, *spec.target_leads)
    columns, n = [BASIS.index(lead) for lead in leads], len(spec.input_leads)
    every = np.asarray(data.x[::_EVERY])[:, :, columns].transpose(0, 2, 1)
    first = round(SCORED_FROM_S * spec.fs)
    found = {}
    for name, change in CONDITIONS.items():
        rng, parts = np.random.default_rng(0), []
        for k in range(0, len(every), _BATCH):
            inputs, truth = change(np.ascontiguousarray(every[k : k + _BATCH]), leads, n, spec.fs, rng)
            guess = reconstruct(model, inputs.transpose(0, 2, 1))
            scored = slice(first, guess.shape[1])
            parts.append(metrics.figures(truth.transpose(0, 2, 1)[:, scored], guess[:, scored], spec.target_leads))
        mean = metrics.concatenate(parts).summary()["mean"]
        found[name] = {"rmse_mv": mean["rmse_mv"], "r": mean["r"]}
    return found
