"""The same network built in Keras and converted by TensorFlow: strangers' arithmetic against ours."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from ecg_edge.export.eight_bits.quantise import fake
from ecg_edge.export.exporter import Exporter
from ecg_edge.export.graph import FEATURES, INPUT, Add, Concat, Conv, Delay, Graph, Remember, Upsample
from tests.support.nets import noise

tf: Any = pytest.importorskip("tensorflow", reason="extra export-tf is not installed")
N, FEW = 400, 12


def mirror(graph: Graph) -> Any:
    """The offline graph in Keras: one layer for each operation, causal padding written out."""
    layers = tf.keras.layers
    x = tf.keras.Input((N, graph.channels[INPUT]), batch_size=1)
    values = {INPUT: x}
    for op in graph.ops:
        if isinstance(op, Conv):
            out, _, taps = op.weight.shape
            conv = layers.Conv1D(
                out, taps, op.stride, dilation_rate=op.dilation, activation="relu" if op.relu else None, name=op.y
            )
            values[op.y] = conv(values[op.x])
            conv.set_weights([op.weight.transpose(2, 1, 0), op.bias])
        elif isinstance(op, Add):
            values[op.y] = layers.ReLU()(layers.Add()([values[op.a], values[op.b]]))
        elif isinstance(op, Concat):
            values[op.y] = layers.Concatenate()([values[name] for name in op.xs])
        elif isinstance(op, Upsample):
            values[op.y] = layers.UpSampling1D(2)(values[op.x])
        elif isinstance(op, Remember):
            values[op.y] = layers.ZeroPadding1D((op.frames, 0))(values[op.x])
        else:
            assert isinstance(op, Delay)
            late = layers.ZeroPadding1D((op.frames, 0))(values[op.x])
            values[op.y] = layers.Cropping1D((0, op.frames))(late)
    return tf.keras.Model(x, values[FEATURES])


@pytest.fixture(scope="module")
def records() -> np.ndarray:
    return np.stack([noise(N, 2, s) for s in range(FEW)])


@pytest.fixture(scope="module")
def keras(exporter: Exporter) -> Any:
    return mirror(exporter.graph)


def ours(exporter: Exporter, x: np.ndarray) -> np.ndarray:
    """Features of the network in torch, shape (record, time, feature)."""
    import torch

    with torch.no_grad():
        batch = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 2, 1)))[:, :, None]
        return exporter.network.body(batch)[:, :, 0].numpy().transpose(0, 2, 1)


def answers(blob: bytes, x: np.ndarray) -> np.ndarray:
    """What a converted file answers to each record."""
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_content=blob)
    run.allocate_tensors()
    (i,), (o,) = run.get_input_details(), run.get_output_details()
    out = []
    for record in x:
        run.set_tensor(i["index"], record[None])
        run.invoke()
        out.append(run.get_tensor(o["index"])[0])
    return np.stack(out)


def test_keras_computes_the_same_features(keras: Any, exporter: Exporter, records: np.ndarray) -> None:
    got = np.concatenate([np.asarray(keras(r[None])) for r in records])
    np.testing.assert_allclose(got, ours(exporter, records), atol=2e-5)


def test_the_converters_float_file_computes_the_same(keras: Any, exporter: Exporter, records: np.ndarray) -> None:
    blob = tf.lite.TFLiteConverter.from_keras_model(keras).convert()
    np.testing.assert_allclose(answers(blob, records), ours(exporter, records), atol=2e-5)


def test_our_8_bits_are_not_worse_than_the_converters(keras: Any, exporter: Exporter, records: np.ndarray) -> None:
    """The converter quantises the first and last convolution too, so it may be worse than ours, never much better."""
    converter = tf.lite.TFLiteConverter.from_keras_model(keras)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([r[None]] for r in records)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it notes that input and output stay in float, as ours do
        blob = converter.convert()
    theirs = answers(blob, records) - ours(exporter, records)
    import torch

    with torch.no_grad():
        batch = torch.from_numpy(np.ascontiguousarray(records.transpose(0, 2, 1)))
        ready = exporter.for_eight_bits(records)
        q = ready.eight.quantisation
        mine = fake(ready.eight.graph, q, batch).numpy().transpose(0, 2, 1)
    rms = float(np.sqrt(np.mean((mine - ours(exporter, records)) ** 2)))
    assert 0 < rms <= 1.05 * float(np.sqrt(np.mean(theirs**2)))
