"""Train what a recipe says: data, run folder, training, and the figures a model file needs."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecg_edge.device.conditioning.fingerprint import check_chain
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.inference.shipped import resolve
from ecg_edge.firmware_bridge.errors import CheckpointError, DataFolderError, EcgEdgeError, UsageError
from ecg_edge.train.data import ptbxl
from ecg_edge.train.data.datasets import Dataset, open_dataset
from ecg_edge.train.data.prepare import Prepared, prepare
from ecg_edge.train.head.figures import finalise
from ecg_edge.train.head.figures_any_lead import finalise_any
from ecg_edge.train.jobs.recipe import Recipe
from ecg_edge.train.jobs.run_log import RunLog, leave_settings, settings_yaml
from ecg_edge.train.learning.batch_feed import fitting_workers
from ecg_edge.train.learning.batches import draw
from ecg_edge.train.learning.feature_loss import load as load_judge
from ecg_edge.train.learning.teachers import check, taught
from ecg_edge.train.learning.trainer import Trainer
from ecg_edge.train.network.unet import UNet
from ecg_edge.train.runs.checkpoints import load_network
from ecg_edge.train.runs.from_model_file import load_file, settle_norms
from ecg_edge.train.runs.run_folder import DATASET, RunFolder, data_root

if TYPE_CHECKING:
    from lightning_fabric import Fabric

INTERRUPTED = 130
JUDGE = Path("runs/diagnosis/judge.pt")
"""Where `ecg-edge reproduce diagnosis` leaves it."""
_SETTLE_RECORDS = 512


@dataclass(frozen=True)
class Job:
    """One training to be done.

    Attributes
    ----------
    recipe : Recipe
        What.
    out : Path
        Run folder.
    data : str or None
        As ``--data``.
    init : Path or None
        Run to start from.
    limit : int or None
        Only the first so many records of each part.
    resume : bool
        Continue where there is something to continue.
    teachers : tuple of Path
        Runs or model files to learn from in place of the truth.
    judge : Path
        Classifier whose features a recipe with `TrainSpec.diagnosis` keeps.
    """

    recipe: Recipe
    out: Path
    data: str | None = None
    init: Path | None = None
    limit: int | None = None
    resume: bool = False
    teachers: tuple[Path, ...] = ()
    judge: Path = JUDGE

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return RunFolder(self.out).calibration_file.is_file()


def train(job: Job, fabric: Fabric, workers: int | None = None) -> int:
    """Train, or continue, and measure what the model file needs; return the exit code.

    Parameters
    ----------
    job : Job
        What.
    fabric : Fabric
        On what.
    workers : int, optional
        Processes that draw batches ahead; what fits the machine unless told, see `batch_feed.fitting_workers`.

    Raises
    ------
    EcgEdgeError
        With what is wrong and how to go on; what was reached lies in the run folder.
    """
    recipe, run = job.recipe, RunFolder(job.out)
    last = run.path / "last.pt"
    if last.exists() and not job.resume:
        raise CheckpointError(f"{run.path} already holds a run", "add --resume auto, or choose another --out")
    if (run.path / "best.pt").exists() and not last.exists():
        return _measured_elsewhere(job, run, fabric)
    check_chain()
    conditioning = run.conditioning() if last.exists() else ConditioningSpec()
    _contradictions(job, last.exists())
    first = _start(job.init) if job.init and not last.exists() else None
    teachers = [_start(t).eval() for t in job.teachers]
    check(recipe.net, teachers)
    parts = _parts(job, conditioning, fabric)
    lessons = _taught(recipe, parts, teachers, fabric) if teachers else parts[0]
    if first is not None and is_model(job.init):
        _settle(first, parts[0], recipe)
    zero = fabric.is_global_zero
    if zero:
        _describe(job, run, conditioning, parts, fabric)
    log = RunLog(run, silent=not zero)
    if workers is None:
        workers = fitting_workers(fabric.device.type == "cuda", fabric.world_size)
    judge = load_judge(job.judge, fabric.device) if recipe.train.diagnosis else None
    trainer = Trainer(recipe.net, recipe.train, lessons, parts[1], run.path, fabric, workers, judge)
    if first is not None:
        trainer.start_from(first)
    if last.exists():
        trainer.load(last)
        log.say(f"resumed after epoch {trainer.epoch}")
    log.say(f"{sum(p.numel() for p in trainer.model.parameters())} parameters, {len(lessons)} records")
    if code := _fit(trainer, log):
        return code
    if zero:
        _measure(run, *parts)
        log.say(_next(job))
    return 0


def _fit(trainer: Trainer, log: RunLog) -> int:
    """Train to the end and log it; return the exit code where a user stopped it, else 0."""
    try:
        trainer.fit(log.epoch)
    except KeyboardInterrupt:
        log.say(f"\nstopped; last.pt holds epoch {trainer.epoch}\nnext: the same command with --resume auto")
        return INTERRUPTED
    except EcgEdgeError as e:
        log.say(f"stopped: {e.message}")
        raise
    finally:
        log.close()
    if trainer.out_of_patience:
        log.say(f"stopped early: no better for {trainer.spec.patience} epochs, the best was {trainer.best_epoch}")
    return 0


def _next(job: Job) -> str:
    """The commands that use a finished run, each on a line of its own."""
    data = f" --data {shlex.quote(job.data)}" if job.data else ""
    path = shlex.quote(str(job.out))
    export = f"ecg-edge export {path} --int8{data}"
    if job.recipe.net.any_lead:
        return f"next: {export}\nnext: ecg-edge train --leads I,II --init {path}{data}"
    return f"next: ecg-edge evaluate {path}{data}\nnext: {export}"


def _measured_elsewhere(job: Job, run: RunFolder, fabric: Fabric) -> int:
    """Finish a run of which only weights are there, as `gpu.farm` leaves it: describe it, measure the rest."""
    if not job.resume:
        raise CheckpointError(f"{run.path} already holds a run", "add --resume auto, or choose another --out")
    if load_network(run.path).spec != job.recipe.net:
        raise CheckpointError(f"{run.path} is of another shape than {job.recipe.name}", "name the recipe it is of")
    conditioning = ConditioningSpec()
    parts = _parts(job, conditioning, fabric)
    if fabric.is_global_zero:
        _describe(job, run, conditioning, parts, fabric)
        _measure(run, *parts)
    return 0


def _contradictions(job: Job, started: bool) -> None:
    """Raise one UsageError with every setting that needs another which is not there."""
    spec, wrong = job.recipe.train, []
    if spec.keep and not (job.init or started):
        wrong.append(("keep is a share of the weights a run starts from", "give --init, or leave keep out"))
    for name in ("stretch", "mix"):
        if getattr(spec, name) and not job.teachers:
            wrong.append((f"{name} is of what teachers say, and there are none", f"give --teacher, or no {name}"))
    if spec.mixes > 1 and not spec.mix:
        wrong.append((f"there can be no {spec.mixes} mixes where mix is 0", "give --set mix=0.12, or leave mixes out"))
    if spec.diagnosis and not job.judge.is_file():
        fix = f"ecg-edge reproduce diagnosis first (it leaves {JUDGE}), or --set diagnosis=0"
        wrong.append((f"diagnosis weighs what a judge sees, and there is none in {job.judge}", fix))
    if wrong:
        raise UsageError("; ".join(what for what, _ in wrong), "; ".join(fix for _, fix in wrong))


def is_model(init: Path | None) -> bool:
    """Whether a start is a model file or the name of a shipped one, not a run."""
    return init is not None and resolve(init).suffix in (".onnx", ".tflite")


def _start(init: Path) -> UNet:
    """The network to start from: a run's, or the one in a model file."""
    return load_file(init) if is_model(init) else load_network(init)


