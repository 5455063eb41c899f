"""Settings of a training: read back as written, and which may change on the way."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from ecg_edge.firmware_bridge.errors import CheckpointError
from ecg_edge.train.learning.augment import Augmentation
from ecg_edge.train.learning.train_spec import MAY_CHANGE, TrainSpec

NAMES = [f.name for f in fields(TrainSpec)]


def another(value: Any) -> Any:
    return value + 1


@pytest.mark.parametrize("name", NAMES)
def test_a_run_goes_on_with_another_value_of_what_may_change_and_of_nothing_else(name: str) -> None:
    spec = TrainSpec()
    other = replace(spec, **{name: another(getattr(spec, name))})
    assert other.continues(spec) == spec.continues(other) == (name in MAY_CHANGE)
    assert TrainSpec.from_dict(other.to_dict()) == other != spec


def test_the_augmentation_is_that_of_the_settings() -> None:
    spec = replace(TrainSpec(), **{f.name: 0.125 * (k + 1) for k, f in enumerate(fields(Augmentation))})
    for k, f in enumerate(fields(Augmentation)):
        assert getattr(spec.augmentation, f.name) == 0.125 * (k + 1)


def test_a_setting_of_a_later_version_is_refused_by_its_name() -> None:
    with pytest.raises(CheckpointError, match=r"\['feathers'\]"):
        TrainSpec.from_dict(TrainSpec().to_dict() | {"feathers": 3})


def test_a_setting_that_an_earlier_version_did_not_have_gets_its_default() -> None:
    old = TrainSpec(lr=1e-3).to_dict()
    del old["warp"], old["diagnosis"]
    assert TrainSpec.from_dict(old) == TrainSpec(lr=1e-3)


def test_what_is_neither_shape_nor_number_is_in_no_setting() -> None:
    assert set(MAY_CHANGE) <= set(NAMES)
    assert all(isinstance(v, int | float) for v in TrainSpec().to_dict().values())
