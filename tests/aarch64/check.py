"""The device side end to end, on whatever machine runs this; with a reference folder, compared with it.

Both runtimes verify the shipped model, and compute what they compute elsewhere: LiteRT every integer, onnxruntime
the features to a step of 8 bits over their range. A virtual patch speaks through a pseudo-terminal into a run that
records, and a calibration is fitted. Only what a device has is imported.
"""

from __future__ import annotations

import io
import json
import os
import platform
import sys
import threading
import time
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

from ecg_edge.device.cli.main import main
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.verification.model_checks import checks, stimulus
from ecg_edge.firmware_bridge.console import say
from ecg_edge.firmware_bridge.emulators.assemble import SourceOptions, build_source
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from ecg_edge.firmware_bridge.virtual_patch.link_pty import PtyLink
from ecg_edge.firmware_bridge.virtual_patch.patch import PatchOptions, VirtualPatch

SECONDS = 12
ROUNDING_MV = 0.06
"""Two processors may round a tie of the quantised network to either side, and a state carries it on."""


def through_the_wire(model: str, folder: Path) -> np.ndarray:
    """Twelve leads in counts of 1 µV, recorded from a patch on a pseudo-terminal."""
    link, stop = PtyLink(), threading.Event()
    source = build_source(SourceOptions(leads="I,II"))
    patch = VirtualPatch(source, link, PatchOptions(fast=True, max_samples=SECONDS * 250))
    thread = threading.Thread(target=patch.run, args=(stop,))
    thread.start()
    said = io.StringIO()
    command = [
        "run",
        link.address,
        "--model",
        model,
        "--out",
        str(folder),
        "--no-reconnect",
        "--mains",
        "off",
        "--json",
    ]
    with redirect_stdout(said):
        status = main([*command, "--seconds", str(SECONDS - 1)])
    stop.set()
    thread.join()
    link.close()
    doc = json.loads(said.getvalue().splitlines()[-1])
    assert status == 0 and doc["samples_lost"] == 0, doc
    data = np.fromfile(doc["recording"] + ".dat", "<i2").reshape(-1, len(LEADS))
    assert len(data) == doc["samples_out"]
    return data


def computed(name: str) -> dict[str, np.ndarray]:
    """Features of every hop of the stimulus, and the integers of every state after it."""
    model = load_model(name)
    spec, backend = model.spec, model.backend
    state = backend.initial_state()
    x = stimulus(spec.n_inputs, spec.fs)
    features, integers = [], []
    for k in range(0, len(x) - spec.hop + 1, spec.hop):
        y, state = backend.step(x[k : k + spec.hop], state)
        features.append(np.array(y))
        integers.append(np.concatenate([t.ravel().astype(np.int16) for t in state if t.dtype != np.float32]))
    return {"features": np.concatenate(features), "integers": np.stack(integers)}


def compared(name: str, here: dict[str, np.ndarray], there: dict[str, np.ndarray]) -> list[str]:
    """What is wrong; the figures are said."""
    apart = np.abs(here["integers"] - there["integers"])
    step = float(max(there["features"].max(), 0) - min(there["features"].min(), 0)) / 255
    off = (here["features"].astype(np.float64) - there["features"]) / step
    rms, same = float(np.sqrt(np.mean(off**2))), here["features"].tobytes() == there["features"].tobytes()
    say(
        f"  {apart.size} integers of states: {np.count_nonzero(apart)} differ, by {apart.max()} at most; "
        f"features {'bit for bit' if same else f'{rms:.2g} steps of 8 bits RMS apart, {np.abs(off).max():.2g} at most'}"
    )
    if name.endswith(".tflite") and apart.any():
        return [f"{name}: LiteRT's integers are not those of the reference"]
    return [f"{name}: features {rms:.2f} steps from the reference"] if rms > 1 else []


def calibrated(folder: Path) -> dict[str, float]:
    """Expected error per lead after a fit to the synthetic patient."""
    rows = SyntheticHeart(250, seed=3).read(3000)
    reference = folder / "reference.csv"
    reference.write_text("\n".join([",".join(LEADS), *(",".join(f"{v:.4f}" for v in row) for row in rows)]))
    out = folder / "p.calibration"
    command = ["calibrate", "--model", "i-ii-int8", "--reference", str(reference), "--fs", "250", "--patient", "p"]
    with redirect_stdout(io.StringIO()):
        assert main([*command, "--out", str(out)]) == 0
    return {lead: e["rmse_after_mv"] for lead, e in json.loads(out.read_text())["expected"].items()}


def benched() -> list[str]:
    """What `ecg-edge bench` says on this machine, row by row: figures, or why not."""
    said = io.StringIO()
    with redirect_stdout(said):
        assert main(["bench", "i-ii-int8.onnx", "i-ii-int8.tflite", "--hops", "10", "--seconds", "0", "--json"]) == 0
    doc = json.loads(said.getvalue().splitlines()[-1])
    rows = [f"{r['model']}, {r.get('backend', '')}: {r.get('why_not') or 'measured'}" for r in doc["models"]]
    assert sum(row.endswith("measured") for row in rows) >= 2, rows
    return rows


def run(folder: Path, reference: Path | None) -> int:
    """Do everything; say what differs from the reference."""
    folder.mkdir(parents=True, exist_ok=True)
    bad = []
    found: dict[str, object] = {}
    for name in ("i-ii-int8.onnx", "i-ii-int8.tflite"):
        begun = time.monotonic()
        bad += [f"{name}: {f.line()}" for f in checks(load_model(name)) if not f.ok]
        arithmetic = computed(name)
        np.savez(folder / f"{name}.npz", **arithmetic)
        rows = through_the_wire(name, folder)
        np.save(folder / f"{name}.npy", rows)
        took = time.monotonic() - begun
        say(f"{platform.machine()} {name}: verified, {len(rows)} rows through the wire, {took:.1f} s")
        if reference is not None:
            bad += compared(name, arithmetic, dict(np.load(reference / f"{name}.npz")))
            theirs = np.load(reference / f"{name}.npy")
            apart = np.abs(rows.astype(int) - theirs[: len(rows)].astype(int)) / 1000
            guessed = apart[:, 6:].max()
            say(f"  against the reference: measured {apart[:, :6].max():.3f} mV, reconstructed {guessed:.3f} mV apart")
            if apart[:, :6].max() > 0.001 or guessed > ROUNDING_MV:
                bad.append(f"{name}: {guessed:.3f} mV from the reference")
    found = {"calibrated": calibrated(folder)}
    (folder / "found.json").write_text(json.dumps(found))
    if reference is not None:
        theirs_found = json.loads((reference / "found.json").read_text())
        apart_fit = max(abs(found["calibrated"][k] - v) for k, v in theirs_found["calibrated"].items())  # type: ignore[index]
        say(f"  a fit's expected errors: {apart_fit:.4f} mV apart")
        if apart_fit > 0.005:
            bad.append("the fit differs")
    say("  bench: " + "; ".join(benched()))
    say("\n".join(bad) or "all as it should be")
    return int(bool(bad))


if __name__ == "__main__":
    sys.executable = os.environ.get("ECG_EDGE_PYTHON", sys.executable)
    sys.exit(run(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None))
