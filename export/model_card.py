"""The model card: what a user must know before trusting a trace, generated from the file's description."""

from __future__ import annotations

from typing import Any

from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.firmware_bridge.lead_names import LEADS, SKIN


def model_card(spec: ModelSpec, files: list[tuple[str, int, str]]) -> str:
    """Write the card.

    Parameters
    ----------
    spec : ModelSpec
        Of one of the files; accuracy of all precisions is in it.
    files : list of (name, bytes, sha256)
        The files made from the run.
    """
    inputs = "any of " * spec.any_lead + ", ".join(spec.input_leads)
    if spec.any_electrode:
        inputs = "one to four channels between any of the electrodes " + ", ".join(SKIN)
    train = spec.training
    derived = [lead for lead in LEADS if lead not in spec.input_leads and lead not in spec.target_leads]
    lines = [
        f"# {_title(spec, inputs)} → twelve leads",
        "",
        "Causal streaming reconstructor. **Not a medical device: reconstructed leads are estimates, "
        "not for diagnosis.** ST deviation in V2 and V3 cannot be known from limb leads.",
        "",
        f"- inputs: {inputs} in mV at {spec.fs} Hz, behind the device's own conditioner "
        f"(Butterworth high-pass {spec.conditioning.highpass_hz} Hz, order {spec.conditioning.highpass_order}, causal)",
        f"- reconstructed: {', '.join(spec.target_leads)}; exact algebra of I and II: {', '.join(derived)}",
        f"- hop {spec.hop}, look-ahead {spec.lookahead} samples: algorithmic latency "
        f"{1000 * spec.algorithmic_latency_s:.0f} ms; receptive field {spec.receptive_field / spec.fs:.2f} s; "
        f"settles within {spec.settling_s:.2f} s of a reset",
        f"- {train['parameters']:,} parameters, {train['macs_per_hop'] / spec.hop:,.0f} multiply-accumulates a sample",
        f"- interval: mean ± factor × scale, calibrated to {spec.head.interval_level:.0%} on the validation fold",
        f"- model id `{spec.model_id}`",
        "",
        "## Files",
        "",
        "| file | bytes | sha256 seal |",
        "|---|---|---|",
        *(f"| `{name}` | {size:,} | `{digest}` |" for name, size, digest in files),
        "",
    ]
    worse = [part for text in spec.accuracy.get("remarks", ()) for part in (f"**{text}**", "")]
    return "\n".join([*lines, *_accuracy(spec), *worse, *_training(spec)]) + "\n"


def _title(spec: ModelSpec, inputs: str) -> str:
    if spec.any_electrode:
        return "Any electrodes"
    return "Any leads" if spec.any_lead else inputs


def _accuracy(spec: ModelSpec) -> list[str]:
    """Table of the validation figures, one column pair per precision."""
    tables = {k: v for k, v in spec.accuracy.items() if isinstance(v, dict) and "leads" in v}
    if not tables:
        return []
    if spec.any_lead:
        return _by_set(tables)
    first = next(iter(tables.values()))
    head = " | ".join(f"{k}: RMSE mV | r" for k in tables)
    out = [
        f"## Accuracy: {first['set']}, {first['records']} records, hidden leads only, from 2.0 s on",
        "",
        f"| lead | {head} |",
        "|---|" + "---|---|" * len(tables),
    ]
    for lead in (*first["leads"], "mean"):
        rows = [t["mean"] if lead == "mean" else t["leads"][lead] for t in tables.values()]
        out.append(f"| {lead} | " + " | ".join(f"{r['rmse_mv']:.4f} | {r['r']:.3f}" for r in rows) + " |")
    return [*out, "", "RMSE and r are means over records; int8 is scored as streamed, hop by hop.", ""]


def _by_set(tables: dict[str, Any]) -> list[str]:
    """One row per lead set and precision: means over its hidden leads."""
    first = next(iter(tables.values()))
    rows = [f"| {name} | {t['mean']['rmse_mv']:.4f} | {t['mean']['r']:.3f} |" for name, t in tables.items()]
    return [
        f"## Accuracy: {first['set']}, {first['records']} records, means over the hidden leads, from 2.0 s on",
        "",
        "| measured | RMSE mV | r |",
        "|---|---|---|",
        *rows,
        "",
        "Other sets work too; their interval is not calibrated, and the widest of the listed ones is stated.",
        "",
    ]


def _training(spec: ModelSpec) -> list[str]:
    train = spec.training
    data = train["dataset"]
    return [
        "## Training",
        "",
        f"- {data['name']}; {train['records']['train']:,} records to train, {train['records']['validation']:,} to "
        f"validate, {train['excluded']} screened out (flat lead, or limb leads that break Einthoven's law)",
        f"- data licence {data['licence']}; {data['citation']}",
        f"- best epoch {train['epochs']}; settings {train['settings']}",
        *([f"- learned what {', '.join(train['teachers'])} say, not the truth"] if train.get("teachers") else []),
        f"- weights licence {spec.licence}",
    ]
