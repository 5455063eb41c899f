"""Loading a model file: what is inside, whether it is whole, and a session to run it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ecg_edge.device import onnx_metadata
from ecg_edge.device.spec import METADATA_KEY, ModelSpec
from ecg_edge.device.tflite_graph import check_graph
from ecg_edge.device.tflite_metadata import is_tflite, read_metadata
from ecg_edge.firmware_bridge.errors import LeadMismatchError, ModelFileError, OfflineModelError

_MAX_BYTES = 64_000_000
_MAX_DESCRIPTION = 4_000_000
_SUFFIXES = {".onnx": ("onnxruntime",), ".tflite": ("ai_edge_litert", "tflite_runtime")}
_DIGEST = re.compile(rb"ecg_edge_sha256=([0-9a-f]{64})")
State = Sequence[npt.NDArray[Any]]
"""Tensors of the state pairs, in the order of `ModelSpec.states`. A value: no step changes one it was given."""


class Backend(Protocol):
    """Runs the body one hop at a time; holds no state of a stream, so that streams can share it."""

    name: str
    spec: ModelSpec

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


@dataclass(frozen=True)
class Model:
    """A loaded model file.

    Attributes
    ----------
    path : Path
        Where it came from.
    spec : ModelSpec
        What it says of itself.
    backend : Backend
        Ready to run.
    file_sha256 : str
        Digest of this very file.
    """

    path: Path
    spec: ModelSpec
    backend: Backend
    file_sha256: str


def seal(blob: bytes) -> bytes:
    """Fill in the digest of a model file that carries the placeholder ``ecg_edge_sha256=000…``.

    The digest is taken over the whole file with the placeholder still zero, so it can be checked
    by whoever can read bytes, whatever the format of the file.
    """
    zero = b"ecg_edge_sha256=" + b"0" * 64
    if blob.count(zero) != 1:
        raise ModelFileError("the file has no place for its digest", "export the model again")
    return blob.replace(zero, b"ecg_edge_sha256=" + hashlib.sha256(blob).hexdigest().encode("ascii"))


def check_seal(blob: bytes, path: Path) -> str:
    """Return the digest of a sealed file, or raise `ModelFileError` saying what is wrong with it."""
    found = _DIGEST.findall(blob)
    if not found:
        raise ModelFileError(
            f"{path} is not an ecg-edge model, or is truncated: no digest in it",
            "use a file written by `ecg-edge export`, or copy it again",
        )
    if len(found) != 1:
        raise ModelFileError(f"{path} carries more than one digest", "use a file written by `ecg-edge export`")
    zeroed = blob.replace(b"ecg_edge_sha256=" + found[0], b"ecg_edge_sha256=" + b"0" * 64)
    if hashlib.sha256(zeroed).hexdigest() != found[0].decode("ascii"):
        raise ModelFileError(f"{path} is damaged: its digest does not fit its content", "copy or export it again")
    return str(found[0].decode("ascii"))


def read_model_bytes(path: Path) -> bytes:
    """Read a model file of bounded size."""
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise ModelFileError(f"{path} has {size} bytes; no ecg-edge model is so large", "give a model file")
        return path.read_bytes()
    except OSError as e:
        raise ModelFileError(
            f"cannot read model {path}: {e.strerror or e}", "ecg-edge info lists the shipped models"
        ) from e


def load_model(path: Path | str, threads: int = 1) -> Model:
    """Load a streaming model.

    Parameters
    ----------
    path : Path or str
        An ONNX or TFLite file written by ``ecg-edge export``, or the name of a shipped model.
    threads : int
        Threads of the session.

    Raises
    ------
    ModelFileError
        Missing, truncated, damaged, not ours, or inconsistent.
    OfflineModelError
        The model is not a streaming one.
    MissingExtraError
        The file's runtime is not installed.
    """
    file = resolve(path)
    blob = read_model_bytes(file)
    digest = check_seal(blob, file)
    if is_tflite(blob):
        from ecg_edge.device.litert_backend import LiteRtBackend, open_interpreter

        spec = _streaming(read_metadata(blob, file), file)
        check_graph(blob, file)
        return Model(file, spec, LiteRtBackend(open_interpreter(blob, file, threads), spec, file), digest)
    try:
        from ecg_edge.device.onnx_backend import OnnxBackend, open_session
    except ImportError:
        raise ModelFileError(
            f"{file} is an ONNX file, and onnxruntime is not installed", "give the .tflite file, or install onnxruntime"
        ) from None
    spec = _streaming(onnx_metadata.read_metadata(blob, file), file)
    onnx_metadata.check_size(blob, file)
    session, _ = open_session(blob, file, threads)
    return Model(file, spec, OnnxBackend(session, spec, file), digest)


def read_description(path: Path | str) -> tuple[Path, ModelSpec, str]:
    """Read what a file of any kind says of itself, without its runtime.

    Returns
    -------
    path, spec, sha256
        The file, its description, and its digest.

    Raises
    ------
    ModelFileError
        As `load_model`.
    """
    file = resolve(path)
    blob = read_model_bytes(file)
    digest = check_seal(blob, file)
    metadata = read_metadata(blob, file) if is_tflite(blob) else onnx_metadata.read_metadata(blob, file)
    return file, read_spec(metadata, file), digest


def read_spec(metadata: dict[str, str], file: Path) -> ModelSpec:
    """Parse the description in a file's metadata.

    Raises
    ------
    ModelFileError
        There is none, or it is damaged, or too long.
    """
    if METADATA_KEY not in metadata:
        raise ModelFileError(f"{file} holds no description of itself", "use a file written by `ecg-edge export`")
    if len(metadata[METADATA_KEY]) > _MAX_DESCRIPTION:
        raise ModelFileError(f"{file}: its description is too long", "use a file written by `ecg-edge export`")
    return ModelSpec.from_json(metadata[METADATA_KEY])


def _streaming(metadata: dict[str, str], file: Path) -> ModelSpec:
    spec = read_spec(metadata, file)
    if spec.kind != "streaming":
        raise OfflineModelError(
            f"{file} is an {spec.kind} model; this needs a streaming one", "export it again without --offline"
        )
    return spec


def shipped_files() -> list[Path]:
    """Return every model file that comes with the package."""
    folder = Path(__file__).resolve().parent / "models"
    return sorted(p for p in folder.iterdir() if p.suffix in _SUFFIXES) if folder.is_dir() else []


def shipped_models() -> dict[str, Path]:
    """Return the models that come with the package, by name, in the format this machine can run.

    Where both runtimes are installed ONNX is taken: onnxruntime is the one of the core.
    """
    order = [s for s, runtimes in _SUFFIXES.items() if any(map(_installed, runtimes))] or list(_SUFFIXES)
    files = [p for p in shipped_files() if p.suffix in order]
    files.sort(key=lambda p: order.index(p.suffix), reverse=True)
    return dict(sorted({p.stem: p for p in files}.items()))


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


def resolve(path: Path | str) -> Path:
    """Turn the name of a shipped model (``i-ii-int8`` or ``i-ii-int8.tflite``), or a path, into a path."""
    by_file = {p.name: p for p in shipped_files()}
    return shipped_models().get(str(path)) or by_file.get(str(path)) or Path(path)


def check_leads(spec: ModelSpec, source_leads: tuple[str, ...]) -> list[int]:
    """Columns of the source that are the model's inputs, in the model's order.

    Raises
    ------
    LeadMismatchError
        The source lacks an input lead.
    """
    if missing := [lead for lead in spec.input_leads if lead not in source_leads]:
        raise LeadMismatchError(
            f"the model reads {', '.join(spec.input_leads)}, but the source has "
            f"{', '.join(source_leads) or 'no lead'}: {', '.join(missing)} missing",
            "choose a model for the source's leads (ecg-edge info), or name them with --leads",
        )
    return [source_leads.index(lead) for lead in spec.input_leads]
