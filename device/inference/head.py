"""The head's design matrix: the one definition of what its rows and columns are.

`RegressorLayout` fixes the order of the regressors. Streams, calibration, any-lead models and the torch
twin (`train.head.design`) all take it from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ecg_edge.device.inference.backend import State
from ecg_edge.device.inference.load import Model
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.firmware_bridge.array_types import FloatArray


@dataclass(frozen=True)
class RegressorLayout:
    """Order of the head's regressors.

    First the body's features; then the input leads at the output instant, and at each lag after it, lead by
    lead; last a one.

    Attributes
    ----------
    n_features : int
        Channels of the body's output.
    n_leads : int
        Input leads.
    lags : tuple of int
        In samples relative to the output instant, beside the output instant itself.
    """

    n_features: int
    n_leads: int
    lags: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of regressors."""
        return self.n_features + (1 + len(self.lags)) * self.n_leads + 1

    @cached_property
    def taps(self) -> tuple[int, ...]:
        """Lags of all taps: the output instant, then `lags`."""
        return (0, *self.lags)

    @cached_property
    def history(self) -> int:
        """Samples before the output instant that the earliest tap needs."""
        return -min(self.taps)

    @cached_property
    def _reach(self) -> npt.NDArray[np.intp]:
        return np.array(self.taps, np.intp) + self.history

    def tap(self, k: int) -> slice:
        """Regressors of tap `k`: one per lead, in the order of the leads."""
        first = self.n_features + k * self.n_leads
        return slice(first, first + self.n_leads)

    def of_leads(self, columns: list[int]) -> list[int]:
        """Regressors that are left when only these leads are there, in the order of the smaller layout."""
        rows = list(range(self.n_features))
        for k in range(len(self.taps)):
            rows += [self.tap(k).start + column for column in columns]
        return [*rows, self.size - 1]

    def mixing(self, matrix: FloatArray) -> FloatArray:
        """Return the matrix that makes this layout's regressors of those of other leads.

        Parameters
        ----------
        matrix : ndarray of shape (n_leads, n_others)
            This layout's leads as combinations of the others.

        Returns
        -------
        ndarray of float64, shape (size, other size)
            Features and bias stay as they are, and each tap's leads are mixed.
        """
        n, others = self.n_features, RegressorLayout(self.n_features, matrix.shape[1], self.lags)
        out = np.zeros((self.size, others.size))
        out[:n, :n], out[-1, -1] = np.eye(n), 1
        for k in range(len(self.taps)):
            out[self.tap(k), others.tap(k)] = matrix
        return out

    def matrix(self, features: npt.NDArray[np.float32], window: npt.NDArray[np.float32]) -> FloatArray:
        """Build the design matrix of consecutive output instants.

        Parameters
        ----------
        features : ndarray of float32, shape (n, n_features)
            Of the body, one row per instant.
        window : ndarray of float32, shape (m, n_leads)
            Inputs in mV from `history` samples before the first instant on.

        Returns
        -------
        ndarray of float64, shape (n, size)
        """
        n, n_taps = len(features), self.size - 1 - self.n_features
        out = np.empty((n, self.size))
        out[:, : self.n_features] = features
        out[:, self.n_features : -1] = window[np.arange(n)[:, None] + self._reach].reshape(n, n_taps)
        out[:, -1] = 1
        return out


def layout_of(spec: ModelSpec) -> RegressorLayout:
    """Layout of a model's head."""
    return RegressorLayout(spec.n_features, len(spec.input_leads), spec.head.lags)


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
    """Design matrix of all rows of `features`, in the order of `RegressorLayout`; zeros before the first sample."""
    layout = layout_of(spec)
    return layout.matrix(body, np.concatenate([np.zeros((layout.history, x.shape[1]), np.float32), x]))
