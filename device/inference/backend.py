"""State and Backend: one hop, explicit memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.errors import ModelFileError

REASON = 1000
"""Letters of a runtime's complaint that a message keeps."""
State = Sequence[npt.NDArray[Any]]
"""Tensors of the state pairs, in the order of `ModelSpec.states`. A value: no step changes one it was given."""


class Backend(Protocol):
    """Runs the body one hop at a time; holds no state of a stream, so that streams can share it."""

    name: str

    @property
    def runs_on(self) -> str:
        """What runs it: ``CPU``, or the accelerator's name."""
        ...

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


def check_tensors(what: str, have: Mapping[str, object], want: Mapping[str, object], path: Path) -> None:
    """Compare a graph's tensors, shape and type by name, with those of its description.

    Raises
    ------
    ModelFileError
        They differ; the first that do are named.
    """
    if wrong := sorted(k for k in have.keys() | want.keys() if have.get(k) != want.get(k)):
        raise ModelFileError(
            f"{path}: the graph's {what} are not those of its description ({', '.join(wrong[:4])})",
            "export the model again",
        )


def failed_hop(error: Exception) -> ModelFileError:
    """Return the error of a runtime that fails at a hop, in one line."""
    reason = " ".join(str(error).split())[:REASON]
    return ModelFileError(f"the model fails at a hop: {reason}", "export it again, or take another")
