"""The head's design matrix: the one definition."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_edge.device.inference.backend import State
from ecg_edge.device.inference.load import Model
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.firmware_bridge.array_types import FloatArray


def features(model: Model, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Stream inputs through the body from a cold start.

    Parameters
    ----------
    model : Model
        Any; the state of the stream stays here.
    x : ndarray of float32, shape (n_samples, n_inputs)
        Conditioned, in mV.

    Returns
    -------
    ndarray of float32, shape (m_samples, n_features)
        Row ``t`` belongs to the instant of input ``t``; the last rows, which lack their future, are left out.
    """
    spec, backend = model.spec, model.backend
    state: State = backend.initial_state()
    rows = []
    for at in range(0, len(x) - spec.hop + 1, spec.hop):
        y, state = backend.step(np.ascontiguousarray(x[at : at + spec.hop]), state)
        rows.append(y)
    return np.concatenate([np.zeros((0, spec.n_features), np.float32), *rows])[spec.lookahead :]


def regressors(spec: ModelSpec, body: npt.NDArray[np.float32], x: npt.NDArray[np.float32]) -> FloatArray:
    """Design matrix of all rows of `features`, in the order of `spec.Head`; zeros before the first sample."""
    lags = np.array([0, *spec.head.lags])
    back = max(0, int(-lags.min()))
    padded = np.concatenate([np.zeros((back, x.shape[1]), np.float32), x])
    taps = padded[np.arange(len(body))[:, None] + back + lags].reshape(len(body), -1)
    return np.concatenate([body, taps, np.ones((len(body), 1))], axis=1).astype(np.float64)
