"""Write, prove, name: the order in which model files come to be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecg_edge.device.leads import BASIS
from ecg_edge.export import checks
from ecg_edge.export.build import Exporter
from ecg_edge.export.card import model_card
from ecg_edge.export.quantise import Quantisation
from ecg_edge.train import scoring, training
from ecg_edge.train.prepare import Prepared


def make(
    exporter: Exporter,
    validation: Prepared,
    calibration: Prepared,
    out: Path,
    int8: bool,
    budget: checks.Budget,
    say: Callable[[checks.Check], None],
) -> dict[str, Any]:
    """Export one run.

    Files are written under temporary names; only if every check holds do they get their final ones.
    Otherwise they are kept with the suffix ``.rejected``, and no file has the final name.

    Parameters
    ----------
    exporter : Exporter
        The run.
    validation, calibration : Prepared
        Records to verify on, and (training folds) to choose the 8-bit parameters from.
    out : Path
        Folder for the files, their report and the model card.
    int8 : bool
        Make the 8-bit file too.
    budget : Budget
        What it may cost.
    say : callable
        Called with every check as it is made.

    Returns
    -------
    dict
        The report, also written to ``<stem>.report.json``.
    """
    columns = [BASIS.index(lead) for lead in exporter.spec.input_leads]
    kinds: dict[str, Quantisation | None] = {"fp32": None}
    if int8:
        kinds["int8"] = exporter.quantise(calibration.x[:, :, columns])
    made = {"set": "PTB-XL, training folds", "records": len(calibration), "ecg_id": calibration.ids}
    for precision in kinds:
        _final(out, exporter, precision).unlink(missing_ok=True)
    done: list[checks.Check] = []
    accuracy: dict[str, Any] = {}
    for precision, quant in kinds.items():
        for check in _prove(exporter, precision, quant, validation, out, budget, accuracy, made):
            say(check)
            done.append(check)
    ok = all(c.ok for c in done)
    files = [_name(exporter, precision, quant, out, ok, accuracy, made) for precision, quant in kinds.items()]
    if ok:
        card = model_card(
            exporter.describe(None, made, accuracy), [(p.name, size, digest) for p, size, digest in files]
        )
        (out / f"{exporter.stem}.md").write_text(card)
    return _report(exporter, out, ok, files, done, accuracy, budget)


def _report(
    exporter: Exporter,
    out: Path,
    ok: bool,
    files: list[tuple[Path, int, str]],
    done: list[checks.Check],
    accuracy: dict[str, Any],
    budget: checks.Budget,
) -> dict[str, Any]:
    """Write and return the report."""
    report = {
        "ok": ok,
        "model_id": exporter.spec.model_id,
        "files": [{"path": str(path), "bytes": size, "sha256": digest} for path, size, digest in files],
        "checks": [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in done],
        "accuracy": accuracy,
        "budget": {"rmse": budget.rmse},
    }
    (out / f"{exporter.stem}.report.json").write_text(json.dumps(report, indent=2) + "\n")
    return report


def _final(out: Path, exporter: Exporter, precision: str) -> Path:
    return out / f"{exporter.stem}-{precision}.onnx"


def _part(out: Path, exporter: Exporter, precision: str) -> Path:
    return out / f"{exporter.stem}-{precision}.onnx.part"


def _prove(
    exporter: Exporter,
    precision: str,
    quant: Quantisation | None,
    validation: Prepared,
    out: Path,
    budget: checks.Budget,
    accuracy: dict[str, Any],
    made: dict[str, Any],
) -> list[checks.Check]:
    """Write one file and check it; its figures are added to `accuracy`."""
    spec, network = exporter.spec, exporter.network
    model = exporter.write(_part(out, exporter, precision), exporter.describe(quant, made, {}), quant)
    done = checks.structure(model)
    if quant is None:
        # Streamed and offline agree to 1e-5 mV (checked here), so the whole fold may run offline.
        done.append(checks.against_torch(model, network, validation))
        estimate: scoring.Estimator = lambda x: training.reconstruct(network, x[None])[0]  # noqa: E731
    else:
        estimate = scoring.streamed(model.backend)
    figures = scoring.score(validation, spec.input_leads, spec.target_leads, spec.fs, estimate, precision)
    accuracy[precision] = {"set": "PTB-XL fold 9 (validation)", **figures.summary()}
    if quant is not None:
        done += checks.against_fp32(accuracy[precision], accuracy["fp32"], budget)
    return done


def _name(
    exporter: Exporter,
    precision: str,
    quant: Quantisation | None,
    out: Path,
    ok: bool,
    accuracy: dict[str, Any],
    made: dict[str, Any],
) -> tuple[Path, int, str]:
    """Write the file once more, now with its figures inside, and give it its name."""
    part, final = _part(out, exporter, precision), _final(out, exporter, precision)
    model = exporter.write(part, exporter.describe(quant, made, accuracy), quant)
    path = final if ok else final.with_suffix(".onnx.rejected")
    part.replace(path)
    return path, path.stat().st_size, model.file_sha256
