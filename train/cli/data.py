"""The verb data: fetch public data sets, and say what lies in a folder."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecg_edge.firmware_bridge.cli.verb import Verb
from ecg_edge.firmware_bridge.console import emit_json, hint
from ecg_edge.firmware_bridge.errors import DataFolderError
from ecg_edge.train.cli import gpu

if TYPE_CHECKING:
    from ecg_edge.train.data.datasets import Dataset

_NAMES = ("ptb-xl", "ptbdb", "ludb", "nstdb", "cpsc2018")
_SHOWN = 20


def _configure(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="what", required=True, metavar="get|info|pack")
    get = verbs.add_parser("get", help="download a data set from PhysioNet; the same command resumes")
    get.add_argument("name", choices=_NAMES)
    get.add_argument("--dest", type=Path, help="folder (default: NAME inside $ECG_EDGE_DATA, or inside ./data)")
    get.add_argument("--only", action="append", metavar="PREFIX", help="only files below it, e.g. records100/")
    get.add_argument("--url", help="another mirror's address of the folder that holds SHA256SUMS.txt")
    info = verbs.add_parser("info", help="say what lies in a folder")
    info.add_argument("data", nargs="?", help="DIR or KIND:DIR (default: every folder inside $ECG_EDGE_DATA)")
    info.add_argument("--screen", action="store_true", help="read every record and list those that cannot serve")
    info.add_argument("--json", action="store_true", help="end with one JSON document on stdout")
    gpu.configure_pack(verbs.add_parser("pack", help="training records in pieces for a GPU elsewhere"))


def _run(args: argparse.Namespace) -> int:
    if args.what == "pack":
        return gpu.pack(args)
    return _get(args) if args.what == "get" else _info(args)


def _get(args: argparse.Namespace) -> int:
    from ecg_edge.train.data.download import download
    from ecg_edge.train.data.public_sources import SOURCES

    source = SOURCES[args.name]
    dest = args.dest or Path(os.environ.get("ECG_EDGE_DATA") or "data") / args.name
    hint(f"{source.name} {source.version}, {source.licence}. Cite: {source.citation}")
    # A listed project's licence and record list lie at its top: fetched whatever the prefix.
    prefixes = tuple(source.prefix + p for p in args.only or ("",))
    tables = ("LICENSE", "RECORDS", "ptbxl_database.csv", "ludb.csv")
    try:
        done = download(args.url or source.url, dest, (*prefixes, *tables))
    except KeyboardInterrupt:
        hint("\nstopped; the same command resumes")
        return 130
    sys.stdout.write(f"{dest}: {done.fetched} files fetched, {done.present} were there\n")
    hint(f"next: ecg-edge data info {shlex.quote(str(dest))}")
    return 0


def _info(args: argparse.Namespace) -> int:
    from ecg_edge.train.data.datasets import open_dataset

    docs = []
    for text in [args.data] if args.data else _folders():
        try:
            docs.append(describe(open_dataset(text), args.screen))
        except DataFolderError as e:
            if args.data:
                raise
            hint(f"{text}: {e.message}")
    for doc in docs:
        _print(doc)
    if args.json:
        emit_json({"datasets": docs})
    return 0


def _folders() -> list[str]:
    root = Path(os.environ.get("ECG_EDGE_DATA") or "data")
    if not root.is_dir():
        raise DataFolderError("which folder?", "give a DIR, set ECG_EDGE_DATA, or fetch one: ecg-edge data get ptb-xl")
    return [str(p) for p in sorted(root.iterdir()) if p.is_dir()] or [str(root)]


def describe(data: Dataset, screening: bool = False) -> dict[str, Any]:
    """Say what is there: kind, records, rates, leads, folds, and what is missing.

    Parameters
    ----------
    data : Dataset
        What to describe.
    screening : bool
        Read every record and list those that cannot serve, with the reason.
    """
    from ecg_edge.train.data.wfdb_files import header_file, read_header, with_suffix

    there = [r for r in data.records if header_file(r.path).is_file()]
    headers = [read_header(r.path) for r in there[: 200 if data.has_folds else None]]
    signal = (".dat", ".mat")
    doc: dict[str, Any] = {
        "kind": data.kind,
        "folder": str(data.root),
        "records": len(data.records),
        "on_disk": len(there),
        "no_signal_file": [r.name for r in there if not any(with_suffix(r.path, s).is_file() for s in signal)],
        "patients": len({r.patient for r in data.records if r.patient}),
        "headers_read": len(headers),
        "rates_hz": dict(Counter(f"{h.fs:g}" for h in headers)),
        "leads": dict(Counter(" ".join(h.leads) for h in headers)),
        "folds": {str(k): n for k, n in sorted(Counter(r.fold for r in there if r.fold is not None).items())},
    }
    if screening:
        doc["unusable"] = _screened(data, [r.number for r in there])
    return doc


def _screened(data: Dataset, numbers: list[int]) -> dict[str, str]:
    from ecg_edge.firmware_bridge.progress import Progress
    from ecg_edge.train.data.ptbxl import screen

    wanted, found = set(numbers), {}
    with Progress("screening", len(numbers)) as progress:
        for record in (r for r in data.records if r.number in wanted):
            try:
                x = data.read(record).x
                reason = screen(x) if len(x) else "no samples"
            except DataFolderError as e:
                reason = e.message
            if reason:
                found[record.name] = reason
            progress.step(note=f"{len(found)} unusable" if found else "")
    return found


def _print(doc: dict[str, Any]) -> None:
    lines = [
        f"{doc['folder']}: {doc['kind']}, {doc['on_disk']} of {doc['records']} records on disk, "
        + (f"{doc['patients']} patients known" if doc["patients"] else "patients unknown")
    ]
    if doc["headers_read"] < doc["on_disk"]:
        lines.append(f"  of the first {doc['headers_read']}:")
    lines += [f"  {n} records at {fs} Hz" for fs, n in doc["rates_hz"].items()]
    lines += [f"  {n} records with {leads}" for leads, n in doc["leads"].items()]
    if doc["folds"]:
        lines.append("  folds: " + ", ".join(f"{k}: {n}" for k, n in doc["folds"].items()))
    if doc["no_signal_file"]:
        lines.append(f"  without a signal file: {_some(doc['no_signal_file'])}")
    if "unusable" in doc:
        lines.append(f"  {len(doc['unusable'])} cannot serve")
        lines += [f"    {name}: {why}" for name, why in doc["unusable"].items()]
    sys.stdout.write("\n".join(lines) + "\n")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


DATA = Verb("data", "fetch public data sets, say what lies in a folder", _configure, _run)
