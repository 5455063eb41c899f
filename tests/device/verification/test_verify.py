from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.inference.load import load_model
from ecg_edge.device.verification.model_checks import against, against_on_record, means, stimulus
from ecg_edge.device.verification.verify import verify
from ecg_edge.firmware_bridge.errors import ModelFileError
from tests.support.tiny_model import tiny_model


@given(n=st.integers(1, 16), fs=st.sampled_from([50, 100, 250]), seconds=st.integers(1, 5))
def test_the_stimulus_is_a_formula_of_any_length_with_mean_zero(n, fs, seconds):
    x = stimulus(n, fs, seconds)
    assert x.shape == (seconds * fs, n) and x.dtype == np.float32
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
    assert np.array_equal(x, stimulus(n, fs, seconds)) and np.ptp(x, axis=0).min() > 0.2


def test_a_model_is_verified_by_object_path_and_against_itself(tmp_path):
    model = tiny_model(tmp_path)
    by_path, by_object = verify(model.path), verify(model, model.path)
    assert all(f.ok for f in by_object)
    assert [f.line() for f in by_path] == [f.line() for f in by_object[: len(by_path)]]
    assert [f.name for f in by_object[len(by_path) :]] == [
        f"{lead} against tiny.onnx" for lead in model.spec.target_leads
    ]


def test_a_file_of_another_run_is_no_reference(tmp_path):
    (tmp_path / "b").mkdir()
    model, other = tiny_model(tmp_path), tiny_model(tmp_path / "b", seed=1)
    with pytest.raises(ModelFileError, match="different training runs"):
        verify(model, other)


@pytest.mark.parametrize(("factor", "ok"), [(1.0, True), (1.04, True), (1.06, False)])
def test_a_head_that_differs_by_more_than_a_twentieth_is_found(tmp_path, factor, ok):
    model = tiny_model(tmp_path)
    head = replace(model.spec.head, mean=factor * model.spec.head.mean)
    found = against(replace(model, spec=replace(model.spec, head=head)), model)
    assert [f.ok for f in found] == [ok] * len(found)


@pytest.mark.parametrize(("limit", "ok"), [(9.0, True), (0.001, False)])
def test_on_a_record_the_cost_is_that_of_the_rmse(tmp_path, limit, ok):
    model = tiny_model(tmp_path)
    x = stimulus(2, 100)
    truth = means(model, x) + 0.01 * np.random.default_rng(0).normal(size=(len(x) - model.spec.lookahead, 1))
    head = replace(model.spec.head, mean=1.05 * model.spec.head.mean)
    other = replace(model, spec=replace(model.spec, head=head))
    found = against_on_record(other, model, x, np.asarray(truth, np.float32), (limit, 1000.0, 1000.0))
    assert {f.ok for f in found} == {ok}
    errors = [np.sqrt(((means(m, x) - truth)[200:, 0] ** 2).mean()) for m in (other, model)]
    assert f"RMSE {errors[0]:.4f} mV against {errors[1]:.4f} ({errors[0] / errors[1] - 1:+.2%})" in found[0].detail


def test_a_shipped_file_states_what_was_checked():
    names = [f.name for f in verify(load_model("i-int8"))]
    assert {"metadata", "every cut of the input", "no drift", "conditioning"} <= set(names)
