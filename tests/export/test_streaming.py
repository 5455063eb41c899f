"""Streaming equals offline, for every way of cutting the input; flush, reset, validity."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecg_edge.device.inference.backend import State
from ecg_edge.device.inference.load import Model, load_model
from ecg_edge.device.inference.onnx_state import BoundState
from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.export import run_file as estimates
from ecg_edge.export.exporter import Exporter
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.train.network.unet import NetSpec
from tests.support.nets import noise

CUTS = st.lists(st.integers(0, 40), max_size=14)
CHEST = [LEADS.index(f"V{k}") for k in range(1, 7)]


def join(blocks: list[LeadBlock]) -> LeadBlock:
    """One block of several, which must follow each other without hole or overlap."""
    blocks = [b for b in blocks if len(b)]
    for a, b in itertools.pairwise(blocks):
        assert b.index == a.index + len(a)
    return LeadBlock(
        blocks[0].index,
        np.concatenate([b.mv for b in blocks]),
        blocks[0].provenance,
        np.concatenate([b.valid for b in blocks]),
        np.concatenate([b.warmup for b in blocks]),
        np.concatenate([b.sigma for b in blocks]),
    )


def stream(model: Model, x: np.ndarray, sizes: list[int], ok: np.ndarray | None = None) -> LeadBlock:
    r = StreamReconstructor(model)
    blocks, i = [], 0
    for k in [*sizes, len(x)]:
        blocks.append(r.feed(x[i : i + k], None if ok is None else ok[i : i + k]))
        i += k
    return join([*blocks, r.flush()])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=CUTS, seed=st.integers(0, 50), n=st.integers(1, 260))
@pytest.mark.parametrize("kind", ["fp32", "tflite-fp32"])
def test_fp32_streamed_equals_torch_offline(
    models: dict[str, Model], exporter: Exporter, kind: str, sizes: list[int], seed: int, n: int
) -> None:
    x = noise(n, 2, seed)
    out = stream(models[kind], x, sizes)
    assert out.mv.shape == (n, 12)
    hop, late = exporter.spec.hop, exporter.spec.lookahead
    padded = np.concatenate([x, np.repeat(x[-1:], -(-(n + late) // hop) * hop - n, axis=0)])
    with torch.no_grad():
        mean, log_scale = exporter.network(torch.from_numpy(padded.T[None].copy()))
    want = mean[0].numpy().T[late : late + n]
    np.testing.assert_allclose(out.mv[:, CHEST], want, atol=1e-5)
    width = np.exp(log_scale[0].numpy().T[late : late + n]) * exporter.spec.head.interval_factors
    np.testing.assert_allclose(out.sigma[:, CHEST], width, rtol=1e-3)
    np.testing.assert_array_equal(out.mv[:, :2], x)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=CUTS, seed=st.integers(0, 50), n=st.integers(1, 200), lost=st.integers(0, 150))
@pytest.mark.parametrize("precision", ["fp32", "int8", "tflite-fp32", "tflite-int8"])
def test_same_bytes_whatever_the_cut(
    models: dict[str, Model], precision: str, sizes: list[int], seed: int, n: int, lost: int
) -> None:
    x = noise(n, 2, seed)
    ok = np.ones((n, 2), np.bool_)
    ok[lost : lost + 5, seed % 2] = False
    a, b = stream(models[precision], x, sizes, ok), stream(models[precision], x, [], ok)
    for field in ("mv", "valid", "warmup", "sigma"):
        assert getattr(a, field).tobytes() == getattr(b, field).tobytes(), field


@pytest.mark.parametrize(
    ("kind", "least"), [("int8", 25), ("tflite-int8", 25), ("tflite-dynamic", 25), ("tflite-fp16", 55)]
)
def test_smaller_files_are_close_to_fp32(models: dict[str, Model], kind: str, least: float) -> None:
    x = noise(2000, 2, 7)
    a, b = (stream(models[k], x, []).mv[:, CHEST] for k in ("fp32", kind))
    snr = 10 * np.log10((a**2).mean() / ((a - b) ** 2).mean())
    assert snr > least, f"{snr:.1f} dB"
    assert np.abs(a - b).max() > 1e-6, "the file must really be smaller than fp32"


@pytest.mark.parametrize("kind", ["int8", "tflite-int8"])
def test_int8_does_not_drift(models: dict[str, Model], kind: str) -> None:
    """States are a finite history: after a minute of anything the network has forgotten it."""
    x, probe = noise(6000, 2, 1), noise(400, 2, 2)
    r = StreamReconstructor(models[kind])
    r.feed(np.concatenate([x, probe]))
    fresh = StreamReconstructor(models[kind])
    fresh.feed(probe)
    tail = noise(64, 2, 3)
    np.testing.assert_array_equal(r.feed(tail).mv, fresh.feed(tail).mv)


def test_limb_leads_are_algebra_of_what_is_measured(models: dict[str, Model]) -> None:
    out = stream(models["int8"], noise(100, 2, 4), [])
    i, ii, iii, avr, avl, avf = out.mv[:, :6].T
    np.testing.assert_allclose(iii, ii - i, atol=1e-6)
    np.testing.assert_allclose(avr, -(i + ii) / 2, atol=1e-6)
    np.testing.assert_allclose(avl, i - ii / 2, atol=1e-6)
    np.testing.assert_allclose(avf, ii - i / 2, atol=1e-6)
    assert (out.sigma[:, :6] == 0).all()
    assert (out.sigma[:, 6:] > 0).all()
    assert out.provenance[2] is Provenance.DERIVED
    assert out.provenance[6] is Provenance.RECONSTRUCTED


@pytest.mark.parametrize("leads", [("aVR",), ("III", "V2"), ("II", "aVL", "V6")], ids=",".join)
def test_any_measured_lead_comes_out_as_it_went_in(
    make_models: Callable[[NetSpec], dict[str, Path]], leads: tuple[str, ...]
) -> None:
    spec = NetSpec(leads, channels=(4, 6), kernels=(5, 4), dilations=(1,), n_features=4)
    model = load_model(make_models(spec)["int8"])
    x = noise(60, len(leads))
    out = stream(model, x, [7, 30])
    for k, lead in enumerate(leads):
        np.testing.assert_array_equal(out.mv[:, LEADS.index(lead)], x[:, k])
    kinds = dict(zip(LEADS, out.provenance, strict=True))
    assert all(kinds[lead] is Provenance.MEASURED for lead in leads)
    if len(leads) == 3:
        two, avl = x[:, 0], x[:, 1]
        np.testing.assert_allclose(out.mv[:, 0], avl + two / 2, atol=1e-5)  # I from II and aVL
        assert kinds["I"] is Provenance.DERIVED
    else:
        assert kinds["I"] is Provenance.RECONSTRUCTED
        assert (out.sigma[:, LEADS.index("I")] > 0).all()


def test_flush_returns_every_sample_and_starts_anew(models: dict[str, Model]) -> None:
    r = StreamReconstructor(models["fp32"])
    x = noise(37, 2, 5)
    first = join([r.feed(x), r.flush()])
    assert len(first) == 37
    second = join([r.feed(x), r.flush()])
    assert second.index == 37
    np.testing.assert_array_equal(second.mv, first.mv)
    assert len(r.flush()) == 0


def test_reset_sets_the_axis_and_warms_up_again(models: dict[str, Model]) -> None:
    r = StreamReconstructor(models["fp32"])
    r.feed(noise(80, 2))
    r.reset(1000)
    out = join([r.feed(noise(160, 2)), r.flush()])
    assert out.index == 1000
    settle = round(models["fp32"].spec.settling_s * 100)
    assert out.warmup.sum() == settle
    assert out.warmup[:settle].all()


def test_an_invalid_input_spoils_what_depends_on_it_and_nothing_else(models: dict[str, Model]) -> None:
    n, bad = 400, 201
    ok = np.ones((n, 2), np.bool_)
    ok[bad, 1] = False  # lead II
    out = stream(models["fp32"], noise(n, 2), [], ok)
    spec = models["fp32"].spec
    np.testing.assert_array_equal(out.valid[:, 0], True)  # I
    for lead in ("II", "III", "aVR", "aVL", "aVF"):
        assert np.flatnonzero(~out.valid[:, LEADS.index(lead)]).tolist() == [bad]
    spoiled = np.flatnonzero(~out.valid[:, LEADS.index("V3")])
    settle = round(spec.settling_s * 100)
    assert spoiled[:settle].tolist() == list(range(settle))  # cold
    assert spoiled[-1] == bad
    assert spec.lookahead <= bad - spoiled[settle] < spec.lookahead + spec.hop
    assert out.warmup[bad + 1 : bad + settle].all()
    assert not out.warmup[bad + settle + 2 :].any()


def test_bad_samples_are_refused(models: dict[str, Model]) -> None:
    r = StreamReconstructor(models["fp32"])
    with pytest.raises(UsageError, match="2 leads"):
        r.feed(noise(10, 3))
    x = noise(10, 2)
    x[3, 0] = np.nan
    with pytest.raises(UsageError, match="NaN"):
        r.feed(x)


@pytest.mark.parametrize("kind", ["int8", "tflite-int8"])
def test_streams_share_a_session_without_touching_each_other(models: dict[str, Model], kind: str) -> None:
    a, b = (StreamReconstructor(models[kind]) for _ in range(2))
    x, y = noise(160, 2, 1), noise(160, 2, 2)
    mixed = [(a.feed(x[k : k + 16]), b.feed(y[k : k + 16])) for k in range(0, 160, 16)]
    alone = StreamReconstructor(models[kind]).feed(x)
    np.testing.assert_array_equal(np.concatenate([m[0].mv for m in mixed]), alone.mv)


@pytest.mark.parametrize("kind", ["int8", "tflite-int8"])
def test_an_hour_leaves_no_drift(models: dict[str, Model], files: dict[str, Path], kind: str) -> None:
    """The error against fp32 in the last ten minutes is that of the first ten."""
    x = np.tile(noise(6000, 2, 11), (60, 1))
    x[:, 0] += 0.2 * np.sin(np.arange(len(x)) / 7919)  # never twice the same minute
    _, offline, _ = estimates.offline(files["fp32-offline"])
    error = (estimates.streaming(models[kind])(x) - offline(x)).astype(np.float64)
    first, last = (np.sqrt((error[part] ** 2).mean()) for part in (slice(0, 60_000), slice(-60_000, None)))
    assert first > 0
    assert abs(last / first - 1) < 0.02


KINDS = ["fp32", "int8", "tflite-int8"]


def bytes_of(state: State) -> list[bytes]:
    return [t.tobytes() for t in state]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["on", "on", "on", "keep", "again"])), max_size=24))
@pytest.mark.parametrize("kind", KINDS)
def test_a_state_is_a_value_however_streams_take_turns(
    models: dict[str, Model], kind: str, order: list[tuple[int, str]]
) -> None:
    """Three streams on one session, states kept or stepped from twice: each as if it were alone."""
    backend = models[kind].backend
    hop = models[kind].spec.hop
    signals = [noise(hop * (len(order) + 1), 2, seed) for seed in range(3)]
    states, at = [backend.initial_state() for _ in range(3)], [0, 0, 0]
    kept: list[tuple[State, list[bytes]]] = []
    features: list[list[np.ndarray]] = [[], [], []]
    for k, what in order:
        x = signals[k][at[k] : at[k] + hop]
        if what == "keep":
            kept.append((states[k], bytes_of(states[k])))
        y, new = backend.step(x, states[k])
        if what == "again":
            twice, other = backend.step(x, states[k])
            assert twice.tobytes() == y.tobytes() and bytes_of(other) == bytes_of(new)
            backend.step(signals[k - 1][:hop], states[k])  # a branch that goes nowhere
        features[k].append(y)
        states[k], at[k] = new, at[k] + hop
    for state, content in kept:
        assert bytes_of(state) == content
    for k in range(3):
        state: State = [s.initial() for s in models[kind].spec.states]  # plain arrays: nothing to be shared
        for n, y in enumerate(features[k]):
            want, state = backend.step(signals[k][n * hop : (n + 1) * hop], list(state))
            assert y.tobytes() == want.tobytes()
        assert bytes_of(states[k]) == bytes_of(state)


@pytest.mark.parametrize("kind", ["fp32", "int8"])
def test_a_look_at_a_state_changes_nothing(models: dict[str, Model], kind: str) -> None:
    backend = models[kind].backend
    x = noise(24, 2)
    a, b = backend.initial_state(), backend.initial_state()
    assert len(a) == len(models[kind].spec.states)
    for t in (*a, *a[1:3], a[0]):
        t[...] += 1
    for k in range(0, 24, 8):
        first, a = backend.step(x[k : k + 8], a)
        second, b = backend.step(x[k : k + 8], b)
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("kind", KINDS)
def test_threads_share_a_session(models: dict[str, Model], kind: str) -> None:
    """One state stepped from by many threads at once, and each thread's own stream."""
    backend = models[kind].backend
    x = noise(800, 2, 6)
    _, begun = backend.step(x[:8], backend.initial_state())

    def run(_: int) -> bytes:
        state, rows = begun, []
        for k in range(8, 800, 8):
            y, state = backend.step(x[k : k + 8], state)
            rows.append(y.copy())
        return np.concatenate(rows).tobytes()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(run, range(16)))) == 1


@pytest.mark.parametrize("kind", ["fp32", "int8"])
def test_a_stream_keeps_its_memory_and_gives_it_back(models: dict[str, Model], kind: str) -> None:
    """The memory of a stream goes when its state goes."""
    backend = models[kind].backend
    state = backend.initial_state()
    assert isinstance(state, BoundState)
    lane = weakref.ref(state.lane)
    _, state = backend.step(noise(8, 2), state)
    assert isinstance(state, BoundState) and state.lane is lane()
    del state
    assert lane() is None


def test_a_hop_of_another_shape_is_refused(models: dict[str, Model]) -> None:
    backend = models["int8"].backend
    for shape in ((8, 1), (1, 2), (16, 2)):
        with pytest.raises(UsageError, match="a hop of shape"):
            backend.step(np.zeros(shape, np.float32), backend.initial_state())
