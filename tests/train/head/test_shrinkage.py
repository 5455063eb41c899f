"""What of a person's change lasts: learnt factors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_edge.device.inference.load import load_model
from ecg_edge.device.personal_calibration.fit import TAUGHT_STRENGTH, Design, fit, prior, whitened
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.head import shrinkage
from ecg_edge.train.head.design import head_weights, regressors
from ecg_edge.train.head.figures import HeadFigures
from ecg_edge.train.network.unet import NetSpec, UNet

RECORDS, LENGTH = 80, 800


def _twice(model: UNet, lasting: float) -> Prepared:
    """Forty people with two recordings each; the head of a person is the model's plus a change of one weight.

    In the second recording the share `lasting` of the change is left.
    """
    rng = np.random.default_rng(4)
    late = model.spec.lookahead
    x = rng.normal(0, 0.3, (RECORDS, LENGTH, 8)).astype(np.float32)
    head = head_weights(model)[0].astype(np.float64)
    with torch.no_grad():
        for k in range(RECORDS):
            rows = regressors(model, torch.from_numpy(x[k : k + 1, :, :2].transpose(0, 2, 1).copy()))[0].numpy()
            person = np.random.default_rng(k // 2).normal(0, 0.5, 6)
            mine = head.copy()
            mine[model.spec.n_features] += person * (lasting if k % 2 else 1.0)
            x[k, : LENGTH - late, 2:] = (rows @ mine)[late:]
    patients = [f"p{k // 2}" for k in range(RECORDS)]
    return Prepared(x, list(range(RECORDS)), patients, [()] * RECORDS, {})


@pytest.mark.parametrize("lasting", [1.0, 0.4])
def test_the_factors_say_how_much_of_a_change_lasts(small: NetSpec, lasting: float) -> None:
    torch.manual_seed(0)
    model = UNet(small).eval()
    data = _twice(model, lasting)
    n = head_weights(model)[0].shape[0]
    with torch.no_grad():
        x = torch.from_numpy(data.x[:, :, :2].transpose(0, 2, 1).copy())
        rows = regressors(model, x)[:, 200:].reshape(-1, n).numpy().astype(np.float64)
    moments = (rows.T @ rows / len(rows)).astype(np.float32)
    found = shrinkage.learn(model, data, moments)
    assert found is not None and found.shape == (n, 6)
    basis, inverse = whitened(prior(moments))
    change = np.zeros(n)
    change[small.n_features] = 1.0
    kept = basis @ (found * (inverse @ change)[:, None])
    # From the first recording to the second and back, each weighed by the power of what is to be explained;
    # and the ridge that fitted the change took strength / (samples + strength) of it away.
    ridge = (LENGTH - 100) / (LENGTH - 100 + TAUGHT_STRENGTH)
    expected = (1 / lasting + lasting) / (1 / lasting**2 + lasting**2) / ridge
    assert kept[small.n_features] == pytest.approx(np.full(6, expected), abs=0.1)


def test_too_few_pairs_teach_nothing_and_the_file_keeps_what_was_learnt(small: NetSpec, tmp_path: Path) -> None:
    model = UNet(small).eval()
    data = _twice(model, 1.0)
    few = replace(data, x=data.x[:20], ids=data.ids[:20], patients=data.patients[:20])
    n = head_weights(model)[0].shape[0]
    assert shrinkage.learn(model, few, np.eye(n, dtype=np.float32)) is None
    for shrink in (None, np.full((n, 6), 0.5, np.float32)):
        c = HeadFigures(np.eye(n, dtype=np.float32), np.ones(6, np.float32), 1.0, {}, shrink)
        c.save(tmp_path / "c.npz")
        again = HeadFigures.load(tmp_path / "c.npz").shrink
        assert again is None if shrink is None else np.array_equal(again, shrink)


def test_a_model_that_knows_what_lasts_shortens_the_change_so() -> None:
    spec = load_model("i-ii-int8").spec
    assert spec.head.shrink is not None
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 0.2, (800, spec.n_regressors))
    d = Design(rows, rows @ (spec.head.mean + rng.normal(0, 0.1, spec.head.mean.shape)))
    ones = replace(spec, head=replace(spec.head, shrink=np.ones_like(spec.head.shrink)))
    none = replace(spec, head=replace(spec.head, shrink=np.zeros_like(spec.head.shrink)))
    half = replace(spec, head=replace(spec.head, shrink=np.full_like(spec.head.shrink, 0.5)))
    full, own, between = (fit(s, [d]).again for s in (ones, none, half))
    assert np.allclose(own, spec.head.mean) and np.abs(full - own).max() > 0.01
    assert np.allclose(between, (full + own) / 2)
