"""State and Backend: one hop, explicit memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

State = Sequence[npt.NDArray[Any]]
"""Tensors of the state pairs, in the order of `ModelSpec.states`. A value: no step changes one it was given."""


class Backend(Protocol):
    """Runs the body one hop at a time; holds no state of a stream, so that streams can share it."""

    name: str

    def initial_state(self) -> State:
        """State of a cold start."""
        ...

    def step(self, x: npt.NDArray[np.float32], state: State) -> tuple[npt.NDArray[np.float32], State]:
        """Run one hop.

        Parameters
        ----------
        x : ndarray of float32, shape (hop, n_inputs)
            Conditioned samples in mV.
        state : sequence of ndarray
            As returned by `initial_state` or the step before; not modified.

        Returns
        -------
        features : ndarray of float32, shape (hop, n_features)
        state : sequence of ndarray
        """
        ...
