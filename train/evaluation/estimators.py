"""What can be scored: model files as streamed, training runs, and the baselines."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.lead_algebra import BASIS, missing_basis
from ecg_edge.firmware_bridge.array_types import AnyFloatArray, Float32Array
from ecg_edge.firmware_bridge.errors import CheckpointError, LeadMismatchError, UsageError
from ecg_edge.train.data.datasets import Dataset
from ecg_edge.train.data.prepare import prepare
from ecg_edge.train.data.ptbxl import TRAIN_FOLDS
from ecg_edge.train.evaluation.scoring import Estimator, IntervalEstimator, linear, streamed_with_interval
from ecg_edge.train.head import ridge

if TYPE_CHECKING:
    from ecg_edge.train.network.unet import NetSpec, UNet
    from ecg_edge.train.runs.run_folder import RunFolder

LINEAR_TAPS = 9
"""Samples that the linear estimate of a placement sees, as in the study of places."""


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
    any_electrode : bool
        Whether it takes channels between any electrodes, of which `inputs` are one choice.
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
    any_electrode: bool = False


def open_subject(text: str, leads: tuple[str, ...] = ()) -> Subject:
    """Open a run folder, a checkpoint, a model file, or a shipped model by its name; `leads` as in `from_model`."""
    path = Path(text)
    is_run = (path / "config.json").is_file() or path.suffix == ".pt"
    return from_run(path, leads) if is_run else from_model(text, leads)


def from_model(text: str, leads: tuple[str, ...] = ()) -> Subject:
    """A model file, run hop by hop from a cold start.

    Parameters
    ----------
    text : str
        Path, or name of a shipped model.
    leads : tuple of str
        The set an any-lead or any-electrode model is scored on.

    Raises
    ------
    ModelFileError
        See `device.inference.load.load_model`.
    """
    whole = load_model(text)
    model = for_leads(whole, leads)
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
        whole.spec.any_electrode,
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


def linear_baseline(subject: Subject, root: Path | Dataset) -> dict[str, Estimator]:
    """The linear estimate that every placement of the study of places has, fitted on the training folds.

    Parameters
    ----------
    subject : Subject
        Whose channels and targets.
    root : Path or Dataset
        PTB-XL; for another data set there is no such baseline.
    """
    if isinstance(root, Dataset):
        return {}
    train = prepare(root, TRAIN_FOLDS, subject.conditioning, None, "training records", subject.fs)
    weights = ridge.fit(train, subject.inputs, subject.targets, subject.fs, LINEAR_TAPS)
    return {f"linear {LINEAR_TAPS}": linear(weights)}


def from_run(path: Path, leads: tuple[str, ...] = ()) -> Subject:
    """A training run's averaged network, whole records at once in torch (which equals streamed).

    Parameters
    ----------
    path : Path
        Run folder or checkpoint.
    leads : tuple of str
        The leads or channels an any-lead or any-electrode network is scored on.

    Raises
    ------
    UsageError
        Such a network without leads.
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
        if not leads:
            raise UsageError("this run takes many lead sets", "name the one to score: --leads I,II or --leads RA-V5")
        return _any_run(path, run, model, leads)
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


def _any_run(path: Path, run: RunFolder, model: UNet, leads: tuple[str, ...]) -> Subject:
    """A run that takes any leads or channels, scored on these."""
    import torch

    from ecg_edge.train.head import figures_any_lead
    from ecg_edge.train.head.figures import LEVEL
    from ecg_edge.train.network.inputs import channel_inputs

    spec, hidden = model.spec, missing_basis(leads)
    columns = [BASIS.index(lead) for lead in hidden]
    listed = figures_any_lead.load(run.calibration_file)[0] if run.calibration_file.is_file() else ()
    found = next((s for s in listed if s.leads == leads), None)

    def estimate(x: Float32Array) -> tuple[AnyFloatArray, AnyFloatArray | None]:
        n = len(x) // spec.hop * spec.hop
        seen = channel_inputs(model, x[:n], leads)
        with torch.no_grad():
            both = model(torch.from_numpy(np.ascontiguousarray(seen[None].transpose(0, 2, 1))))
        mean, log_scale = (t.numpy()[0].T[spec.lookahead :, columns] for t in both)
        return mean, None if found is None else np.exp(log_scale) * found.interval_factors[columns]

    return Subject(
        str(path),
        "fp32 offline in torch (equals streamed)",
        leads,
        hidden,
        spec.fs,
        run.conditioning(),
        estimate,
        dict(found.ridge) if found else {},
        LEVEL if found else None,
        any_electrode=spec.any_electrode,
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
