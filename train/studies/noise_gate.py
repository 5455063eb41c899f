"""How often the noise gate closes where reconstruction is worthless, and where nothing is wrong.

``python -m ecg_edge.train.studies.noise_gate PTB-XL [RECORD ...]``: fold 9 with made-up noise, and any WFDB records
whose first channels are the leads to be judged. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy import signal

from ecg_edge.device.analysis.noise_gate import NoiseGate, verdict
from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.load import Model, load_model
from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.train.data import ptbxl
from ecg_edge.train.data.prepare import prepare

WINDOW, ENDS = 400, (600, 800, 980)
LEVELS_MV = (0.05, 0.1, 0.2, 0.4, 0.8)
_MOST = 4.0
CHEST = [f"V{k}" for k in range(1, 7)]


def motion(n: int, rng: np.random.Generator) -> FloatArray:
    """Noise from 0.5 to 5 Hz with a few jumps that die away; RMS 1."""
    x = _band(0.5, 5, n, rng)
    for _ in range(rng.poisson(3)):
        at, tau = int(rng.integers(0, n)), rng.uniform(10, 60)
        x[at:] += 3 * rng.normal() * np.exp(-np.arange(n - at) / tau)
    return np.asarray(x / x.std())


def muscle(n: int, rng: np.random.Generator) -> FloatArray:
    """Noise from 10 to 48 Hz; RMS 1."""
    return _band(10, 48, n, rng)


def mains(n: int, rng: np.random.Generator) -> FloatArray:
    """A tone near 45 Hz, as mains that no notch takes away; RMS 1."""
    hz = 45 + 0.5 * rng.normal()
    return np.asarray(np.sqrt(2) * np.sin(2 * np.pi * hz * np.arange(n) / 100 + rng.uniform(0, 6)))


def _band(low: float, high: float, n: int, rng: np.random.Generator) -> FloatArray:
    x = signal.sosfilt(signal.butter(2, [low, high], "bandpass", fs=100, output="sos"), rng.normal(size=n + 500))[500:]
    return np.asarray(x / x.std())


def made_up(model: Model, folder: Path, records: int) -> list[dict[str, Any]]:
    """Rates on fold 9: for each kind and size of noise on one lead, of windows of 4 s.

    `worthless` counts windows in which the error of V1 to V6 has more power than the leads themselves. `hits` and
    `misses` split these by the verdict on the noisy lead. `early` counts windows that were closed although they were
    not worthless. `errors` are means of that ratio of powers, at most 4 each. They are given for both leads, for the
    quiet one alone through the any-lead model, for the gate's choice, and for the best choice.
    """
    data = prepare(folder, (ptbxl.VALIDATION_FOLD,), model.spec.conditioning)
    spare = load_model("any-int8")
    alone = [for_leads(spare, ("II",)), for_leads(spare, ("I",))]
    rng = np.random.default_rng(0)
    found: dict[tuple[str, float], list[tuple[float, float, bool]]] = defaultdict(list)
    for number in rng.permutation(len(data))[:records]:
        basis = np.asarray(data.x[number], np.float64)
        truth, clean = basis[:, [BASIS.index(lead) for lead in CHEST]], basis[:, :2]
        for name, make in (("none", None), ("motion", motion), ("muscle", muscle), ("mains", mains)):
            level, lead = (float(rng.choice(LEVELS_MV)) if make else 0.0), int(rng.integers(0, 2))
            x = clean.copy()
            if make:
                x[:, lead] += level * make(len(x), rng)
            guesses = _chest(model, x), _chest(alone[lead], clean[:, [1 - lead]])
            for rows in (slice(end - WINDOW, end) for end in ENDS):
                both, one = (_error(guess[rows], truth[rows]) for guess in guesses)
                found[name, level].append((both, one, bool(verdict(x[rows, lead], 100))))
    return [_row(name, level, np.array(found[name, level])) for name, level in sorted(found)]


def _chest(model: Model, x: FloatArray) -> FloatArray:
    """V1 to V6 as they stream."""
    mv = StreamReconstructor(model).feed(x.astype(np.float32)).mv
    return np.asarray(mv[:, [LEADS.index(v) for v in CHEST]], np.float64)


def _error(guess: FloatArray, truth: FloatArray) -> float:
    """Power of the error over that of the leads; above 1 the guess is worthless."""
    return min(_MOST, float(((truth - guess) ** 2).mean() / ((truth - truth.mean(axis=0)) ** 2).mean()))


def _row(name: str, level: float, windows: FloatArray) -> dict[str, Any]:
    both, one, verdicts = windows.T
    worthless, closed = both > 1, verdicts > 0
    chosen = {"both": both, "one": one, "gate": np.where(closed, one, both), "best": np.minimum(both, one)}
    return {
        "noise": name,
        "rms_mv": level,
        "windows": len(windows),
        "worthless": int(worthless.sum()),
        "hits": int((worthless & closed).sum()),
        "misses": int((worthless & ~closed).sum()),
        "early": int((~worthless & closed).sum()),
        "errors": {how: round(float(v.mean()), 3) for how, v in chosen.items()},
    }


def recorded(model: Model, name: str, mains_hz: float | None) -> dict[str, Any]:
    """Share of a record for which the gate of its first two channels is closed, minute by minute."""
    record = open_recording(name)
    mv = np.nan_to_num(record.mv(range(min(2, len(record.signals)))))
    rows = Conditioner(record.one_rate([0]), 100, mv.shape[1], model.spec.conditioning, mains_hz).feed(mv)
    fit, _ = NoiseGate(100, mv.shape[1]).feed(rows, np.ones(rows.shape, np.bool_))
    minutes = [[round(float(1 - part.mean()), 3) for part in fit[a : a + 6000].T] for a in range(0, len(fit), 6000)]
    return {"record": Path(name).name, "closed": [round(float(v), 4) for v in 1 - fit.mean(axis=0)], "minutes": minutes}


def main() -> int:
    """Parse the command line and print the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("records", nargs="*")
    parser.add_argument("--number", type=int, default=300, help="records of fold 9")
    parser.add_argument("--mains", type=float, default=50.0)
    a = parser.parse_args()
    model = load_model("i-ii-int8")
    doc = {
        "made_up": made_up(model, a.folder, a.number),
        "recorded": [recorded(model, name, a.mains) for name in a.records],
    }
    sys.stdout.write(json.dumps(doc, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
