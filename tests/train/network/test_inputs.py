"""What a network sees of the basis leads: its own channels, values with masks, or guesses with shares."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecg_edge.device.lead_algebra import BASIS, measured
from ecg_edge.device.placement import guess_from
from ecg_edge.train.network.inputs import input_matrix, masked, seen_by
from ecg_edge.train.network.lead_subsets import mask_of
from ecg_edge.train.network.unet import NetSpec, UNet

ROOT = np.random.default_rng(1).normal(0, 0.1, (8, 8))
COVARIANCE = ROOT @ ROOT.T + 0.01 * np.eye(8)
X = np.random.default_rng(0).normal(size=(3, 40, 8)).astype(np.float32)
THIN = {"channels": (4, 6), "kernels": (5, 4), "dilations": (1,), "n_features": 4}
ANY = NetSpec(BASIS, any_lead=True, **THIN)  # type: ignore[arg-type]
ANYWHERE = NetSpec(BASIS, any_lead=True, any_electrode=True, **THIN)  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", [("I", "II"), ("II", "I"), ("V2", "I", "II")])
def test_fixed_channels_are_taken_in_the_networks_order(channels: tuple[str, ...]) -> None:
    matrix, constant = input_matrix(NetSpec(("II", "I")), channels)
    assert constant.size == 0
    seen = measured(X, channels) @ matrix.T
    np.testing.assert_array_equal(seen, X[..., [BASIS.index("II"), BASIS.index("I")]])


@pytest.mark.parametrize("channels", [("I",), ("I", "II"), ("I", "II", "V2"), ("V6", "V1")])
def test_an_any_lead_network_sees_values_and_masks(channels: tuple[str, ...]) -> None:
    matrix, constant = input_matrix(ANY, channels)
    np.testing.assert_array_equal(constant, mask_of(channels))
    np.testing.assert_array_equal(measured(X, channels) @ matrix.T, X * mask_of(channels))
    np.testing.assert_array_equal(seen_by(UNet(ANY), X, channels), masked(X, channels))


@pytest.mark.parametrize("channels", [("RA-V5",), ("I", "II"), ("V1-V3", "V1-V6")])
def test_an_any_electrode_network_sees_guesses_and_what_is_known(channels: tuple[str, ...]) -> None:
    network = UNet(ANYWHERE)
    network.get_buffer("covariance").copy_(torch.from_numpy(COVARIANCE))
    seen = seen_by(network, X, channels)
    guess = guess_from(channels, COVARIANCE)
    assert (seen.shape, seen.dtype) == ((3, 40, 16), np.float32)
    np.testing.assert_allclose(seen[..., :8], measured(X, channels) @ guess.matrix.T, atol=1e-5)
    np.testing.assert_allclose(seen[0, 0, 8:], guess.known, atol=1e-6)
    assert (seen[..., 8:] == seen[0, 0, 8:]).all(), "what is known does not change with time"


def test_a_lead_that_is_measured_is_guessed_exactly_and_known() -> None:
    network = UNet(ANYWHERE)
    network.get_buffer("covariance").copy_(torch.from_numpy(COVARIANCE))
    seen = seen_by(network, X, ("I", "II"))
    np.testing.assert_allclose(seen[..., :2], X[..., :2], atol=0.02)
    assert (seen[..., 8:10] > 0.99).all() and (seen[..., 10:] < 0.99).all()


def test_one_record_is_seen_as_in_a_batch() -> None:
    np.testing.assert_array_equal(seen_by(UNet(ANY), X[1], ("I", "II")), seen_by(UNet(ANY), X, ("I", "II"))[1])
    np.testing.assert_array_equal(masked(X[1], ("I",)), masked(X, ("I",))[1])
