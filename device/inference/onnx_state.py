"""The memory of one stream in onnxruntime, bound once instead of handed over with every hop.

Giving onnxruntime an array for each state and taking as many from it costs about half as much as the
hop itself. Here a stream has two sets of state tensors, between which its hops go to and fro.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from ecg_edge.device.inference.spec import StateSpec

if TYPE_CHECKING:
    import onnxruntime as ort

Tensors = list[npt.NDArray[Any]]


class BoundState(Sequence[npt.NDArray[Any]]):
    """A state that lies in a lane's memory; reading its tensors returns copies."""

    __slots__ = ("__weakref__", "lane", "side")

    def __init__(self, lane: Lane, side: int) -> None:
        self.lane, self.side = lane, side

    def __len__(self) -> int:
        return len(self.lane.memory[self.side])

    @overload
    def __getitem__(self, k: int) -> npt.NDArray[Any]: ...
    @overload
    def __getitem__(self, k: slice) -> Tensors: ...
    def __getitem__(self, k: int | slice) -> npt.NDArray[Any] | Tensors:
        held = self.lane.memory[self.side]
        return [t.copy() for t in held[k]] if isinstance(k, slice) else held[k].copy()

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        return (t.copy() for t in self.lane.memory[self.side])


class Lane:
    """Two sets of state tensors of one stream, and the bindings from each to the other.

    A set is written only while no one holds the state that lies in it. So a state is a value, as everywhere
    else: it never changes, and may be kept or stepped from twice.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        On the processor; may be shared.
    states : tuple of StateSpec
        Of the session's graph.
    hop_shape : tuple of int
        (hop, n_inputs).
    n_features : int
        Channels of the graph's output.

    Attributes
    ----------
    memory : tuple of two lists of ndarray
        The sets.
    """

    def __init__(
        self, session: ort.InferenceSession, states: tuple[StateSpec, ...], hop_shape: tuple[int, int], n_features: int
    ) -> None:
        self.memory: tuple[Tensors, Tensors] = ([s.initial() for s in states], [s.initial() for s in states])
        self._session = session
        hop, n_inputs = hop_shape
        self._x = np.zeros((1, n_inputs, hop), np.float32)
        self._features = np.zeros((1, n_features, hop), np.float32)
        self._bindings = tuple(self._bind(states, self.memory[side], self.memory[1 - side]) for side in (0, 1))
        self._held: list[weakref.ref[BoundState] | None] = [None, None]
        self._busy = threading.Lock()

    def _bind(self, states: tuple[StateSpec, ...], before: Tensors, after: Tensors) -> Any:
        binding = self._session.io_binding()
        for name, t in zip(["x", *(s.name for s in states)], [self._x, *before], strict=True):
            binding.bind_input(name, "cpu", 0, t.dtype, t.shape, t.ctypes.data)
        for name, t in zip(["features", *(s.out for s in states)], [self._features, *after], strict=True):
            binding.bind_output(name, "cpu", 0, t.dtype, t.shape, t.ctypes.data)
        return binding

    def cold(self) -> BoundState:
        """State of a cold start; only of a new lane."""
        return self._hold(0)

    def _hold(self, side: int) -> BoundState:
        state = BoundState(self, side)
        self._held[side] = weakref.ref(state)
        return state

    def step(self, x: npt.NDArray[np.float32], state: BoundState) -> tuple[npt.NDArray[np.float32], BoundState] | None:
        """Run one hop of shape (hop, n_inputs); None where the memory it needs is in use."""
        if not self._busy.acquire(blocking=False):
            return None
        try:
            other = self._held[1 - state.side]
            if other is not None and other() is not None:
                return None
            self._x[0] = x.T
            self._session.run_with_iobinding(self._bindings[state.side])
            return self._features[0].T.copy(), self._hold(1 - state.side)
        finally:
            self._busy.release()
