"""The verb `train`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from ecg_edge.firmware_bridge.errors import CheckpointError, MissingExtraError, UsageError
from ecg_edge.firmware_bridge.verb import Verb, hint

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


TRAIN = Verb("train", "train a causal U-Net on PTB-XL", _configure_train, _train)
