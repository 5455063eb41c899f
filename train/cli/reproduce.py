"""The verb `reproduce`: the grid of Gradowski and Buchner, and studies of our own."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecg_edge.firmware_bridge.cli.verb import Verb
from ecg_edge.firmware_bridge.console import emit_json, hint
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.flags.numbers import MOST_PROCESSES, MOST_ROWS, whole

_STUDIES = (
    "gradowski2025", "lookahead", "width", "augmentation",
    "any-lead", "calibration", "bandwidth", "placement", "diagnosis", "intervals",
)  # fmt: skip
_GO_ON = ("bandwidth", "placement", "diagnosis")
"""Studies that go on where they were stopped; those of networks say so themselves."""
_EPOCHS, _FEW, _FEWER, _INTERRUPTED = 4, 64, 24, 130


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", choices=_STUDIES)
    parser.add_argument("--data", help="PTB-XL folder (default: $ECG_EDGE_DATA)")
    parser.add_argument("--out", type=Path, help="results and checkpoints (default: runs/STUDY)")
    parser.add_argument("--model", default="i-ii-int8", help="of the study calibration (default i-ii-int8)")
    parser.add_argument("--network", metavar="M", help="of the study placement: an any-electrode model")
    parser.add_argument(
        "--epochs",
        type=whole("--epochs", 1, 10**6),
        help="of every row (default 4; of the classifiers of diagnosis 15)",
    )
    parser.add_argument(
        "--limit", type=whole("--limit", 1, MOST_ROWS), metavar="N", help="use only the first N records of each part"
    )
    parser.add_argument(
        "--threads",
        type=whole("--threads", 1, MOST_PROCESSES),
        default=1,
        metavar="N",
        help="threads of torch (default 1)",
    )
    parser.add_argument("--quick", action="store_true", help="try the machinery: thin networks, one epoch, 64 records")
    parser.add_argument("--json", action="store_true", help="end with one JSON document on stdout")


def _reproduce(args: argparse.Namespace) -> int:
    args.out = args.out or Path("runs") / args.study
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        return _WORK.get(args.study, _networks)(args)
    except KeyboardInterrupt:
        if args.study not in _GO_ON:
            raise
        hint("\nstopped\nnext: the same command goes on where it stopped")
        return _INTERRUPTED


def _few(args: argparse.Namespace) -> int | None:
    """Records of each part: those asked for, or a few to try the machinery."""
    return _FEW if args.quick and args.limit is None else args.limit


def _bandwidth(args: argparse.Namespace) -> int:
    from ecg_edge.train.cli.with_torch import torch_verb

    torch_verb(args.threads)
    from ecg_edge.train.data.datasets import Dataset
    from ecg_edge.train.pages.results_tables import bandwidth as table
    from ecg_edge.train.runs.run_folder import data_root
    from ecg_edge.train.studies import bandwidth

    root = data_root(args.data)
    if isinstance(root, Dataset):
        raise UsageError(f"this study needs PTB-XL, not {root.kind}", "give --data DIR with records100 and records500")
    epochs = 1 if args.quick else args.epochs or _EPOCHS
    doc = bandwidth.run(root, args.out, epochs, _few(args), args.quick)
    return _show(args, doc, table(doc).plain())


def _placement(args: argparse.Namespace) -> int:
    from ecg_edge.device.conditioning.spec import ConditioningSpec
    from ecg_edge.train.data import ptbxl
    from ecg_edge.train.data.prepare import prepare
    from ecg_edge.train.runs.run_folder import data_root
    from ecg_edge.train.studies import placement

    root, spec, limit = data_root(args.data), ConditioningSpec(), _few(args)
    train = prepare(root, ptbxl.TRAIN_FOLDS, spec, limit, "training records")
    test = prepare(root, (ptbxl.TEST_FOLD,), spec, limit, "test records")
    doc = placement.linear(train, test, ptbxl.FS, args.out / "placement.json")
    if args.network:
        doc = placement.network(doc, test, args.network, args.out / "placement.json")
    lines = []
    for row in placement.best(doc):
        mean = row["over_eight"]
        lines.append(f"{row['name']:<16} r {mean['r']:.4f}  RMSE {mean['rmse_mv']:.4f} mV over eight leads\n")
    return _show(args, doc, "".join(lines))


def _any_lead(args: argparse.Namespace) -> int:
    from ecg_edge.device.conditioning.spec import ConditioningSpec
    from ecg_edge.train.data import ptbxl
    from ecg_edge.train.data.prepare import prepare
    from ecg_edge.train.pages.results_tables import any_lead
    from ecg_edge.train.runs.run_folder import data_root
    from ecg_edge.train.studies import any_lead as reproduce_any

    test = prepare(data_root(args.data), (ptbxl.TEST_FOLD,), ConditioningSpec(), _few(args), "test records")
    doc = reproduce_any.beside_specialists(test)
    return _show(args, _written(args, doc), any_lead(doc).plain())


def _intervals(args: argparse.Namespace) -> int:
    from ecg_edge.device.conditioning.spec import ConditioningSpec
    from ecg_edge.train.data import ptbxl
    from ecg_edge.train.data.prepare import prepare
    from ecg_edge.train.intervals import study
    from ecg_edge.train.pages.interval_tables import tables
    from ecg_edge.train.runs.run_folder import data_root

    limit = _FEWER if args.quick and args.limit is None else args.limit
    test = prepare(data_root(args.data), (ptbxl.TEST_FOLD,), ConditioningSpec(), limit, "test records")
    doc = study.run(test, study.MODELS[:1] if args.quick else study.MODELS, hint)
    return _show(args, _written(args, doc), "\n".join(t.plain() for t in tables(doc)))


def _diagnosis(args: argparse.Namespace) -> int:
    from ecg_edge.train.cli.with_torch import torch_verb

    torch_verb(args.threads)
    from ecg_edge.train.pages.diagnosis_tables import tables
    from ecg_edge.train.runs.run_folder import data_root
    from ecg_edge.train.studies import diagnosis

    epochs = 1 if args.quick else args.epochs or diagnosis.EPOCHS
    models = ["i-ii-int8"] if args.quick else None
    doc = diagnosis.run(data_root(args.data), args.out, _few(args), epochs, models)
    return _show(args, _written(args, doc), "\n".join(t.plain() for t in tables(doc)))


def _calibration(args: argparse.Namespace) -> int:
    from ecg_edge.train.pages.calibration_tables import tables
    from ecg_edge.train.runs.run_folder import data_root
    from ecg_edge.train.studies.calibration_report import report

    doc = report(args.model, data_root(args.data), _few(args))
    return _show(args, _written(args, doc), "\n".join(t.plain() for t in tables(doc)))


def _written(args: argparse.Namespace, doc: dict[str, Any]) -> dict[str, Any]:
    """Write the document of a study that does not write it itself, and return it."""
    (args.out / f"{args.study}.json").write_text(json.dumps(doc, indent=1) + "\n")
    return doc


def _show(args: argparse.Namespace, doc: dict[str, Any], text: str) -> int:
    """Show the document as asked for, and what to do with its file."""
    if args.json:
        emit_json(doc)
    else:
        sys.stdout.write(text)
    file = args.out / f"{args.study}.json"
    hint(f"wrote {file}\nnext: cp {file} docs/results && ecg-edge results")
    return 0


def _networks(args: argparse.Namespace) -> int:
    from ecg_edge.train.cli.with_torch import torch_verb

    torch_verb(args.threads)
    from ecg_edge.device.conditioning.spec import ConditioningSpec
    from ecg_edge.train.data import ptbxl
    from ecg_edge.train.data.prepare import prepare
    from ecg_edge.train.runs.run_folder import data_root
    from ecg_edge.train.studies import grid as reproduce_grid
    from ecg_edge.train.studies import study as reproduce

    out, root, spec, limit = args.out, data_root(args.data), ConditioningSpec(), _few(args)
    train, validation, test = (
        prepare(root, folds, spec, limit, label)
        for folds, label in (
            (ptbxl.TRAIN_FOLDS, "training records"),
            ((ptbxl.VALIDATION_FOLD,), "validation records"),
            ((ptbxl.TEST_FOLD,), "test records"),
        )
    )
    parts = (reproduce.quarter(train), validation, test)
    rows = reproduce_grid.rows(args.study, 1 if args.quick else args.epochs or _EPOCHS, args.quick)
    docs: list[dict[str, Any]] = []
    try:
        for k, row in enumerate(rows, 1):
            hint(f"row {k} of {len(rows)}: {row.name}, {len(parts[0])} training records")
            docs.append(reproduce.run_row(row, parts, out, disturb=args.study == "augmentation"))
        if args.study == "gradowski2025" and not args.quick:
            from ecg_edge.train.studies import any_lead as reproduce_any

            hint("the shipped any-lead model on every configuration")
            docs += reproduce_any.rows(test)
    except KeyboardInterrupt:
        hint(f"\nstopped after {len(docs)} of {len(rows)} rows\nnext: the same command goes on where it stopped")
        return _INTERRUPTED
    return _finish(args, out, docs)


def _finish(args: argparse.Namespace, out: Path, docs: list[dict[str, Any]]) -> int:
    from ecg_edge.train.evaluation.plots import information_matrix
    from ecg_edge.train.pages.findings import words

    said = words(docs) if args.study == "gradowski2025" else []
    for doc in docs:
        mean = doc["figures"]["mean"]
        name = f"{doc['configuration']}, {doc['design']}"
        sys.stdout.write(f"{name:<28} r {mean['r']:.4f}  RMSE {mean['rmse_mv']:.4f} mV\n")
    sys.stdout.write("".join(f"{line}\n" for line in said))
    information_matrix(docs, out / f"{args.study}.png")
    (out / "summary.json").write_text(json.dumps({"study": args.study, "words": said, "rows": docs}, indent=1) + "\n")
    if args.json:
        emit_json({"study": args.study, "words": said, "rows": docs})
    hint(f"next: look at {out / f'{args.study}.png'}")
    return 0


_WORK: dict[str, Callable[[argparse.Namespace], int]] = {
    "bandwidth": _bandwidth,
    "placement": _placement,
    "any-lead": _any_lead,
    "diagnosis": _diagnosis,
    "calibration": _calibration,
    "intervals": _intervals,
}
"""What each study does; the others train rows of networks."""

REPRODUCE = Verb("reproduce", "train and score the rows of a published or own study", _configure, _reproduce)
