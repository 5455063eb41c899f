"""Verb of the export side: export."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ecg_edge.firmware_bridge.errors import BudgetError, MissingExtraError, UsageError
from ecg_edge.firmware_bridge.verb import Verb, emit_json, hint


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="run folder written by `ecg-edge train`")
    parser.add_argument("--int8", action="store_true", help="an 8-bit file beside the fp32 one")
    parser.add_argument("--out", type=Path, help="folder for the files (default: RUN/export)")
    parser.add_argument("--data", help="PTB-XL folder for calibration and verification (default: $ECG_EDGE_DATA)")
    parser.add_argument("--budget", default="rmse=1%", help="what int8 may cost per lead (default rmse=1%%)")
    parser.add_argument("--calibration-records", type=int, default=512, metavar="N", help="from the training folds")
    parser.add_argument("--limit", type=int, metavar="N", help="verify on the first N validation records only")
    parser.add_argument("--json", action="store_true", help="end with one JSON document on stdout")


def _export(args: argparse.Namespace) -> int:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        import onnx  # noqa: F401
        import torch
    except ImportError as e:
        raise MissingExtraError(e.name or "torch", "export") from None
    torch.set_num_threads(1)
    from ecg_edge.export import build
    from ecg_edge.export.checks import Budget
    from ecg_edge.export.make import make
    from ecg_edge.train import ptbxl
    from ecg_edge.train.prepare import prepare
    from ecg_edge.train.run_folder import RunFolder, data_root

    budget = Budget.parse(args.budget)
    if args.calibration_records < 1:
        raise UsageError("calibration needs records", "--calibration-records 512")
    exporter = build.open_run(RunFolder(args.run))
    root, conditioning = data_root(args.data), exporter.spec.conditioning
    validation = prepare(root, (ptbxl.VALIDATION_FOLD,), conditioning, args.limit, "validation records")
    calibration = prepare(root, ptbxl.TRAIN_FOLDS, conditioning, args.calibration_records, "calibration records")
    out = args.out or args.run / "export"
    out.mkdir(parents=True, exist_ok=True)
    report = make(exporter, validation, calibration, out, args.int8, budget, lambda c: hint(c.line()))
    if args.json:
        emit_json(report)
    if not report["ok"]:
        raise BudgetError(
            f"rejected; see {out / exporter.stem}.report.json",
            "train longer, or widen --budget knowingly; the files are kept as *.rejected",
        )
    best = report["files"][-1]["path"]
    hint(f"next: ecg-edge evaluate {best}   or   ecg-edge run --model {best}")
    return 0


EXPORT = Verb("export", "turn a run into verified streaming model files", _configure, _export)
