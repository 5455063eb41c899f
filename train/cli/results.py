"""The verb `results`: one page from the result documents."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ecg_edge.firmware_bridge.cli.verb import Verb
from ecg_edge.firmware_bridge.console import hint
from ecg_edge.firmware_bridge.errors import BudgetError


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="folder", type=Path, default=Path("docs/results"), metavar="DIR")
    parser.add_argument("--out", type=Path, default=Path("docs/results.md"), metavar="FILE")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 3 where the page is out of date")


def _results(args: argparse.Namespace) -> int:
    from ecg_edge.train.pages import results_page as results

    figures = tuple(os.path.relpath(p, args.out.parent) for p in sorted(args.folder.rglob("*.png")))
    text = results.page(*results.load(args.folder), figures)
    if args.check:
        if not args.out.is_file() or args.out.read_text(encoding="utf-8") != text:
            raise BudgetError(f"{args.out} is not what {args.folder} gives", "ecg-edge results")
        hint(f"{args.out} is up to date")
        return 0
    args.out.write_text(text, encoding="utf-8")
    hint(f"wrote {args.out}\nnext: git diff {args.out}")
    return 0


RESULTS = Verb("results", "write docs/results.md from the documents in docs/results/", _configure, _results)
