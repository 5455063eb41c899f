"""Measure a stored recording: its leads, their provenance, and the intervals it holds beside them."""

from __future__ import annotations

import numpy as np

from ecg_edge.device.measurements.figures import Measurements
from ecg_edge.device.measurements.measure import measure_leads
from ecg_edge.device.recording.implausible_leads import plausible
from ecg_edge.device.recording.live_phase import upright_mv
from ecg_edge.device.recording.stored_recording import Stored, voltages
from ecg_edge.firmware_bridge.lead_names import LEADS

INTERVAL = "interval "
"""What a signal of half-widths is called: ``interval V1``."""


def measure_stored(stored: Stored) -> Measurements | None:
    """Measure a stretch of a recording; ten seconds are usual.

    Nothing is read from a lead while it cannot be an ECG (see `implausible_leads`).
    Of a lead with several columns (it was estimated for a while) the one with most samples is read.

    Parameters
    ----------
    stored : Stored

    Returns
    -------
    Measurements or None
        None where fewer than three beats resemble each other in a lead that is measured or derived.

    Raises
    ------
    RecordingError
        No lead is in mV; see `voltages`.
    """
    stored = plausible(voltages(stored))
    leads = [lead for lead in LEADS if stored.columns(lead)]
    columns = [max(stored.columns(lead), key=lambda k: int(stored.valid[:, k].sum())) for lead in leads]
    if not columns:
        return None
    mv = upright_mv(stored)
    widths = np.full((len(mv), len(leads)), np.nan)
    for j, lead in enumerate(leads):
        if found := stored.columns(f"{INTERVAL}{lead}"):
            widths[:, j] = mv[:, found[0]]
    kinds = [stored.signals[k].provenance for k in columns]
    return measure_leads(mv[:, columns], stored.fs, leads, kinds, interval_mv=widths)
