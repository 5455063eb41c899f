"""The network in onnxruntime, its memory explicit."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as _ort

from ecg_edge.device.inference.backend import REASON, State, check_tensors, failed_hop
from ecg_edge.device.inference.onnx_state import BoundState, Lane
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.firmware_bridge.console import stdout_elsewhere
from ecg_edge.firmware_bridge.errors import ModelFileError, UsageError

_ORT_TYPES = {"float32": "tensor(float)", "uint8": "tensor(uint8)", "int8": "tensor(int8)"}
_PREFERRED = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")
_NOT_WANTED = ["WeightBiasQuantization"]
"""It rounds the weights of convolutions that a file keeps in float, one step for all their channels."""
_ORT_ERRORS = (
    _ort.Fail,
    _ort.InvalidProtobuf,
    _ort.InvalidGraph,
    _ort.InvalidArgument,
    _ort.NotImplemented,
    _ort.RuntimeException,
    RuntimeError,
    ValueError,
)

if hasattr(ort, "disable_telemetry_events"):
    ort.disable_telemetry_events()  # some builds count sessions for their maker; a bedside device sends nothing home


def providers(available: list[str]) -> list[str]:
    """What runs the network, the first that can: TensorRT or CUDA on a Jetson, the processor everywhere."""
    return [p for p in _PREFERRED if p in available]


def open_session(blob: bytes, path: Path, threads: int = 1) -> tuple[ort.InferenceSession, dict[str, str]]:
    """Open a session on the bytes of an ONNX file and return it with the file's metadata.

    Raises
    ------
    ModelFileError
        onnxruntime cannot read it.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    # Without this, x86 before VNNI saturates 16-bit sums of int8 products and disagrees with ARM.
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = providers(ort.get_available_providers())
    try:
        with stdout_elsewhere() if len(wanted) > 1 else contextlib.nullcontext():
            session = ort.InferenceSession(blob, options, providers=wanted, disabled_optimizers=_NOT_WANTED)
    except _ORT_ERRORS as e:
        raise ModelFileError(f"onnxruntime cannot read {path}: {str(e)[:REASON]}", "export the model again") from e
    return session, dict(session.get_modelmeta().custom_metadata_map)


class OnnxBackend:
    """One onnxruntime session; many streams may share it.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        Opened on a streaming graph.
    spec : ModelSpec
        From the same file.
    path : Path
        For messages.

    Raises
    ------
    ModelFileError
        The graph's inputs and outputs are not those of the description.
    """

    name = "onnxruntime"

    def __init__(self, session: ort.InferenceSession, spec: ModelSpec, path: Path) -> None:
        self._session, self._states = session, spec.states
        self._hop_shape, self._n_features = (spec.hop, spec.n_inputs), spec.n_features
        self._check(path)
        self._names = ["x", *(s.name for s in spec.states)]
        self._outputs = ["features", *(s.out for s in spec.states)]

    def _check(self, path: Path) -> None:
        hop, n_inputs = self._hop_shape
        want_in = {"x": ("tensor(float)", [1, n_inputs, hop])}
        want_out = {"features": ("tensor(float)", [1, self._n_features, hop])}
        for s in self._states:
            want_in[s.name] = want_out[s.out] = (_ORT_TYPES[s.dtype], list(s.shape))
        for what, want, got in (
            ("inputs", want_in, self._session.get_inputs()),
            ("outputs", want_out, self._session.get_outputs()),
        ):
            check_tensors(what, {t.name: (t.type, list(t.shape)) for t in got}, want, path)

    @property
    def runs_on(self) -> str:
        """What runs it: ``CPU``, ``CUDA`` or ``Tensorrt``, the first provider that could be loaded."""
        return str(self._session.get_providers()[0]).removesuffix("ExecutionProvider")

    def initial_state(self) -> State:
        """State of a cold start, and on the processor the memory that its stream will use."""
        if self._session.get_providers() == ["CPUExecutionProvider"]:
            return Lane(self._session, self._states, self._hop_shape, self._n_features).cold()
        return [s.initial() for s in self._states]

    def step(self, x: npt.NDArray[np.float32], state: State) -> tuple[npt.NDArray[np.float32], State]:
        """Run one hop; see `Backend.step`."""
        if x.shape != self._hop_shape:
            raise UsageError(f"a hop of shape {x.shape}", f"the model reads {self._hop_shape}")
        try:
            return self._step(x, state)
        except _ORT_ERRORS as e:
            raise failed_hop(e) from e

    def _step(self, x: npt.NDArray[np.float32], state: State) -> tuple[npt.NDArray[np.float32], State]:
        if isinstance(state, BoundState) and (done := state.lane.step(x, state)) is not None:
            return done
        feed: dict[str, npt.NDArray[Any]] = dict(zip(self._names[1:], state, strict=True))
        feed["x"] = np.ascontiguousarray(x.T[None], dtype=np.float32)
        features, *new = self._session.run(self._outputs, feed)
        return features[0].T, new
