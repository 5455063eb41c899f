"""Whether a model file does on this machine what it did where it was made: checks that need no data set.

The stimulus is a formula, so every machine has the same one. The file holds what it answered where it was exported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ecg_edge.device.conditioning.fingerprint import fingerprint
from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.head import features, regressors
from ecg_edge.device.inference.load import Model
from ecg_edge.device.inference.packed_arrays import pack_array, unpack_array
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.device.verification.fiducials import compare
from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.firmware_bridge.errors import EcgEdgeError, ModelFileError

FP32_LIMIT_UV = 0.1
"""Two orders of additions in float32 differ by a hundredth of this."""
INT8_LIMIT_UV = 5.0
"""A rounding tie may fall to either side on another processor; a wrong kernel is off by hundreds."""
TWIN_LIMIT = 0.05
_SECONDS, _KEPT_EVERY = 10, 25
_MARCH_S = 60
_PEAKS = ((-0.16, 0.025, 0.12), (-0.025, 0.010, -0.12), (0.0, 0.011, 1.0), (0.028, 0.011, -0.25), (0.26, 0.05, 0.28))
"""P, Q, R, S and T: seconds from R, width in seconds, height in mV."""


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> print(ee.Finding("every cut of the input", True, "the same bytes").line())
    ✓ every cut of the input: the same bytes
    """

    name: str
    ok: bool
    detail: str

    def line(self) -> str:
        """As printed."""
        return f"{'✓' if self.ok else '✗'} {self.name}: {self.detail}"


def stimulus(n_inputs: int, fs: int, seconds: float = _SECONDS) -> Float32Array:
    """A made-up ECG of 75 beats a minute, shape (n_samples, n_inputs) in mV: sums of Gaussians."""
    t = np.arange(round(seconds * fs)) / fs
    phase = (t + 0.4) % 0.8 - 0.4
    out = np.empty((len(t), n_inputs))
    for k in range(n_inputs):
        bend = [np.cos(1.7 * k + 0.9 * i) for i in range(len(_PEAKS))]
        waves = [
            h * (0.6 + 0.4 * b) * np.exp(-0.5 * ((phase - at) / w) ** 2)
            for (at, w, h), b in zip(_PEAKS, bend, strict=True)
        ]
        out[:, k] = np.sum(waves, axis=0) * (1 + 0.1 * np.sin(0.9 * t + k)) * (0.7 + 0.2 * k % 0.9)
    return np.asarray(out - out.mean(axis=0), np.float32)


def answer(model: Model) -> Float32Array:
    """What a file reconstructs from the stimulus, one row in 25, shape (n_rows, n_targets) in mV."""
    return means(model, stimulus(model.spec.n_inputs, model.spec.fs))[::_KEPT_EVERY]


def means(model: Model, x: Float32Array) -> Float32Array:
    """Reconstructed leads of inputs streamed from a cold start, shape (m_samples, n_targets) in mV."""
    spec = model.spec
    rows = regressors(spec, features(model, x), x[:, : len(spec.input_leads)])
    return np.asarray(rows @ spec.head.mean.astype(np.float64), np.float32)


def self_test(model: Model) -> dict[str, Any]:
    """The file's answer as it is stored inside the file."""
    return {"stimulus": "device.verify.stimulus", "every": _KEPT_EVERY, "mean": pack_array(answer(model))}


def checks(model: Model) -> list[Finding]:
    """Verify one file on this machine. That it loaded has proved digest, names, shapes and state pairs."""
    spec = model.spec
    out = [
        Finding("metadata", True, f"description and digest {model.file_sha256[:12]} fit the file"),
        Finding(
            "names, shapes and state pairs", True, f"as described: {len(spec.states)} states in {model.backend.name}"
        ),
    ]
    return [*out, _same_answer(model), _any_cut(for_leads(model, BASIS[:2])), _no_drift(model), _conditioning(spec)]


def _conditioning(spec: ModelSpec) -> Finding:
    """Compare the chain's response on this machine with that of the chain the records were prepared by."""
    here, there = fingerprint(), spec.conditioning.fingerprint
    detail = f"version {spec.conditioning.version}, response {here}"
    return Finding("conditioning", here == there, detail if here == there else f"{detail}; trained behind {there}")


