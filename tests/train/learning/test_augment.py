"""Augmentation: what it may change, and what it must leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from ecg_edge.train.learning import augment
from ecg_edge.train.learning import wearable_noise as disturb
from ecg_edge.train.learning.augment import Augmentation
from ecg_edge.train.studies.grid import AUGMENTATIONS

FS = 100
LEADS = ("I", "V2", "V1", "V3")


def records(seed: int = 0) -> np.ndarray:
    t = np.arange(800) / FS
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(6, 4, 1)) * np.sin(2 * np.pi * 5 * t) + 0.3 * np.sin(2 * np.pi * 0.5 * t)
    return (x + 0.2 * np.sin(2 * np.pi * 40 * t)).astype(np.float32)


def test_nothing_asked_nothing_changed() -> None:
    x = records()
    how = Augmentation(gain=0, band=0, noise_mv=0, colour=0, shift=0)
    rng = np.random.default_rng(1)
    same = augment.recorded(x, FS, how, rng)
    assert np.array_equal(same, x)
    assert np.array_equal(augment.measured(same, LEADS, 2, FS, how, rng), x[:, :2])


def test_a_recorder_treats_all_leads_alike() -> None:
    x = records()
    x[:, 1] = 2 * x[:, 0]
    y = augment.recorded(x, FS, Augmentation(band=1.0), np.random.default_rng(2))
    np.testing.assert_allclose(y[:, 1], 2 * y[:, 0], atol=1e-5)
    assert not np.allclose(y, x, atol=0.02)


def test_filters_take_the_ends_of_the_band() -> None:
    x = records()
    y = augment.filtered(x, FS, 1.0, np.random.default_rng(3))
    before, after = (np.abs(np.fft.rfft(z, axis=-1)) for z in (x, y))
    at = {f: round(f * 800 / FS) for f in (0.5, 5, 40)}
    assert (after[..., at[40]] < before[..., at[40]]).all()
    assert (after[..., at[0.5]] < before[..., at[0.5]]).all()
    assert (after[..., at[5]] > 0.95 * before[..., at[5]]).all()


def test_noise_touches_the_inputs_only_and_keeps_its_level() -> None:
    x = records()
    kept = x.copy()
    how = Augmentation(noise_mv=0.05, colour=1.5)
    y = augment.measured(x, LEADS, 2, FS, how, np.random.default_rng(4))
    assert np.array_equal(x, kept)
    rms = np.sqrt(((y - x[:, :2]) ** 2).mean(axis=-1))
    assert (rms < 0.08).all() and (rms > 0.0005).all()


@pytest.mark.parametrize("colour", [0.0, 2.0])
def test_coloured_noise_is_slow(colour: float) -> None:
    n = augment.noise((50, 1, 800), FS, Augmentation(noise_mv=0.02, colour=colour), np.random.default_rng(5))
    power = (np.abs(np.fft.rfft(n, axis=-1)) ** 2).mean(axis=(0, 1))
    ratio = power[8:80].mean() / power[200:].mean()
    assert (ratio > 3) == (colour > 0)


def test_a_misplaced_chest_electrode_sees_its_neighbours() -> None:
    x = np.random.default_rng(9).normal(size=(6, 4, 800)).astype(np.float32)
    how = Augmentation(noise_mv=0, shift=0.3)
    y = augment.measured(x, LEADS, 2, FS, how, np.random.default_rng(6))
    assert np.array_equal(y[:, 0], x[:, 0]), "lead II is not there to be mixed in"
    for moved, v2, v1, v3 in zip(y[:, 1], x[:, 1], x[:, 2], x[:, 3], strict=True):
        shares = [np.dot(moved - v2, n - v2) / np.dot(n - v2, n - v2) for n in (v1, v3)]
        errors = [np.abs(moved - v2 - s * (n - v2)).max() for s, n in zip(shares, (v1, v3), strict=True)]
        assert min(errors) < 1e-5
        assert 0 <= shares[int(np.argmin(errors))] <= 0.3


def test_the_generator_decides_everything() -> None:
    how = Augmentation(band=0.5, noise_mv=0.02, colour=1, shift=0.2)
    a, b, c = (
        augment.measured(augment.recorded(records(), FS, how, rng), LEADS, 2, FS, how, rng)
        for rng in map(np.random.default_rng, (7, 7, 8))
    )
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_a_misplaced_limb_electrode_mixes_the_limb_leads() -> None:
    x = np.random.default_rng(9).normal(size=(6, 4, 800)).astype(np.float32)
    how = Augmentation(noise_mv=0, shift=0.3)
    y = augment.measured(x, ("I", "II", "V1", "V2"), 2, FS, how, np.random.default_rng(6))
    for k in (0, 1):
        share = ((y - x[:, :2])[:, k] * x[:, 1 - k]).sum(-1) / (x[:, 1 - k] ** 2).sum(-1)
        np.testing.assert_allclose(y[:, k], x[:, k] + share[:, None] * x[:, 1 - k], atol=1e-5)
        assert (np.abs(share) <= 0.3).all() and share.min() < 0 < share.max()


@pytest.mark.parametrize("kind", [*disturb.KINDS, "white"])
@pytest.mark.parametrize("fs", [100, 250])
def test_each_noise_has_its_level_and_its_place_in_the_spectrum(kind: str, fs: int) -> None:
    make = disturb.KINDS.get(kind, disturb.white)
    n = make((40, 2, 8 * fs), fs, np.random.default_rng(5))
    np.testing.assert_allclose(np.sqrt((n**2).mean(-1)), 1, rtol=1e-4)
    power = (np.abs(np.fft.rfft(n, axis=-1)) ** 2).mean(axis=(0, 1))
    f = np.fft.rfftfreq(8 * fs, 1 / fs)
    low, high = {
        "wander": (0.1, 1.2), "mains": (46, 61), "muscle": (8, fs / 2), "motion": (0.2, 15), "white": (0, fs / 2),
    }[kind]  # fmt: skip
    assert power[(f >= low) & (f <= high)].sum() > 0.9 * power.sum()
    assert np.array_equal(n, make((40, 2, 8 * fs), fs, np.random.default_rng(5)))


def test_mains_is_alike_in_all_leads_and_motion_is_not() -> None:
    def together(kind: str) -> float:
        n = disturb.KINDS[kind]((30, 2, 800), FS, np.random.default_rng(3))
        return float(np.mean([abs(np.corrcoef(two)[0, 1]) for two in n]))

    assert together("mains") > 0.99 > 0.5 > together("motion")


def test_a_lead_that_falls_off_is_silent_for_a_stretch_and_never_the_only_one() -> None:
    x = 1 + np.random.default_rng(1).random((200, 2, 800)).astype(np.float32)
    y = disturb.fallen_off(x, 0.5, np.random.default_rng(2))
    off = y == 0
    assert np.array_equal(y[~off], x[~off])
    assert 70 < off.any(axis=(1, 2)).sum() < 130
    assert not off.all(axis=1).any()
    assert (np.abs(np.diff(off.astype(int), axis=-1)).sum(axis=-1) <= 2).all()
    assert np.array_equal(disturb.fallen_off(x[:, :1], 1.0, np.random.default_rng(2)), x[:, :1])


@pytest.mark.parametrize("name", [n for n in AUGMENTATIONS if n not in ("none", "gain", "other filters")])
def test_every_augmentation_of_the_study_changes_what_is_measured(name: str) -> None:
    x = np.random.default_rng(9).normal(size=(6, 4, 800)).astype(np.float32)
    how = Augmentation(**{"gain": 0.0, "noise_mv": 0.0, **AUGMENTATIONS[name]})  # type: ignore[arg-type]
    y = augment.measured(x, ("I", "II", "V1", "V2"), 2, FS, how, np.random.default_rng(1))
    assert not np.array_equal(y, x[:, :2])
