import json
import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.inference.spec import ModelSpec, StateSpec
from ecg_edge.device.lead_algebra import BASIS, missing_basis
from ecg_edge.firmware_bridge.errors import ModelFileError
from tests.support.tiny_model import any_lead_spec, tiny_spec

LEADS = st.lists(st.sampled_from(BASIS), min_size=1, max_size=7, unique=True).map(tuple)
LAGS = st.lists(st.integers(-9, 6).filter(bool), max_size=3, unique=True).map(tuple)


def same(a, b):
    """Whether two dataclasses hold the same, arrays included."""
    for f in fields(a):
        x, y = getattr(a, f.name), getattr(b, f.name)
        if f.name in ("head", "subsets"):
            pairs = zip(x, y, strict=True) if f.name == "subsets" else [(x, y)]
            assert all(same(p, q) for p, q in pairs)
        elif isinstance(x, dict) and any(isinstance(v, np.ndarray) for v in x.values()):
            assert x.keys() == y.keys()
            for key in x:
                np.testing.assert_array_equal(x[key], y[key])
        elif isinstance(x, np.ndarray):
            np.testing.assert_array_equal(x, y)
        else:
            assert x == y, f.name
    return True


@given(leads=LEADS, lags=LAGS, seed=st.integers(0, 9))
def test_a_description_comes_back_as_it_was(leads, lags, seed):
    spec = tiny_spec(leads, lags=lags, seed=seed, ridge={"1": np.ones((len(leads), 3), np.float32)})
    assert same(ModelSpec.from_json(spec.to_json()), spec)


def test_a_description_with_shrinkage_and_subsets_comes_back():
    spec = tiny_spec()
    shrunk = replace(spec, head=replace(spec.head, shrink=np.full_like(spec.head.mean, 0.5)))
    assert same(ModelSpec.from_json(shrunk.to_json()), shrunk)
    many = any_lead_spec()
    assert same(ModelSpec.from_json(many.to_json()), many)


def test_the_text_is_the_same_for_the_same_model():
    assert tiny_spec().to_json() == tiny_spec().to_json() != tiny_spec(seed=1).to_json()


@given(leads=LEADS, lags=LAGS)
def test_counts_follow_from_the_leads(leads, lags):
    spec = tiny_spec(leads, lags=lags)
    assert spec.n_inputs == len(leads) and spec.target_leads == missing_basis(leads)
    assert spec.head.mean.shape == (spec.n_regressors, len(spec.target_leads))
    assert spec.algorithmic_latency_s == pytest.approx(0.09)  # (4 + 6 - 1) / 100


def test_a_model_of_any_leads_has_a_mask_beside_every_lead():
    assert any_lead_spec().n_inputs == 16


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
def test_a_cold_start_is_zero_in_the_states_own_scale(dtype):
    state = StateSpec("s", (1, 2, 3), dtype, 0.1, 7)
    cold = state.initial()
    assert cold.shape == (1, 2, 3) and cold.dtype == dtype and state.out == "s_out"
    np.testing.assert_array_equal((cold.astype(float) - state.zero_point) * state.scale, 0)


DAMAGES = [
    (lambda d: d.update(format=2), "model format 2"),
    (lambda d: d.pop("head"), "damaged: KeyError"),
    (lambda d: d["head"].pop("mean"), "damaged"),
    (lambda d: d.update(fs="fast"), "damaged"),
    (lambda d: d.update(states=7), "damaged"),
    (lambda d: d.update(input_leads=["I", "I"]), "not the missing basis leads"),
    (lambda d: d.update(input_leads=["no lead"]), "damaged"),
    (lambda d: d.update(target_leads=["V1"]), "not the missing basis leads"),
    (lambda d: d.update(input_leads=[], target_leads=list(BASIS)), "leads"),
    (lambda d: d.update(fs=5), "rate 5 Hz out of range"),
    (lambda d: d.update(fs=20_000), "rate 20000 Hz out of range"),
    (lambda d: d.update(hop=0), "hop or look-ahead"),
    (lambda d: d.update(lookahead=-1), "hop or look-ahead"),
    (lambda d: d.update(lookahead=1), "an input tap lies beyond"),
    (lambda d: d.update(settling_s=61), "settling time"),
    (lambda d: d.update(settling_s=math.nan), "settling time|damaged"),
    (lambda d: d.update(n_features=0), "number of features"),
    (lambda d: d.update(n_features=5), "head has the wrong shape"),
    (lambda d: d["head"].update(shrink=d["head"]["interval_factors"]), "shrink factors have the wrong shape"),
    (lambda d: d["head"].update(log_scale=d["head"]["interval_factors"]), "scale head has the wrong shape"),
    (lambda d: d["head"].update(moments=d["head"]["mean"]), "second moments have the wrong shape"),
    (lambda d: d["head"].update(interval_factors=d["head"]["mean"]), "interval factors have the wrong shape"),
    (lambda d: d["states"].append(d["states"][0]), "two states share a name"),
    (lambda d: d["conditioning"].update(highpass_hz=60.0), "high-pass beyond half the rate"),
    (lambda d: d["states"][0].update(dtype="float64"), "state 'state_0' is malformed"),
    (lambda d: d["states"][0].update(shape=[1, 2]), "state 'state_0' is malformed"),
    (lambda d: d["states"][0].update(shape=[1, 2, 0]), "state 'state_0' is malformed"),
    (lambda d: d["states"][0].update(shape=[1, 2, 1 << 40]), "state 'state_0' is malformed"),
    (lambda d: d["states"][0].update(scale=0), "state 'state_0' is malformed"),
    (lambda d: d["states"][0].update(scale=math.inf), "state 'state_0' is malformed"),
]


@pytest.mark.parametrize(("damage", "why"), DAMAGES)
def test_a_description_that_contradicts_itself_is_refused(damage, why):
    doc = json.loads(tiny_spec().to_json())
    damage(doc)
    with pytest.raises(ModelFileError, match=why) as e:
        ModelSpec.from_json(json.dumps(doc))
    assert e.value.fix


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", "[" * 100_000])
def test_what_is_no_description_is_refused(text):
    with pytest.raises(ModelFileError, match="description is damaged"):
        ModelSpec.from_json(text)


@pytest.mark.parametrize(
    "change",
    [
        {"leads": ()},
        {"leads": BASIS},
        {"leads": ("aVF",)},
        {"moments": np.zeros((3, 3), np.float32)},
        {"interval_factors": np.ones(7, np.float32)},
    ],
)
def test_a_malformed_lead_set_is_refused(change):
    spec = any_lead_spec()
    text = replace(spec, subsets=(replace(spec.subsets[0], **change),)).to_json()
    with pytest.raises(ModelFileError, match=r"lead set .*malformed"):
        ModelSpec.from_json(text)


def test_nan_never_reaches_a_file():
    with pytest.raises(ValueError, match="Out of range float"):
        replace(tiny_spec(), accuracy={"r": math.nan}).to_json()
