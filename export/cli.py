"""Verb of the export side: export."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path

from ecg_edge.device.verification.budget import Budget
from ecg_edge.firmware_bridge.cli.verb import Verb
from ecg_edge.firmware_bridge.console import emit_json, hint
from ecg_edge.firmware_bridge.errors import BudgetError, MissingExtraError, UsageError
from ecg_edge.firmware_bridge.flags.numbers import MOST_ROWS, whole


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="run folder written by `ecg-edge train`")
    parser.add_argument("--int8", action="store_true", help="8-bit files beside the fp32 ones")
    parser.add_argument("--qat", action="store_true", help="fine-tune the body for 8 bits where the budget breaks")
    parser.add_argument("--fp16", action="store_true", help="a TFLite file with 16-bit weights as well")
    parser.add_argument("--dynamic", action="store_true", help="a TFLite file with dynamic-range int8 as well")
    parser.add_argument("--offline", action="store_true", help="files for whole records as well")
    parser.add_argument("--format", default="onnx,tflite", help="onnx, tflite, or both (default)")
    parser.add_argument("--out", type=Path, help="folder for the files (default: RUN/export)")
    parser.add_argument("--name", help="of the files (default: the run's folder)")
    parser.add_argument("--force", action="store_true", help="replace files of another run, or use a shipped name")
    parser.add_argument("--data", help="PTB-XL folder for calibration and verification (default: $ECG_EDGE_DATA)")
    parser.add_argument("--budget", default=str(Budget()), help="what a smaller file may cost per lead (%(default)s)")
    parser.add_argument(
        "--calibration-records",
        type=whole("--calibration-records", 1, MOST_ROWS),
        default=512,
        metavar="N",
        help="from the training folds",
    )
    parser.add_argument(
        "--limit",
        type=whole("--limit", 1, MOST_ROWS),
        metavar="N",
        help="verify on the first N validation records only",
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON document on stdout")


def _export(args: argparse.Namespace) -> int:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        import onnx  # noqa: F401
        import torch
    except ImportError as e:
        raise MissingExtraError(e.name or "torch", "export") from None
    torch.set_num_threads(1)
    from ecg_edge.export import exporter as build
    from ecg_edge.export.export_run import make
    from ecg_edge.export.targets import choose, is_shipped, refuse_strangers
    from ecg_edge.train.data import ptbxl
    from ecg_edge.train.data.prepare import prepare
    from ecg_edge.train.runs.run_folder import RunFolder, data_root

    budget = Budget.parse(args.budget)
    targets = choose(args.format, args.int8, args.fp16, args.dynamic, args.offline)
    if args.name and is_shipped(args.name) and not args.force:
        raise UsageError(f"{args.name} is the name of a shipped model", "choose another --name, or say --force")
    exporter = build.open_run(RunFolder(args.run), args.name or "")
    out = args.out or args.run / "export"
    if args.out and not args.force:
        refuse_strangers(out, exporter.stem, exporter.spec.model_id)
    root, conditioning = data_root(args.data), exporter.spec.conditioning
    validation = prepare(root, (ptbxl.VALIDATION_FOLD,), conditioning, args.limit, "validation records")
    calibration = prepare(root, ptbxl.TRAIN_FOLDS, conditioning, args.calibration_records, "calibration records")
    out.mkdir(parents=True, exist_ok=True)
    report = make(exporter, validation, calibration, out, targets, budget, lambda c: hint(c.line()), args.qat)
    for remark in report["accuracy"].get("remarks", ()):
        hint(remark)
    if args.json:
        emit_json(report)
    if not report["ok"]:
        raise BudgetError(
            f"rejected; see {out / exporter.stem}.rejected.json",
            "add --qat, train longer, or widen --budget knowingly; the files are kept as *.rejected",
        )
    best = next(f["path"] for f in reversed(report["files"]) if "-offline." not in f["path"])
    data = f" --data {shlex.quote(args.data)}" if args.data else ""
    best = shlex.quote(best)
    source = f"synthetic:leads={','.join(exporter.spec.input_leads)}" if not exporter.spec.any_lead else "synthetic:"
    hint(f"next: ecg-edge evaluate {best}{data}\nnext: ecg-edge run {source} --model {best}")
    return 0


EXPORT = Verb("export", "turn a run into verified streaming model files", _configure, _export)
