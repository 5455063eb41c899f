"""How a page words what a recording's header and a run's header hold: one wording for both."""

from __future__ import annotations

from datetime import datetime

PASS_SHARE = 0.4
"""Upper edge of the passband, as a share of the model's rate."""


def local_time(moment: datetime) -> str:
    """Local time with its zone; without one where none is stated."""
    if moment.tzinfo is None:
        return f"{moment:%Y-%m-%d %H:%M:%S}, zone not stated"
    local = moment.astimezone()
    return f"{local:%Y-%m-%d %H:%M:%S %Z} (UTC{local:%z})"


def passband(highpass_hz: float, fs: float, notch: str, *, live: bool) -> str:
    """Both edges and the notch; live rows are drawn as they were, and measured without the high-pass's phase."""
    return f"{highpass_hz:g}–{PASS_SHARE * fs:g} Hz, {notch}{' (figures: phase undone)' if live else ''}"


def named_model(name: str, sha256: str) -> str:
    """Name of a model, and the beginning of its digest: enough to distinguish two files."""
    return f"{name} (sha256 {sha256[:12]}…)"
