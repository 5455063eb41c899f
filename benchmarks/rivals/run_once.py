"""Opens a file, returns what runs it once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ecg_edge.device.inference.load import load_model


def stream(path: Path) -> Callable[[], object]:
    """Run one hop."""
    model = load_model(path)
    state = [model.backend.initial_state()]
    x = np.random.default_rng(0).normal(0, 0.3, (model.spec.hop, model.spec.n_inputs)).astype(np.float32)

    def work() -> object:
        features, state[0] = model.backend.step(x, state[0])
        return features

    return work


def window(path: Path, n: int) -> Callable[[], object]:
    """Run a whole window again, as is done for every hop where a network cannot stream."""
    from ecg_edge.export.run_file import offline

    spec, body, _ = offline(path)
    x = np.random.default_rng(0).normal(0, 0.3, (n, spec.n_inputs)).astype(np.float32)
    return lambda: body(x)


def foreign(path: Path, shape: tuple[int, ...]) -> Callable[[], object]:
    """Run an ONNX file with one input that is none of ours."""
    from ecg_edge.device.inference.onnx_backend import open_session

    session, _ = open_session(path.read_bytes(), path)
    name = session.get_inputs()[0].name
    x = np.random.default_rng(0).normal(0, 0.3, shape).astype(np.float32)
    return lambda: session.run(None, {name: x})
