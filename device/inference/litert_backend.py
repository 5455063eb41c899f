"""The network in LiteRT (the maintained TFLite runtime), its memory explicit."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.device.inference.backend import REASON, State, check_tensors, failed_hop
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.firmware_bridge.errors import NOT_LOADABLE, MissingExtraError, ModelFileError


def open_interpreter(blob: bytes, path: Path, threads: int = 1) -> Any:
    """Open an interpreter on the bytes of a TFLite file.

    Raises
    ------
    ModelFileError
        The runtime cannot read it.
    MissingExtraError
        Neither ``ai-edge-litert`` nor ``tflite-runtime`` is installed.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter
        except NOT_LOADABLE:
            raise MissingExtraError("ai-edge-litert", "tflite") from None
    try:
        interpreter = Interpreter(model_content=blob, num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as e:
        raise ModelFileError(f"LiteRT cannot read {path}: {str(e)[:REASON]}", "export the model again") from e
    return interpreter


class LiteRtBackend:
    """One interpreter; many streams may share it, one step at a time.

    Parameters
    ----------
    interpreter : Interpreter
        Opened on a streaming graph, tensors allocated.
    spec : ModelSpec
        From the same file.
    path : Path
        For messages.

    Raises
    ------
    ModelFileError
        The graph's inputs and outputs are not those of the description.
    """

    name = "LiteRT"
    runs_on = "CPU"

    def __init__(self, interpreter: Any, spec: ModelSpec, path: Path) -> None:
        self._states = spec.states
        self._interpreter = interpreter
        # An interpreter owns the buffers of its tensors: two streams must not be between set and get at once.
        self._lock = threading.Lock()
        x = {"x": ((1, 1, spec.hop, spec.n_inputs), "float32")}
        features = {"features": ((1, 1, spec.hop, spec.n_features), "float32")}
        self._inputs = _indices(
            interpreter.get_input_details(), x | {s.name: (s.shape, s.dtype) for s in spec.states}, "inputs", path
        )
        self._outputs = _indices(
            interpreter.get_output_details(),
            features | {s.out: (s.shape, s.dtype) for s in spec.states},
            "outputs",
            path,
        )
        self._check_integers(path)

    def _check_integers(self, path: Path) -> None:
        """A state means the same on both ends, and what the description says."""
        details = [*self._interpreter.get_input_details(), *self._interpreter.get_output_details()]
        have = {d["name"]: d["quantization"] for d in details}
        for s in self._states:
            want = (np.float32(s.scale), s.zero_point) if s.dtype != "float32" else (np.float32(0), 0)
            for name in (s.name, s.out):
                scale, zero = have[name]
                if (np.float32(scale), zero) != want:
                    raise ModelFileError(
                        f"{path}: state {name} has scale {scale} and zero point {zero}, its description says "
                        f"{s.scale} and {s.zero_point}",
                        "export the model again",
                    )

    def initial_state(self) -> State:
        """State of a cold start."""
        return [s.initial() for s in self._states]

    def step(self, x: npt.NDArray[np.float32], state: State) -> tuple[npt.NDArray[np.float32], State]:
        """Run one hop; see `Backend.step`."""
        try:
            return self._step(x, state)
        except (ValueError, RuntimeError) as e:
            raise failed_hop(e) from e

    def _step(self, x: npt.NDArray[np.float32], state: State) -> tuple[npt.NDArray[np.float32], State]:
        engine = self._interpreter
        with self._lock:
            engine.set_tensor(self._inputs[0], np.ascontiguousarray(x, np.float32)[None, None])
            for k, s in zip(self._inputs[1:], state, strict=True):
                engine.set_tensor(k, s)
            engine.invoke()
            features, *new = [engine.get_tensor(k) for k in self._outputs]
        return features[0, 0], new


def _indices(
    details: list[dict[str, Any]], want: dict[str, tuple[tuple[int, ...], str]], what: str, path: Path
) -> list[int]:
    """Tensor indices in the order of `want`; the graph must have exactly these tensors."""
    have = {d["name"]: (tuple(int(n) for n in d["shape"]), np.dtype(d["dtype"]).name) for d in details}
    check_tensors(what, have, want, path)
    found = {d["name"]: int(d["index"]) for d in details}
    return [found[name] for name in want]