def _same_answer(model: Model) -> Finding:
    name = "the answer it gave where it was made"
    stored = model.spec.quantisation.get("self_test")
    if not isinstance(stored, dict):
        return Finding(name, True, "none stored in the file: exported by an earlier version")
    try:
        want = unpack_array(stored["mean"])
    except (KeyError, TypeError, EcgEdgeError) as e:
        return Finding(name, False, f"damaged: {e!r}")
    got = answer(model)
    if got.shape != want.shape:
        return Finding(name, False, f"has shape {want.shape}, here {got.shape}")
    worst = 1e3 * float(np.abs(got - want).max())
    limit = FP32_LIMIT_UV if model.spec.precision in ("fp32", "fp16") else INT8_LIMIT_UV
    return Finding(name, worst <= limit, f"differs by at most {worst:.3f} µV (limit {limit:g})")


def _any_cut(model: Model) -> Finding:
    x = stimulus(len(model.spec.input_leads), model.spec.fs, 4)
    whole = StreamReconstructor(model).feed(x).mv
    rng, r, parts, at = np.random.default_rng(0), StreamReconstructor(model), [], 0
    while at < len(x):
        n = int(rng.integers(1, 3 * model.spec.hop))
        parts.append(r.feed(x[at : at + n]).mv)
        at += n
    return Finding("every cut of the input", np.concatenate(parts).tobytes() == whole.tobytes(), "the same bytes")


def _no_drift(model: Model) -> Finding:
    spec = model.spec
    probe = stimulus(spec.n_inputs, spec.fs, 2 + spec.receptive_field / spec.fs)
    long = np.concatenate(
        [stimulus(spec.n_inputs, spec.fs, _MARCH_S)[: -(-_MARCH_S * spec.fs // spec.hop) * spec.hop], probe]
    )
    long = long[len(long) % spec.hop :]
    tail = spec.fs
    probe = probe[len(probe) % spec.hop :]
    worst = 1e3 * float(np.abs(means(model, long)[-tail:] - means(model, probe)[-tail:]).max())
    return Finding("no drift", worst <= FP32_LIMIT_UV, f"after {_MARCH_S} s as after a reset, within {worst:.3f} µV")


def against(model: Model, other: Model) -> list[Finding]:
    """Compare two files of one training run on the stimulus.

    Raises
    ------
    ModelFileError
        They are not of one run.
    """
    _same_run(model.spec, other.spec)
    x = stimulus(model.spec.n_inputs, model.spec.fs)
    a, b = means(model, x), means(other, x)
    rms = np.sqrt(((a - b) ** 2).mean(axis=0)) * 1e3
    share = rms / (1e3 * np.sqrt((b**2).mean(axis=0)))
    return [
        Finding(
            f"{lead} against {other.path.name}",
            bool(share[k] <= TWIN_LIMIT),
            f"{rms[k]:.2f} µV RMS, {share[k]:.2%} of the signal (limit {TWIN_LIMIT:.0%})",
        )
        for k, lead in enumerate(model.spec.target_leads)
    ]


def against_on_record(
    model: Model, other: Model, inputs: Float32Array, truth: Float32Array, limits: tuple[float, float, float]
) -> list[Finding]:
    """Compare two files of one training run on a real record.

    Parameters
    ----------
    model, other : Model
        The file to verify, and its reference.
    inputs, truth : ndarray of float32, shape (n_samples, n_inputs or n_targets)
        Conditioned, in mV.
    limits : tuple of float
        Relative increase of the RMSE, ST in µV, R peak in ms.
    """
    spec = model.spec
    _same_run(spec, other.spec)
    a, b = means(model, inputs), means(other, inputs)
    first, truth = 2 * spec.fs, truth[: len(a)]
    errors = [np.sqrt(((e - truth)[first:] ** 2).mean(axis=0)) for e in (a, b)]
    shift = compare(b[None], a[None], inputs[None, :, 0], spec.fs, first)
    out = []
    for k, lead in enumerate(spec.target_leads):
        cost = float(errors[0][k] / errors[1][k] - 1)
        ok = cost <= limits[0] and shift.st_uv[k] <= limits[1] and shift.rpeak_ms[k] <= limits[2]
        out.append(
            Finding(
                f"{lead} against {other.path.name}",
                bool(ok),
                f"RMSE {errors[0][k]:.4f} mV against {errors[1][k]:.4f} ({cost:+.2%}); "
                f"ST {shift.st_uv[k]:.1f} µV, R peak {shift.rpeak_ms[k]:g} ms over {shift.beats} beats",
            )
        )
    return out


def _same_run(a: ModelSpec, b: ModelSpec) -> None:
    if a.model_id != b.model_id:
        raise ModelFileError(
            f"the files come from different training runs ({a.model_id[:12]} and {b.model_id[:12]})",
            "compare files of one run",
        )
