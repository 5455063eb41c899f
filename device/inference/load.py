"""Loading a model file: what is inside, whether it is whole, and a session to run it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ecg_edge.device.inference import onnx_metadata
from ecg_edge.device.inference.backend import Backend
from ecg_edge.device.inference.sealed_file import check_seal, read_model_bytes
from ecg_edge.device.inference.shipped import import_runtime, resolve
from ecg_edge.device.inference.spec import METADATA_KEY, ModelSpec, Personal
from ecg_edge.device.inference.tflite_graph import check_graph
from ecg_edge.device.inference.tflite_metadata import is_tflite, read_metadata
from ecg_edge.firmware_bridge.errors import LeadMismatchError, ModelFileError, OfflineModelError, UsageError

_MAX_DESCRIPTION = 4_000_000
_MOST_THREADS = 1024


@dataclass(frozen=True, repr=False, eq=False)
class Model:
    """A loaded model file.

    Attributes
    ----------
    path : Path
        Where it came from.
    spec : ModelSpec
        What it says of itself: the only description there is. `for_leads` narrows it to the leads at hand,
        and a personal calibration replaces its head.
    backend : Backend
        Ready to run; takes hops of ``spec.n_inputs`` channels.
    file_sha256 : str
        Digest of this very file.
    interval_calibrated : bool
        False for an any-lead model on leads that its file does not list.
    personal : Personal or None
        Where the head was refitted to a person: the model's own, and when to go back to it.
    whole : Model or None
        Of a view made by `for_leads`: the any-lead or any-electrode model it is a view of.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> model = ee.load_model("i-ii-int8")
    >>> model.spec.input_leads, model.spec.fs, model.backend.name
    (('I', 'II'), 100, 'onnxruntime')
    """

    path: Path
    spec: ModelSpec
    backend: Backend
    file_sha256: str
    interval_calibrated: bool = True
    personal: Personal | None = None
    whole: Model | None = None

    def __repr__(self) -> str:
        s = self.spec
        return f"<Model {self.path.name}: {', '.join(s.input_leads)} to twelve leads at {s.fs} Hz, {s.precision}>"

    def __reduce__(self) -> str:
        raise UsageError("a Model cannot be pickled or copied", "load it in the process that uses it: load_model(path)")


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
        Missing, truncated, damaged, not ours, inconsistent, or trained behind another conditioning.
    OfflineModelError
        The model is not a streaming one.
    MissingExtraError
        The file's runtime is not installed.
    UsageError
        `path` is neither a path nor a name, or `threads` no number of threads.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> ee.load_model("ii-int8").spec.input_leads
    ('II',)
    >>> try:
    ...     ee.load_model("nothing.onnx")
    ... except ee.ModelFileError as e:
    ...     print(e.message)
    cannot read model nothing.onnx: No such file or directory
    """
    _check_name(path, "path")
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= _MOST_THREADS:
        raise UsageError(f"threads={threads!r} is no number of threads", f"pass 1 to {_MOST_THREADS}: threads=1")
    file = resolve(path)
    blob = read_model_bytes(file)
    digest = check_seal(blob, file)
    if is_tflite(blob):
        from ecg_edge.device.inference.litert_backend import LiteRtBackend, open_interpreter

        spec = _streaming(read_metadata(blob, file), file)
        check_graph(blob, file)
        return Model(file, spec, LiteRtBackend(open_interpreter(blob, file, threads), spec, file), digest)
    try:
        import_runtime("onnxruntime")
        from ecg_edge.device.inference.onnx_backend import OnnxBackend, open_session
    except (ImportError, SystemExit) as e:
        gone = isinstance(e, ModuleNotFoundError) and e.name == "onnxruntime"
        reason = f"it ends the program (exit status {e.code})" if isinstance(e, SystemExit) else e
        why = "onnxruntime is not installed" if gone else f"onnxruntime cannot be loaded: {reason}"
        raise ModelFileError(
            f"{file} is an ONNX file, and {why}", "give the .tflite file, or install onnxruntime"
        ) from e
    spec = _streaming(onnx_metadata.read_metadata(blob, file), file)
    onnx_metadata.check_size(blob, file)
    session, _ = open_session(blob, file, threads)
    return Model(file, spec, OnnxBackend(session, spec, file), digest)


def loaded(model: Model | Path | str, name: str = "model") -> Model:
    """Return a model that a program passes: itself, or the one of a file or of a shipped name.

    Parameters
    ----------
    model : Model, Path or str
        As passed.
    name : str
        What the program calls it, for the message.

    Raises
    ------
    UsageError
        It is neither.
    ModelFileError, OfflineModelError, MissingExtraError
        As `load_model`.
    """
    if isinstance(model, Model):
        return model
    _check_name(model, name)
    return load_model(model)


def _check_name(given: object, name: str) -> None:
    if not isinstance(given, str | Path) or not str(given):
        raise UsageError(
            f"{name}={given!r} is no model", "pass a file, or the name of a shipped model: load_model('i-ii-int8')"
        )


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
    if departure := spec.conditioning.departure:
        raise ModelFileError(
            f"{file} was trained on records of {departure}",
            "export it from a run that this version trained, or run it with the version of ecg-edge that made it",
        )
    if spec.kind != "streaming":
        raise OfflineModelError(
            f"{file} is an {spec.kind} model; this needs a streaming one", "export it again without --offline"
        )
    return spec


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
            "choose a model for the source's leads (ecg-edge info), or name them: leads=(...) (--leads)",
        )
    return [source_leads.index(lead) for lead in spec.input_leads]
