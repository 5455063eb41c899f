"""The verb ``verify``: whether a model file does here what it did where it was made."""

from __future__ import annotations

import argparse
from dataclasses import asdict

import numpy as np

from ecg_edge.device.cli.info import try_out
from ecg_edge.device.inference.load import Model, load_model
from ecg_edge.device.personal_calibration.reference import condition_reference, read_reference
from ecg_edge.device.verification import model_checks as v
from ecg_edge.device.verification.budget import Budget
from ecg_edge.firmware_bridge.console import emit_json, hint, say
from ecg_edge.firmware_bridge.errors import BudgetError, UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS


def verify(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge verify`` says; return the exit status."""
    if arguments.record and not arguments.against:
        raise UsageError("a record is for comparing two files", "add --against FILE")
    budget = Budget.parse(arguments.budget)
    model = load_model(arguments.model)
    findings = v.checks(model)
    if arguments.against:
        other = load_model(arguments.against)
        findings += _on_record(model, other, arguments.record, budget) if arguments.record else v.against(model, other)
    bad = [f for f in findings if not f.ok]
    for f in findings:
        (hint if arguments.json else say)(f.line())
    if arguments.json:
        document = {"model": str(model.path), "sha256": model.file_sha256, "backend": model.backend.name}
        emit_json({**document, "ok": not bad, "checks": [asdict(f) for f in findings], "exit": 3 * bool(bad)})
    if bad:
        raise BudgetError(
            f"{model.path.name}: {bad[0].name}: {bad[0].detail}", "copy the file again, or export it again"
        )
    hint(f"next: {try_out(arguments.model, model.spec)}")
    return 0


def _on_record(model: Model, other: Model, record: str, budget: Budget) -> list[v.Finding]:
    twelve = condition_reference(read_reference(record), model.spec, None)
    inputs, truth = (
        np.ascontiguousarray(twelve[:, [LEADS.index(lead) for lead in leads]])
        for leads in (model.spec.input_leads, model.spec.target_leads)
    )
    return v.against_on_record(model, other, inputs, truth, (budget.rmse, budget.st, budget.rpeak))
