"""What a page shows of a stored recording: its samples, its header's words, its notes, its measurements."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import numpy as np

from ecg_edge.device.page.content import PageContent, Strip
from ecg_edge.device.page.said import local_time, named_model, passband
from ecg_edge.device.recording.live_phase import live_conditioning
from ecg_edge.device.recording.measure_stored import INTERVAL, measure_stored
from ecg_edge.device.recording.stored_recording import Stored, no_lead, voltages
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.lead_names import LEADS, electrodes_of
from ecg_edge.firmware_bridge.recordings.values.ages import written_age


def page_content(stored: Stored, identifier: str = "", name: str = "") -> PageContent:
    """Fill a page with a stretch of a recording.

    Parameters
    ----------
    stored : Stored
        Up to ten seconds; the place of a lead that it lacks stays empty.
    identifier, name : str
        Of the person, where the recording's own are not to be used.

    Raises
    ------
    LeadMismatchError
        The record holds none of the twelve leads.
    RecordingError
        None of them is in mV.
    """
    stored = voltages(stored)
    leads = [lead for lead in LEADS if stored.columns(lead)]
    if not leads:
        raise no_lead(stored)
    mv, person, found = stored.mv, stored.person, measure_stored(stored)
    content = PageContent(
        float(stored.fs),
        {lead: _strips(stored, mv, lead) for lead in leads},
        name=name or person.name,
        identifier=identifier or person.identifier or (stored.patient if stored.patient != person.name else ""),
        born=f"{person.birth:%Y-%m-%d}" if person.birth else f"age {written_age(person.age)}" if person.age else "",
        sex=person.sex,
        when=_when(stored),
        device=_said(stored, "device: "),
        electrodes=_said(stored, "electrodes: "),
        record=stored.name,
        model=_model(stored),
        calibration=next((c for c in stored.comments if c.startswith("reconstructed, calibrated")), ""),
        filters=_filters(stored),
        measurements=found,
        notes=(*(found.notes if found else ()), *_notes(stored)),
    )
    return content if content.electrodes else replace(content, electrodes=_electrodes(content))


def _strips(stored: Stored, mv: FloatArray, lead: str) -> tuple[Strip, ...]:
    columns = stored.columns(lead)
    used = [k for k in columns if stored.valid[:, k].any()] or columns[:1]
    widths = stored.columns(f"{INTERVAL}{lead}")
    none = np.full(len(mv), np.nan)
    half = mv[:, widths[0]] if widths else none
    kinds = [stored.signals[k].provenance for k in used]
    return tuple(
        Strip(kind, mv[:, k], half if kind == "reconstructed" else none) for kind, k in zip(kinds, used, strict=True)
    )


def _when(stored: Stored) -> str:
    """Local time with its zone; what is known where it is not."""
    at = timedelta(seconds=stored.first / float(stored.fs))
    if stored.started is None:
        return f"date not stated, {at.total_seconds():.1f} s from the start"
    moment = stored.started + at
    return local_time(moment)


def _said(stored: Stored, key: str) -> str:
    return next((c.removeprefix(key).strip() for c in stored.comments if c.startswith(key)), "")


def _model(stored: Stored) -> str:
    words = _said(stored, "model: ").split()
    return named_model(words[0], words[2]) if len(words) > 2 else " ".join(words)


def _filters(stored: Stored) -> str:
    """Both edges and the notch, as far as the record states them."""
    said = _said(stored, "conditioning: ")
    low, rate = re.search(r"high-pass ([\d.]+) Hz", said), re.search(r"rate ([\d.]+) Hz", said)
    if not low or not rate:
        return "not stated by the record, none applied here"
    notch = re.search(r"(no notch|notch [\d.]+ Hz)", said)
    live = live_conditioning(stored) is not None
    return passband(float(low[1]), float(rate[1]), notch[1] if notch else "notch not stated", live=live)


def _electrodes(content: PageContent) -> str:
    measured = content.of("measured") or content.of("")
    names = dict.fromkeys(e for lead in measured for e in electrodes_of(lead))
    return f"{' '.join(names)}, place not stated" if names else ""


def _notes(stored: Stored) -> tuple[str, ...]:
    inside = [text for at, text in stored.notes if stored.first <= at < stored.first + len(stored.counts)]
    free = [c for c in stored.comments if c.startswith("note")]
    return tuple(dict.fromkeys([*inside, *free]))
