"""Verbs of the training side: train, evaluate."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from ecg_edge.firmware_bridge.errors import CheckpointError, MissingExtraError, UsageError
from ecg_edge.firmware_bridge.verb import Verb, emit_json, hint

_GIVEN_BY_LEADS = ("input_leads", "any_lead")


def _configure_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--leads", required=True, help="measured leads, e.g. I,II; any: every subset of the basis")
    parser.add_argument("--init", type=Path, metavar="RUN", help="start from this run's weights")
    parser.add_argument("--data", help="PTB-XL folder (default: $ECG_EDGE_DATA)")
    parser.add_argument("--out", required=True, type=Path, help="run folder")
    parser.add_argument("--resume", action="store_true", help="continue from the run folder's last.pt")
    parser.add_argument("--limit", type=int, metavar="N", help="use only the first N records of each part")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of torch (default 1)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of train.training.TrainSpec or train.network.NetSpec, e.g. epochs=26, lookahead=12",
    )


def _train(args: argparse.Namespace) -> int:
    torch = _torch(args.threads)
    from ecg_edge.device.conditioning import ConditioningSpec
    from ecg_edge.device.leads import BASIS
    from ecg_edge.firmware_bridge.samples import parse_leads
    from ecg_edge.train import ptbxl
    from ecg_edge.train.finalise import finalise
    from ecg_edge.train.finalise_any import finalise_any
    from ecg_edge.train.network import NetSpec
    from ecg_edge.train.prepare import prepare
    from ecg_edge.train.run_folder import DATASET, RunFolder, data_root
    from ecg_edge.train.training import Trainer, TrainSpec, load_model

    net_settings, train_settings = _settings(args.set, NetSpec, TrainSpec)
    if args.leads == "any":
        net = NetSpec(BASIS, **{**net_settings, "any_lead": True})
    else:
        net = NetSpec(parse_leads(args.leads), **net_settings)
    if odd := [lead for lead in net.input_leads if lead not in BASIS]:
        raise UsageError(f"cannot train on {', '.join(odd)}", f"choose from {', '.join(BASIS)}")
    if not net.target_leads:
        raise UsageError("nothing is left to reconstruct from these leads", "name fewer leads")
    spec = TrainSpec(**train_settings)
    root, run, conditioning = data_root(args.data), RunFolder(args.out), ConditioningSpec()
    last = run.path / "last.pt"
    if last.exists() and not args.resume:
        raise CheckpointError(f"{run.path} already holds a run", "add --resume, or choose another --out")
    train = prepare(root, ptbxl.TRAIN_FOLDS, conditioning, args.limit, "training records")
    validation = prepare(root, (ptbxl.VALIDATION_FOLD,), conditioning, args.limit, "validation records")
    run.write_config(
        {
            "net": net.to_dict(),
            "train": spec.to_dict(),
            "conditioning": conditioning.to_dict(),
            "limit": args.limit,
            "records": {"train": len(train), "validation": len(validation)},
            "excluded": {**train.excluded, **validation.excluded},
            "dataset": DATASET,
        }
    )
    trainer = Trainer(net, spec, train, validation, run.path)
    if args.init and not last.exists():
        trainer.start_from(load_model(args.init))
    if last.exists():
        trainer.load(last)
        hint(f"resumed after epoch {trainer.epoch}")
    hint(f"{trainer.model.n_parameters()} parameters, {len(train)} records, torch {torch.__version__}")
    try:
        trainer.fit(_report)
    except KeyboardInterrupt:
        hint(f"\nstopped; last.pt holds epoch {trainer.epoch}\nnext: the same command with --resume")
        return 130
    if net.any_lead:
        finalise_any(load_model(run.path), train, validation, run.calibration_file)
        hint(f"next: ecg-edge export {run.path} --int8   or   ecg-edge train --leads I,II --init {run.path}")
        return 0
    finalise(load_model(run.path), train, validation).save(run.calibration_file)
    hint(f"next: ecg-edge evaluate {run.path}   or   ecg-edge export {run.path} --int8")
    return 0


def _report(row: dict[str, Any]) -> None:
    leads = "  ".join(f"{lead} {fig['r']:.3f}" for lead, fig in row["leads"].items())
    mean = row["mean"]
    hint(
        f"epoch {row['epoch']}: loss {row['loss']:.4f}  validation r {mean['r']:.4f} RMSE {mean['rmse_mv']:.4f} mV"
        f"  ({leads})  {row['seconds']:.0f} s"
    )


def _settings(pairs: list[str], *kinds: type[Any]) -> tuple[dict[str, Any], ...]:
    """Sort ``key=value`` pairs into the settings classes; every mistake is told at once."""
    found: tuple[dict[str, Any], ...] = tuple({} for _ in kinds)
    wrong = []
    for pair in pairs:
        key, _, text = pair.partition("=")
        for kind, settings in zip(kinds, found, strict=True):
            field = kind.__dataclass_fields__.get(key)
            if field is None or key in _GIVEN_BY_LEADS:
                continue
            try:
                settings[key] = _convert(text, field.default)
            except ValueError:
                wrong.append(f"{key}: {text!r} is not a {type(field.default).__name__}")
            break
        else:
            names = sorted(n for k in kinds for n in k.__dataclass_fields__ if n not in _GIVEN_BY_LEADS)
            wrong.append(f"unknown setting {key!r} (there are: {', '.join(names)})")
    if wrong:
        raise UsageError("; ".join(wrong), "write --set key=value, lists as 24,32,64,96")
    return found


def _convert(text: str, default: object) -> object:
    if isinstance(default, tuple):
        return tuple(int(t) for t in text.split(","))
    return int(text) if isinstance(default, int) else float(text)


def _torch(threads: int) -> Any:
    """Import torch with waiting threads that sleep: spinning ones starve whatever else runs."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        import torch
    except ImportError:
        raise MissingExtraError("torch", "train") from None
    torch.set_num_threads(threads)
    return torch


