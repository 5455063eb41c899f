"""Write an evaluation down: plain text, Markdown with plots, JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ecg_edge.train.evaluation.evaluate import Evaluation
from ecg_edge.train.pages.report_tables import all_tables, footnotes, headline

_DIGITS = 6


def plain(doc: dict[str, Any]) -> str:
    """Everything for a terminal."""
    words = [headline(doc) + "\n", *(t.plain() for t in all_tables(doc)), *footnotes(doc)]
    return "\n".join(words).replace("**", "")


def markdown(doc: dict[str, Any], plots: list[Path]) -> str:
    """Everything as Markdown; plots are linked by their file names."""
    parts = [f"# {doc['model']}\n", headline(doc) + "\n", *(t.markdown() for t in all_tables(doc))]
    parts += [f"![{p.stem}]({p.name})\n" for p in plots]
    return "\n".join([*parts, *footnotes(doc)])


def rounded(x: Any) -> Any:
    """Floats to six decimals, so that a committed document can be read and compared."""
    if isinstance(x, dict):
        return {k: rounded(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [rounded(v) for v in x]
    return round(x, _DIGITS) if isinstance(x, float) else x


def write_json(doc: dict[str, Any], path: Path) -> None:
    """Write the document, by renaming."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(rounded(doc), indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    part.replace(path)


def write(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write ``report.md``, ``report.json`` and the plots.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed; Markdown and JSON are there all the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    doc = evaluation.doc
    write_json(doc, folder / "report.json")
    (folder / "report.md").write_text(markdown(doc, []), encoding="utf-8")
    plots = draw(evaluation, folder)
    (folder / "report.md").write_text(markdown(doc, plots), encoding="utf-8")
    return [folder / "report.md", folder / "report.json", *plots]


def draw(evaluation: Evaluation, folder: Path) -> list[Path]:
    """The plots as PNG files: r beside the baselines, coverage, R amplitudes, ST events."""
    from ecg_edge.train.evaluation import plots

    doc = evaluation.doc
    made = [folder / "r.png"]
    columns = {"this model": doc, **{k: v for k, v in doc["baselines"].items() if k != "zero"}}
    plots.bars({name: {k: v["r"] for k, v in c["leads"].items()} for name, c in columns.items()}, "Pearson r", made[0])
    if "interval" in doc:
        made.append(folder / "coverage.png")
        covered = {lead: row["coverage"] for lead, row in doc["interval"]["leads"].items()}
        plots.bars({"coverage": covered}, "share of samples", made[-1], line=doc["interval"]["level"])
    pairs = {lead: p for lead, p in evaluation.r_amplitudes_mv.items() if len(p)}
    if pairs:
        made.append(folder / "r-amplitude.png")
        plots.amplitude_scatter(pairs, made[-1])
    if "st" in doc:
        made.append(folder / "st.png")
        wrong = {
            f"truth behind {truth}": {lead: row.get("wrong_events") or 0.0 for lead, row in leads.items()}
            for truth, leads in doc["st"]["truth"].items()
        }
        plots.bars(wrong, "wrong among true or stated ST events", made[-1])
    return made
