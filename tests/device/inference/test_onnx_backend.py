import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.inference.head import features
from ecg_edge.device.inference.load import Model, check_leads
from ecg_edge.device.inference.onnx_backend import OnnxBackend, open_session, providers
from ecg_edge.device.inference.onnx_metadata import check_size, read_metadata
from ecg_edge.device.inference.onnx_state import BoundState
from ecg_edge.device.inference.spec import METADATA_KEY, StateSpec
from ecg_edge.firmware_bridge.errors import LeadMismatchError, ModelFileError, UsageError
from tests.support.tiny_model import MEMORY, tiny_graph, tiny_spec

FILE = Path("m.onnx")
SPEC = tiny_spec()


def backend(spec=SPEC):
    return OnnxBackend(open_session(tiny_graph(spec), FILE)[0], spec, FILE)


def hops(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, SPEC.hop, SPEC.n_inputs)).astype(np.float32)


def expected(x):
    """What the tiny graph does, written out: the sample itself, and the tanh of the one MEMORY samples ago."""
    flat = x.reshape(-1, SPEC.n_inputs)
    old = np.concatenate([np.zeros((MEMORY, SPEC.n_inputs)), flat])[: len(flat)]
    return np.concatenate([flat, np.tanh(old)], axis=1)


def test_hops_in_turn_are_the_graph_over_the_whole_signal():
    engine, x, out = backend(), hops(9), []
    state = engine.initial_state()
    for hop in x:
        y, state = engine.step(hop, state)
        out.append(y)
    np.testing.assert_allclose(np.concatenate(out), expected(x), atol=1e-6)


@given(order=st.lists(st.integers(0, 2), min_size=1, max_size=24))
def test_streams_that_share_a_session_do_not_touch_each_other(order):
    engine = ENGINE
    x = [hops(24, seed) for seed in range(3)]
    states, done, out = [engine.initial_state() for _ in range(3)], [0, 0, 0], [[], [], []]
    for k in order:
        y, states[k] = engine.step(x[k][done[k]], states[k])
        out[k].append(y)
        done[k] += 1
    for k in range(3):
        if done[k]:
            np.testing.assert_allclose(np.concatenate(out[k]), expected(x[k][: done[k]]), atol=1e-6)


def test_a_state_is_a_value_that_may_be_kept_and_stepped_from_twice():
    engine, x = backend(), hops(6)
    first = engine.initial_state()
    _, second = engine.step(x[0], first)
    kept = [t.copy() for t in second]
    a, after_a = engine.step(x[1], second)
    b, after_b = engine.step(x[1], second)
    c, _ = engine.step(x[2], second)
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    for was, now, left, right in zip(kept, second, after_a, after_b, strict=True):
        np.testing.assert_array_equal(was, now)
        np.testing.assert_array_equal(left, right)


def test_a_stream_that_lets_go_of_its_states_stays_in_its_bound_memory():
    engine, x = backend(), hops(8)
    state = engine.initial_state()
    lane = state.lane
    for hop in x:
        _, state = engine.step(hop, state)
        gc.collect()
        assert isinstance(state, BoundState) and state.lane is lane


def test_a_bound_state_reads_as_copies():
    state = backend().initial_state()
    assert len(state) == 1 and state[0].shape == (1, 2, MEMORY)
    state[0][:] = 7
    state[:1][0][:] = 7
    next(iter(state))[:] = 7
    np.testing.assert_array_equal(state[0], 0)


def test_plain_arrays_are_a_state_as_well():
    engine, x = backend(), hops(3)
    bound, plain = engine.initial_state(), list(engine.initial_state())
    for hop in x:
        y, bound = engine.step(hop, bound)
        z, plain = engine.step(hop, plain)
        np.testing.assert_array_equal(y, z)


@pytest.mark.parametrize("shape", [(3, 2), (4, 1), (4, 3), (0, 2), (4,)])
def test_a_hop_of_another_shape_is_refused(shape):
    engine = backend()
    with pytest.raises(UsageError, match="a hop of shape"):
        engine.step(np.zeros(shape, np.float32), engine.initial_state())