def _configure_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="run folder, model file, or the name of a shipped model")
    parser.add_argument("--leads", metavar="L", help="lead set an any-lead model is scored on: I,II")
    parser.add_argument("--data", help="DIR or KIND:DIR, e.g. ptbdb:DIR (default: $ECG_EDGE_DATA, PTB-XL)")
    parser.add_argument("--fold", type=int, default=10, help="official fold (default 10, the test fold)")
    parser.add_argument("--limit", type=int, metavar="N", help="score only the first N records")
    parser.add_argument("--json", action="store_true", help="end with one JSON document on stdout")


def _evaluate(args: argparse.Namespace) -> int:
    from ecg_edge.device.any_lead import for_leads
    from ecg_edge.device.model import load_model
    from ecg_edge.firmware_bridge.samples import parse_leads
    from ecg_edge.train import scoring
    from ecg_edge.train.datasets import Dataset
    from ecg_edge.train.prepare import prepare
    from ecg_edge.train.run_folder import data_root

    if (Path(args.model) / "config.json").is_file() or Path(args.model).suffix == ".pt":
        inputs, targets, fs, conditioning, estimate, ridges, how = _from_run(Path(args.model))
    else:
        model = for_leads(load_model(args.model), parse_leads(args.leads) if args.leads else ())
        spec = model.spec
        inputs, targets, fs, conditioning = spec.input_leads, spec.target_leads, spec.fs, spec.conditioning
        estimate, ridges = scoring.streamed(model.backend), spec.ridge
        how = f"{spec.precision} streamed hop by hop ({model.backend.name})"
    root = data_root(args.data)
    data = prepare(root, (args.fold,), conditioning, args.limit, "records", fs)
    doc = scoring.report(data, inputs, targets, fs, estimate, ridges)
    doc |= {"model": str(args.model), "how": how, "fold": args.fold}
    if isinstance(root, Dataset) and not root.has_folds:
        doc |= {"fold": None, "data": root.kind}
    _print_table(doc)
    if args.json:
        emit_json(doc)
    hint("next: ecg-edge run --monitor   (the same model, live)")
    return 0


def _from_run(path: Path) -> tuple[Any, ...]:
    _torch(1)
    from ecg_edge.train.finalise import Calibration
    from ecg_edge.train.run_folder import RunFolder
    from ecg_edge.train.training import load_model, reconstruct

    run = RunFolder(path if path.is_dir() else path.parent)
    model = load_model(path)
    ridges = Calibration.load(run.calibration_file).ridge if run.calibration_file.is_file() else {}
    spec = model.spec
    if spec.any_lead:
        raise UsageError("an any-lead run has no single table", "read its history.jsonl, which has one per lead set")
    how = "fp32 offline in torch (equals streamed)"
    return (
        spec.input_leads,
        spec.target_leads,
        spec.fs,
        run.conditioning(),
        lambda x: reconstruct(model, x[None])[0],
        ridges,
        how,
    )


def _print_table(doc: dict[str, Any]) -> None:
    columns = {"model": doc, **doc["baselines"]}
    where = doc.get("data") or f"fold {doc['fold']}"
    out = [
        f"{doc['records']} records of {where}, {doc['how']}; inputs {', '.join(doc['inputs'])}; "
        f"from {doc['scored_from_s']} s on; {len(doc['excluded'])} left out",
        "lead    " + "".join(f"{name:>22}" for name in columns),
        "        " + "".join(f"{'RMSE mV      r':>22}" for _ in columns),
    ]
    for lead in (*doc["leads"], "mean"):
        cells = [(c["mean"] if lead == "mean" else c["leads"][lead]) for c in columns.values()]
        out.append(f"{lead:<8}" + "".join(f"{c['rmse_mv']:>15.4f} {c['r']:>6.3f}" for c in cells))
    if "ridge 31" in columns:
        out.append("ridge 31 sees 150 ms to both sides of each sample; its figures are offline ones.")
    sys.stdout.write("\n".join(out) + "\n")


TRAIN = Verb("train", "train a causal U-Net on PTB-XL", _configure_train, _train)
EVALUATE = Verb("evaluate", "score a run or a model file against ridge baselines", _configure_evaluate, _evaluate)
