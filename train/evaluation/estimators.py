"""What can be scored: model files as streamed, training runs, and the baselines."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.load import load_model
from ecg_edge.firmware_bridge.array_types import AnyFloatArray, Float32Array
from ecg_edge.firmware_bridge.errors import CheckpointError, LeadMismatchError, UsageError
from ecg_edge.train.evaluation.scoring import Estimator, IntervalEstimator, streamed_with_interval

if TYPE_CHECKING:
    from ecg_edge.train.network.unet import NetSpec


@dataclass(frozen=True)
class Subject:
    """Something to score.

    Attributes
    ----------
    name : str
        As the user gave it.
    how : str
        How it is run, for the report.
    inputs, targets : tuple of str
        Basis leads.
    fs : int
        Rate in Hz.
    conditioning : ConditioningSpec
        The chain before it.
    estimate : callable
        One record at a time.
    ridge : dict of str to ndarray
        Baselines by number of taps.
    level : float or None
        Probability of the stated interval.
    path : Path or None
        The model file.
    identity : dict of str to str
        ``model_id``, ``file_sha256``, ``precision`` of a model file.
    """

    name: str
    how: str
    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    fs: int
    conditioning: ConditioningSpec
    estimate: IntervalEstimator
    ridge: dict[str, Float32Array]
    level: float | None = None
    path: Path | None = None
    identity: dict[str, str] = field(default_factory=dict)


def open_subject(text: str, leads: tuple[str, ...] = ()) -> Subject:
    """Open a run folder, a checkpoint, a model file, or a shipped model by its name; `leads` as in `from_model`."""
    path = Path(text)
    return from_run(path) if (path / "config.json").is_file() or path.suffix == ".pt" else from_model(text, leads)


def from_model(text: str, leads: tuple[str, ...] = ()) -> Subject:
    """A model file, run hop by hop from a cold start.

    Parameters
    ----------
    text : str
        Path, or name of a shipped model.
    leads : tuple of str
        The set an any-lead model is scored on.

    Raises
    ------
    ModelFileError
        See `device.inference.load.load_model`.
    """
    model = for_leads(load_model(text), leads)
    spec = model.spec
    return Subject(
        text,
        f"{spec.precision} streamed hop by hop ({model.backend.name})",
        spec.input_leads,
        spec.target_leads,
        spec.fs,
        spec.conditioning,
        streamed_with_interval(model),
        dict(spec.ridge),
        spec.head.interval_level,
        model.path,
        {"model_id": spec.model_id, "file_sha256": model.file_sha256, "precision": spec.precision},
    )


def twin_of(subject: Subject) -> Subject | None:
    """The fp32 file made from the same run, where it lies beside the given file."""
    if subject.path is None or subject.identity["precision"] == "fp32":
        return None
    stem = subject.path.stem.removesuffix(f"-{subject.identity['precision']}")
    other = subject.path.with_name(f"{stem}-fp32.onnx")
    if not other.is_file():
        return None
    twin = from_model(str(other), subject.inputs)
    return twin if twin.identity["model_id"] == subject.identity["model_id"] else None


def check_same_leads(subject: Subject, other: Subject) -> None:
    """Raise `LeadMismatchError` where two subjects cannot be compared sample by sample."""
    if (subject.inputs, subject.targets, subject.fs) != (other.inputs, other.targets, other.fs):
        raise LeadMismatchError(
            f"{other.name} reads {', '.join(other.inputs)} at {other.fs} Hz, "
            f"{subject.name} {', '.join(subject.inputs)} at {subject.fs} Hz",
            "compare files made from one run",
        )


def from_run(path: Path) -> Subject:
    """A training run's averaged network, whole records at once in torch (which equals streamed).

    Raises
    ------
    UsageError
        The run is an any-lead one.
    CheckpointError
        It is damaged.
    """
    import torch

    from ecg_edge.train.head.figures import LEVEL, HeadFigures
    from ecg_edge.train.runs.checkpoints import load_network
    from ecg_edge.train.runs.run_folder import RunFolder

    torch.set_num_threads(1)
    run = RunFolder(path if path.is_dir() else path.parent)
    model = load_network(path)
    spec = model.spec
    if spec.any_lead:
        raise UsageError("an any-lead run has no single table", "read its history.jsonl, which has one per lead set")
    calibration = HeadFigures.load(run.calibration_file) if run.calibration_file.is_file() else None

    def estimate(x: Float32Array) -> tuple[AnyFloatArray, AnyFloatArray | None]:
        n, late = len(x) // spec.hop * spec.hop, spec.lookahead
        with torch.no_grad():
            mean, log_scale = model(torch.from_numpy(np.ascontiguousarray(x[None, :n].transpose(0, 2, 1))))
        mv: AnyFloatArray = mean.numpy()[0].T[late:]
        if calibration is None:
            return mv, None
        return mv, np.asarray(np.exp(log_scale.numpy()[0].T[late:]) * calibration.interval_factors)

    return Subject(
        str(path),
        "fp32 offline in torch (equals streamed)",
        spec.input_leads,
        spec.target_leads,
        spec.fs,
        run.conditioning(),
        estimate,
        calibration.ridge if calibration else {},
        LEVEL if calibration else None,
    )


def offline_unet_of(run: Path, inputs: tuple[str, ...]) -> Estimator:
    """The offline U-Net of Gradowski & Buchner (2025), from ``ecg-edge reproduce gradowski2025`` (a folder ``*.unet``).

    Raises
    ------
    CheckpointError
        Not such a run.
    LeadMismatchError
        Trained on other leads.
    """
    import torch

    from ecg_edge.train.network.offline_unet import OfflineUNet
    from ecg_edge.train.network.unet import NetSpec
    from ecg_edge.train.runs.checkpoints import read_checkpoint, reconstruct

    path = run if run.is_file() else run / "best.pt"
    state = read_checkpoint(path)
    spec: NetSpec = NetSpec.from_dict(state["net"])
    net = OfflineUNet(spec)
    try:
        net.load_state_dict(state["average"])
    except RuntimeError as e:
        raise CheckpointError(f"{path} is not an offline U-Net: {str(e)[:200]}", "give a folder …/NAME.unet") from e
    measures_iii = "iii" in path.parent.name.partition(".")[0].split("-")  # it lies in the column of II there
    if spec.input_leads != inputs or measures_iii:
        raise LeadMismatchError(f"{path} reads {', '.join(spec.input_leads)}", f"give one of {', '.join(inputs)}")
    net.eval()

    def estimate(x: Float32Array) -> Float32Array:
        with torch.no_grad():
            return np.asarray(reconstruct(net, x[None])[0])  # type: ignore[arg-type]

    return estimate
