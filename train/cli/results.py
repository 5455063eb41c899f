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
    parser.add_argument("--readme", type=Path, metavar="FILE", help="renew the table of models in this page as well")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 3 where the page is out of date")


def _results(args: argparse.Namespace) -> int:
    from ecg_edge.device.inference.shipped import shipped_models
    from ecg_edge.train.pages import models_table, placement_tables
    from ecg_edge.train.pages import results_page as results

    figures = tuple(os.path.relpath(p, args.out.parent) for p in sorted(args.folder.rglob("*.png")))
    sets, studies = results.load(args.folder)
    pages = {args.out: results.page(sets, studies, figures)}
    for doc in studies.get(results.PLACEMENT, []):
        pages[args.folder / placement_tables.PICTURE] = placement_tables.picture(doc)
    if args.readme:
        table = models_table.models_table(sets[results.FOLD10], shipped_models())
        pages[args.readme] = models_table.paged(args.readme.read_text(encoding="utf-8"), table)
    for path, text in pages.items():
        if not args.check:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            raise BudgetError(f"{path} is not what {args.folder} gives", "ecg-edge results --readme README.md")
    names = " ".join(map(str, pages))
    hint(f"up to date: {names}" if args.check else f"wrote {names}\nnext: git diff {names}")
    return 0


RESULTS = Verb("results", "write docs/results.md from the documents in docs/results/", _configure, _results)