def test_a_state_of_another_shape_is_a_typed_error():
    with pytest.raises(ModelFileError, match="the model fails at a hop"):
        backend().step(hops(1)[0], [np.zeros((1, 2, 3), np.float32)])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"hop": 8}, r"inputs .*\(x\)"),
        ({"n_features": 5}, r"outputs .*\(features\)"),
        ({"states": ()}, r"inputs .*\(state_0\)"),
        ({"states": (StateSpec("state_0", (1, 2, MEMORY), "int8"),)}, r"inputs .*\(state_0\)"),
        ({"states": (*SPEC.states, StateSpec("state_1", (1, 2, 3)))}, r"inputs .*\(state_1\)"),
    ],
)
def test_a_graph_that_is_not_the_described_one_is_refused(change, what):
    session, _ = open_session(tiny_graph(SPEC), FILE)
    with pytest.raises(ModelFileError, match=what):
        OnnxBackend(session, replace(SPEC, **change), FILE)


@pytest.mark.parametrize("blob", [b"", b"no model", tiny_graph(SPEC)[:-200]])
def test_bytes_that_are_no_model_are_a_typed_error(blob):
    with pytest.raises(ModelFileError, match=r"onnxruntime cannot read m\.onnx"):
        open_session(blob, FILE)


def test_the_metadata_are_the_same_with_and_without_the_runtime():
    blob = tiny_graph(SPEC)
    assert open_session(blob, FILE)[1] == read_metadata(blob, FILE) == {METADATA_KEY: SPEC.to_json()}


@pytest.mark.parametrize(
    ("there", "used"),
    [
        (["CPUExecutionProvider"], ["CPUExecutionProvider"]),
        (["AzureExecutionProvider", "CPUExecutionProvider"], ["CPUExecutionProvider"]),
        (
            ["CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"],
            ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
        ),
        ([], []),
    ],
)
def test_the_fastest_provider_goes_first(there, used):
    assert providers(there) == used


@given(data=st.data())
def test_no_damage_makes_the_reader_of_metadata_raise_what_is_not_typed(data):
    blob = bytearray(tiny_graph(SPEC))
    for _ in range(data.draw(st.integers(1, 4))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    for read in (read_metadata, check_size):
        try:
            read(bytes(blob[: data.draw(st.integers(0, len(blob)))]), FILE)
        except ModelFileError as e:
            assert e.fix and len(str(e)) < 10_000


def dimension(model, n):
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = n


def rename_input(model, node):
    model.graph.node[node].input[0] = "nobody"


def graph_with(change):
    model = onnx.load_model_from_string(tiny_graph(SPEC))
    change(model)
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda m: m.graph.node[2].__setattr__("op_type", "Exp"), "operator  Exp"),
        (lambda m: m.graph.node[2].__setattr__("domain", "strange"), "operator strange Tanh"),
        (lambda m: m.graph.node[2].output.append("more"), "not ours"),
        (lambda m: rename_input(m, 2), "nobody"),
        (lambda m: m.graph.initializer[0].__setattr__("data_location", 1), "constants outside the file"),
        (lambda m: m.graph.sparse_initializer.add(), "sparse constants"),
        (lambda m: m.functions.add(), "not one plain graph"),
        (lambda m: m.ClearField("graph"), "not one plain graph"),
        (lambda m: dimension(m, -5), "a tensor of shape"),
        (lambda m: dimension(m, 1 << 60), "a tensor of shape"),
        (lambda m: dimension(m, 15_000_000), "of memory"),
    ],
)
def test_a_graph_that_no_file_of_ours_holds_is_refused_before_a_runtime_sees_it(change, why):
    check_size(tiny_graph(SPEC), FILE)
    with pytest.raises(ModelFileError, match=why):
        check_size(graph_with(change), FILE)


@pytest.mark.parametrize("n", [0, 3, 4, 6, 7, 21])
def test_features_are_those_of_whole_hops_without_the_look_ahead(n):
    x = hops(6).reshape(-1, 2)[:n]
    made = features(Model(FILE, SPEC, ENGINE, "0" * 64), x)
    whole = n // SPEC.hop * SPEC.hop
    np.testing.assert_allclose(made, expected(x[:whole])[SPEC.lookahead :], atol=1e-6)


def test_the_columns_of_a_source_are_in_the_models_order():
    assert check_leads(SPEC, ("V1", "II", "I")) == [2, 1]
    with pytest.raises(LeadMismatchError, match="the source has I: II missing"):
        check_leads(SPEC, ("I",))
    with pytest.raises(LeadMismatchError, match="has no lead"):
        check_leads(SPEC, ())


ENGINE = backend()
