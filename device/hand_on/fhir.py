"""A stretch of a recording as a FHIR R4 Observation: leads as SampledData, intervals as quantities.

Codes: LOINC for the study and the intervals, ISO/IEEE 11073-10101 for the leads, UCUM for units. No package is needed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.device.measurements.figures import NOT_IDENTIFIABLE, Figure
from ecg_edge.device.recording.measure_stored import measure_stored
from ecg_edge.device.recording.safe_files import disk_errors
from ecg_edge.device.recording.stored_recording import Stored, no_lead, voltages
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.private_files import private_open
from ecg_edge.firmware_bridge.recordings.values.ages import written_age
from ecg_edge.firmware_bridge.recordings.values.plain_facts import fact_of

Resource = dict[str, Any]
LOINC, MDC, UCUM = "http://loinc.org", "urn:iso:std:iso:11073:10101", "http://unitsofmeasure.org"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_INTERVALS = {
    "heart_rate": ("8867-4", "Heart rate"),
    "pr": ("8625-6", "P-R interval"),
    "qrs": ("8633-0", "QRS duration"),
    "qt": ("8634-8", "Q-T interval"),
    "qtc_bazett": ("8636-3", "Q-T interval corrected, Bazett"),
    "p_axis": ("8626-4", "P wave axis"),
    "qrs_axis": ("8632-2", "QRS axis"),
    "t_axis": ("8638-9", "T wave axis"),
}
_UNITS = {"ms": "ms", "/min": "/min", "°": "deg", "mV": "mV"}
_UV = 0.001
_ELSEWHERE = ("patient:", "name:", "device:")
"""Comments that have a field of their own."""
ESTIMATE = "reconstructed: an estimate, not for diagnosis"


def observation(stored: Stored) -> Resource:
    """Return the Observation as plain values.

    Parameters
    ----------
    stored : Stored
        Ten seconds are usual: every sample becomes text.

    Raises
    ------
    LeadMismatchError
        There is none of the twelve leads.
    RecordingError
        No lead is in mV.
    """
    stored = voltages(stored)
    leads = [lead for lead in LEADS if stored.columns(lead)]
    if not leads:
        raise no_lead(stored)
    mv, columns = stored.mv, [stored.columns(lead)[0] for lead in leads]
    guessed = [lead for lead, k in zip(leads, columns, strict=True) if stored.signals[k].provenance == "reconstructed"]
    found: Resource = {
        "resourceType": "Observation",
        "status": "preliminary",
        "category": [{"coding": [_coding(_CATEGORY, "procedure", "Procedure")]}],
        "code": {"coding": [_coding(LOINC, "11524-6", "EKG study")], "text": "12-lead ECG"},
        "subject": _subject(stored),
        "component": [*_samples(stored, mv, leads, columns), *_intervals(stored)],
    }
    if stored.started is not None:
        began = stored.started + timedelta(seconds=stored.first / float(stored.fs))
        if began.tzinfo is not None:
            found["effectiveDateTime"] = began.isoformat(timespec="milliseconds")
        else:  # an instant needs a zone; the day does not
            found["effectiveDateTime"] = f"{began:%Y-%m-%d}"
    if device := next((c for c in stored.comments if c.startswith("device: ")), ""):
        found["device"] = {"display": device.removeprefix("device: ")}
    said = [f"{' '.join(guessed)}: {ESTIMATE}"] if guessed else []
    said += _comments(stored)
    if said:
        found["note"] = [{"text": text} for text in said]
    return found


def _comments(stored: Stored) -> list[str]:
    """Comments, and what is known of the person: an Observation has no field for age and sex."""
    said = [c for c in stored.comments if not c.lower().startswith(_ELSEWHERE) and (fact_of(c) or "*")[0] != "age"]
    plain, person = " ".join(said).lower(), stored.person
    facts = {
        "age": written_age(person.age),
        "sex": person.sex,
        "born": person.birth.isoformat() if person.birth else "",
    }
    return [*said, *(f"{key}: {text}" for key, text in facts.items() if text and f"{key}:" not in plain)]


def write_fhir(stored: Stored, path: Path) -> None:
    """Write the Observation as JSON; the file is there when it is complete.

    Raises
    ------
    RecordingError, DiskFullError
        It cannot be written.
    LeadMismatchError
        As `observation`.
    """
    text = json.dumps(observation(stored), ensure_ascii=False)
    part = path.with_name(f".{path.name}.part")
    with disk_errors(path):
        with private_open(part, "wb") as f:
            f.write(text.encode())
        part.replace(path)


def _coding(system: str, code: str, display: str) -> Resource:
    return {"system": system, "code": code, "display": display}


def _subject(stored: Stored) -> Resource:
    person = stored.person
    subject: Resource = {"type": "Patient"}
    if identifier := person.identifier or (stored.patient if stored.patient != person.name else ""):
        subject["identifier"] = {"value": identifier}
    subject["display"] = person.name or identifier or "not stated"
    return subject


def _samples(stored: Stored, mv: FloatArray, leads: Sequence[str], columns: Sequence[int]) -> list[Resource]:
    """One component for each lead; ``E`` where there is no valid sample."""
    period = 1000 / float(stored.fs)
    out = []
    for lead, k in zip(leads, columns, strict=True):
        kind = stored.signals[k].provenance
        word = ESTIMATE if kind == "reconstructed" else kind
        counts = ["E" if np.isnan(v) else str(round(v / _UV)) for v in mv[:, k]]
        potential = f"MDC_ECG_ELEC_POTL_{lead if lead[0] == 'V' else lead.upper()}"
        data: Resource = {
            "origin": {"value": 0, "unit": "mV", "system": UCUM, "code": "mV"},
            "period": round(period, 6),
            "factor": _UV,
            "dimensions": 1,
            "data": " ".join(counts),
        }
        code = {"coding": [{"system": MDC, "code": potential}], "text": f"Lead {lead}" + (f" ({word})" if word else "")}
        out.append({"code": code, "valueSampledData": data})
    return out


def _intervals(stored: Stored) -> list[Resource]:
    found = measure_stored(stored)
    return [
        _quantity(code, title, getattr(found, name) if found else None) for name, (code, title) in _INTERVALS.items()
    ]


def _quantity(code: str, title: str, figure: Figure | None) -> Resource:
    coded = {"coding": [_coding(LOINC, code, title)], "text": title}
    if figure is None:
        reason = {"coding": [_coding(_ABSENT, "unknown", "Unknown")], "text": NOT_IDENTIFIABLE}
        return {"code": coded, "dataAbsentReason": reason}
    coded["text"] = f"{title}, from {figure.read_from}, {figure.quality} quality"
    unit = _UNITS[figure.unit]
    return {"code": coded, "valueQuantity": {"value": figure.value, "unit": unit, "system": UCUM, "code": unit}}
