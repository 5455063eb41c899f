"""Files of random weights: sealed, of the shape asked for, and said to be random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_edge.benchmarks.hop_cost import random_weights
from ecg_edge.device.inference.head import features
from ecg_edge.device.inference.load import load_model
from ecg_edge.train.network.unet import NetSpec, UNet

SMALL = NetSpec(("I", "II"), channels=(4, 6), kernels=(5, 4), dilations=(1,), n_features=4)


def test_noise_is_the_same_every_time() -> None:
    x = random_weights.noise(3)
    assert (x.shape, x.dtype) == ((8, 400, 3), np.float32)
    np.testing.assert_array_equal(x, random_weights.noise(3))
    assert x.std() == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize(("precision", "hop"), [("fp32", None), ("fp32", 8), ("int8", 4)])
def test_a_file_has_the_precision_and_the_hop_asked_for(precision: str, hop: int | None, tmp_path: Path) -> None:
    path = random_weights.file_of(SMALL, precision, tmp_path, hop)
    spec = load_model(path).spec
    assert (spec.precision, spec.hop) == (precision, hop or SMALL.hop)
    assert (spec.input_leads, spec.target_leads, spec.lookahead) == (("I", "II"), SMALL.target_leads, SMALL.lookahead)
    assert spec.training["weights"] == "random"
    assert NetSpec.from_dict(spec.training["network"]) == SMALL


def test_the_file_computes_what_the_network_does(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = UNet(SMALL).eval()
    exporter = random_weights.exporter_of(network)
    torch.manual_seed(3)
    model = load_model(random_weights.file_of(SMALL, "fp32", tmp_path))
    assert model.spec.model_id == exporter.spec.model_id
    x = np.random.default_rng(1).normal(size=(40, 2)).astype(np.float32)
    with torch.no_grad():
        want = network.body(torch.from_numpy(x.T.copy())[None, :, None])[0, :, 0].T.numpy()[SMALL.lookahead :]
    np.testing.assert_allclose(features(model, x), want, atol=1e-5)


def test_a_longer_hop_costs_as_many_multiplications_a_sample() -> None:
    network = UNet(SMALL).eval()
    one, four = (random_weights.exporter_of(network, hop).graph.macs_per_hop() for hop in (2, 8))
    assert four == 4 * one
