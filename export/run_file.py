"""What a model file says of whole records: streamed hop by hop, or in one piece for an offline file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.device.inference.head import features, regressors
from ecg_edge.device.inference.load import Model, load_model, read_spec
from ecg_edge.device.inference.sealed_file import check_seal, read_model_bytes
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.device.inference.tflite_metadata import is_tflite, read_metadata
from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.firmware_bridge.progress import Progress

Body = Callable[[Float32Array], Float32Array]
"""Inputs of one record (n_samples, n_inputs) → features (m_samples, n_features), aligned at the start."""


def streaming(model: Model) -> Body:
    """Body of a streaming file."""
    return lambda x: features(model, x)


def offline(path: Path) -> tuple[ModelSpec, Body, str]:
    """Body of an offline file, its description and digest.

    Raises
    ------
    ModelFileError
        Missing, damaged or not ours.
    """
    blob = read_model_bytes(path)
    digest = check_seal(blob, path)
    if is_tflite(blob):
        from ecg_edge.device.inference.litert_backend import open_interpreter

        spec = read_spec(read_metadata(blob, path), path)
        return spec, _litert(open_interpreter(blob, path), spec), digest
    from ecg_edge.device.inference.onnx_backend import open_session

    session, metadata = open_session(blob, path)
    spec = read_spec(metadata, path)

    def run(x: Float32Array) -> Float32Array:
        n = len(x) // spec.hop * spec.hop
        (y,) = session.run(["features"], {"x": np.ascontiguousarray(x[:n].T[None], np.float32)})
        return np.asarray(y[0].T[spec.lookahead :])

    return spec, run, digest


def _litert(interpreter: Any, spec: ModelSpec) -> Body:
    x_at = interpreter.get_input_details()[0]
    y_at = interpreter.get_output_details()[0]["index"]
    n = int(x_at["shape"][2])

    def run(x: Float32Array) -> Float32Array:
        """Records shorter than the file's are filled up with zeros; what those touch is cut off again."""
        m = min(n, len(x) // spec.hop * spec.hop)
        padded = np.zeros((n, x.shape[1]), np.float32)
        padded[:m] = x[:m]
        interpreter.set_tensor(x_at["index"], padded[None, None])
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(y_at)[0, 0, spec.lookahead : m])

    return run


def bodies(path: Path) -> tuple[ModelSpec, Body, str]:
    """Description, body and digest of a file of either kind."""
    if "-offline." in path.name:
        return offline(path)
    model = load_model(path)
    return model.spec, streaming(model), model.file_sha256


def means(spec: ModelSpec, body: Body, x: Float32Array, label: str) -> tuple[Float32Array, Float32Array]:
    """Features and reconstructed leads of many records.

    Parameters
    ----------
    spec : ModelSpec
        Whose head is applied.
    body : callable
        The file's body.
    x : ndarray of shape (n_records, n_samples, n_inputs)
        Conditioned, in mV.
    label : str
        Shown by the progress line.

    Returns
    -------
    features, mean : ndarray of float32, shape (n_records, m_samples, n_features or n_targets)
    """
    head = spec.head.mean.astype(np.float64)
    all_features, all_means = [], []
    with Progress(label, len(x)) as progress:
        for record in x:
            record = np.ascontiguousarray(record, np.float32)
            y = body(record)
            all_features.append(y)
            all_means.append((regressors(spec, y, record[:, : len(spec.input_leads)]) @ head).astype(np.float32))
            progress.step()
    return np.stack(all_features), np.stack(all_means)
