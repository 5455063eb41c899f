"""The verb `evaluate`: every figure of a model file or run on a data set."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from ecg_edge.firmware_bridge.cli.verb import Verb
from ecg_edge.firmware_bridge.console import emit_json, hint
from ecg_edge.firmware_bridge.flags.numbers import MOST_ROWS, MOST_SEED, whole

OFFLINE_UNET = "offline U-Net"


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="run folder, model file, or the name of a shipped model")
    parser.add_argument(
        "--leads",
        metavar="L",
        help="leads or channels an any-lead or any-electrode model is scored on: I,II, or RA-V2,RA-V5",
    )
    parser.add_argument("--data", help="DIR or KIND:DIR, e.g. ptbdb:DIR (default: $ECG_EDGE_DATA, PTB-XL)")
    parser.add_argument(
        "--fold", type=whole("--fold", 1, 10), default=10, help="official fold (default 10, the test fold)"
    )
    parser.add_argument(
        "--limit", type=whole("--limit", 1, MOST_ROWS), metavar="N", help="score only the first N records"
    )
    parser.add_argument("--against", metavar="FILE", help="fp32 file of the same run (default: the one beside it)")
    parser.add_argument("--offline-unet", type=Path, metavar="RUN", help="baseline: a NAME.unet run of `reproduce`")
    parser.add_argument("--no-delineation", action="store_true", help="leave out amplitudes, ST and R peaks (faster)")
    parser.add_argument(
        "--resamples",
        type=whole("--resamples", 1, 10**6),
        default=1000,
        metavar="N",
        help="of the bootstrap (default 1000)",
    )
    parser.add_argument("--seed", type=whole("--seed", 0, MOST_SEED), default=0, help="of the bootstrap (default 0)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="also write report.md, report.json and plots there")
    parser.add_argument("--json-out", type=Path, metavar="FILE", help="also write the JSON document there")
    parser.add_argument("--json", action="store_true", help="end with one JSON document on stdout")


def _evaluate(args: argparse.Namespace) -> int:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from ecg_edge.firmware_bridge.lead_names import pair_of, parse_channels
    from ecg_edge.train.evaluation import estimators
    from ecg_edge.train.evaluation.evaluate import evaluate
    from ecg_edge.train.pages import report
    from ecg_edge.train.runs.run_folder import data_root

    leads = parse_channels(args.leads) if args.leads else ()
    subject = estimators.open_subject(args.model, leads)
    twin = estimators.from_model(args.against, leads) if args.against else estimators.twin_of(subject)
    if twin is not None:
        estimators.check_same_leads(subject, twin)
    rivals: dict[str, Any] = {}
    if args.offline_unet:
        rivals[OFFLINE_UNET] = estimators.offline_unet_of(args.offline_unet, subject.inputs)
    root = data_root(args.data)
    if subject.any_electrode or any(map(pair_of, subject.inputs)):
        rivals |= estimators.linear_baseline(subject, root)
    evaluation = evaluate(
        subject,
        root,
        fold=args.fold,
        limit=args.limit,
        twin=twin,
        baselines=rivals,
        delineate=not args.no_delineation,
        resamples=args.resamples,
        seed=args.seed,
    )
    sys.stdout.write(report.plain(evaluation.doc))
    if args.json_out:
        report.write_json(evaluation.doc, args.json_out)
    if args.out:
        for path in report.write(evaluation, args.out):
            hint(f"wrote {path}")
    if args.json:
        emit_json(evaluation.doc)
    model, data = shlex.quote(args.model), ""
    if args.data and ":" not in args.data:  # export reads PTB-XL alone
        data = f" --data {shlex.quote(args.data)}"
    if Path(args.model).is_dir():
        hint(f"next: ecg-edge export {model} --int8{data}")
    else:
        hint(f"next: ecg-edge run synthetic:leads={','.join(subject.inputs)} --model {model} --monitor")
    return 0


EVALUATE = Verb("evaluate", "every figure of a run or a model file, the baselines beside it", _configure, _evaluate)
