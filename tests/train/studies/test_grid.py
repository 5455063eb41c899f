"""The rows of each study: what differs between them is what the study asks, and nothing else."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from ecg_edge.train.learning.augment import Augmentation
from ecg_edge.train.network.unet import NetSpec, UNet
from ecg_edge.train.studies import grid


@pytest.mark.parametrize("study", grid.STUDIES)
@pytest.mark.parametrize("smaller", [False, True])
def test_every_row_has_a_name_of_its_own_and_the_same_epochs(study: str, smaller: bool) -> None:
    rows = grid.rows(study, 3, smaller)
    assert len({row.name for row in rows}) == len(rows)
    assert {row.train.epochs for row in rows} == {3}
    assert len({(row.configuration, row.design) for row in rows}) == len(rows)
    assert all("/" not in row.name and " " not in row.name for row in rows)


def test_looking_ahead_differs_in_the_look_ahead_alone() -> None:
    rows = grid.rows("lookahead", 1)
    ours = [row for row in rows if row.design == "ours"]
    assert [row.net.lookahead * 10 for row in ours] == list(grid.LOOKAHEADS_MS)
    assert len({replace(row.net, lookahead=0) for row in ours}) == 1
    assert [row.configuration for row in rows if row.design == "ours offline"] == ["offline"]


def test_width_differs_in_the_channels_alone_and_each_is_larger() -> None:
    nets = [row.net for row in grid.rows("width", 1)]
    assert nets[1] == NetSpec(("I", "II")), "x1 is the shipped shape"
    sizes = [UNet(net).n_parameters() for net in nets]
    assert sizes == sorted(set(sizes))
    for net in nets:
        assert replace(net, channels=(), n_features=0) == replace(nets[0], channels=(), n_features=0)
        assert all(c % 4 == 0 for c in (*net.channels, net.n_features))


def test_an_augmentation_is_one_kind_alone() -> None:
    rows = {row.configuration: row.train.augmentation for row in grid.rows("augmentation", 1)}
    none = rows["none"]
    for name in grid.AUGMENTATIONS:
        changed = {f.name for f in fields(Augmentation) if getattr(rows[name], f.name) != getattr(none, f.name)}
        assert changed <= set(grid.AUGMENTATIONS[name]), name
        assert changed or name == "none"
    worn = rows["as shipped"]
    assert worn.wander_mv and worn.mains_mv and worn.muscle_mv and worn.motion_mv and not worn.mask
    assert all(getattr(rows["all"], k) == v for how in grid.AUGMENTATIONS.values() for k, v in how.items())


def test_the_offline_design_sees_whole_records_without_delay() -> None:
    rows = grid.rows("gradowski2025", 1)
    assert len(rows) == 2 * len(grid.configurations())
    for row in rows:
        if row.design == "offline U-Net":
            assert (row.net.lookahead, row.train.crop, row.train.warmup_samples) == (0, 1000, 0)
            assert row.name.endswith(".unet")
        else:
            assert row.name.endswith(".ours") and row.net.lookahead > 0


def test_small_rows_are_small() -> None:
    assert all(UNet(row.net).n_parameters() < 20_000 for row in grid.rows("lookahead", 1, smaller=True))