def _settle(first: UNet, train: Prepared, recipe: Recipe) -> None:
    """Let the batch norms of a model file's network start from the moments of training records."""
    rng = np.random.default_rng(recipe.train.seed)
    rows = rng.permutation(len(train))[:_SETTLE_RECORDS]
    settle_norms(first, draw(train, rows, first.spec, recipe.train, rng).inputs)


def _parts(job: Job, conditioning: ConditioningSpec, fabric: Fabric) -> tuple[Prepared, Prepared]:
    """Training and validation records; the first process prepares them, the others map what it made."""
    root = data_root(job.data)
    if job.recipe.data == "ptb-xl-500":
        if isinstance(root, Dataset):
            raise DataFolderError(f"this recipe trains on PTB-XL, not on {root.kind}", "give --data DIR of PTB-XL")
        root = open_dataset(f"ptb-xl-500:{root}")

    def both() -> tuple[Prepared, Prepared]:
        fs = job.recipe.net.fs
        train = prepare(root, ptbxl.TRAIN_FOLDS, conditioning, job.limit, "training records", fs)
        return train, prepare(root, (ptbxl.VALIDATION_FOLD,), conditioning, job.limit, "validation records", fs)

    parts = both() if fabric.is_global_zero else None
    fabric.barrier()
    return parts or both()


def _taught(recipe: Recipe, parts: tuple[Prepared, Prepared], teachers: list[UNet], fabric: Fabric) -> Prepared:
    """The training records as the teachers see them; the first process asks, the others map what it wrote."""
    how = recipe.train
    ask = partial(taught, *parts, recipe.net, teachers, how.stretch, how.mix, how.mixes)
    found = ask() if fabric.is_global_zero else None
    fabric.barrier()
    return found or ask()


def _describe(
    job: Job, run: RunFolder, conditioning: ConditioningSpec, parts: tuple[Prepared, Prepared], fabric: Fabric
) -> None:
    """Write down how the run is made before its first epoch."""
    recipe, (train, validation) = job.recipe, parts
    before = run.read_config() if run.config_file.is_file() else {}
    init = str(job.init or before.get("init") or "")
    config = {
        "net": recipe.net.to_dict(),
        "train": recipe.train.to_dict(),
        "conditioning": conditioning.to_dict(),
        "limit": job.limit,
        "init": init,
        "teachers": [str(t) for t in job.teachers] or before.get("teachers", []),
        "records": {"train": len(train), "validation": len(validation)},
        "excluded": {**train.excluded, **validation.excluded},
        "dataset": {**DATASET, "name": DATASET["name"].replace("100 Hz", "500 Hz")}
        if recipe.data == "ptb-xl-500"
        else DATASET,
        "hardware": f"{fabric.world_size} x {fabric.device.type}",
    }
    run.write_config(config)
    leave_settings(run, settings_yaml(recipe.name, init, recipe.data, config))


def _measure(run: RunFolder, train: Prepared, validation: Prepared) -> None:
    """Write what the model file says beside the weights; last of all, so that its file means finished."""
    model = load_network(run.path)
    part = run.calibration_file.with_suffix(".part.npz")
    if model.spec.any_lead:
        finalise_any(model, train, validation, part)
    else:
        finalise(model, train, validation).save(part)
    part.replace(run.calibration_file)
