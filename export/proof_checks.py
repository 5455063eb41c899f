"""Proof that a file is what it says: ordered checks, each with its figure and its limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ecg_edge.device.inference.load import Model
from ecg_edge.device.verification.fiducials import Shift
from ecg_edge.firmware_bridge.array_types import Float32Array

FP32_LIMIT_MV = 1e-5
INT8_LIMIT_MV = 1e-3
TWIN_LIMIT_STEPS = 1.0


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    name: str
    ok: bool
    detail: str

    def line(self) -> str:
        """As printed."""
        return f"{'✓' if self.ok else '✗'} {self.name}: {self.detail}"


def structure(model: Model, label: str) -> list[Check]:
    """Checks that need no data. Loading already proved digest, names, shapes and dtypes; say so."""
    spec = model.spec
    kinds = ("float32", "uint8", "int8")
    pairs = ", ".join(f"{n} {kind}" for kind in kinds if (n := sum(s.dtype == kind for s in spec.states)))
    state = model.backend.initial_state()
    features, after = model.backend.step(np.zeros((spec.hop, spec.n_inputs), np.float32), state)
    same = all(a.shape == b.shape and a.dtype == b.dtype for a, b in zip(state, after, strict=True))
    finite = bool(np.isfinite(features).all())
    return [
        Check(f"{label} metadata", True, f"description and digest {model.file_sha256[:12]} fit the file"),
        Check(f"{label} names and shapes", features.shape == (spec.hop, spec.n_features) and finite, "as described"),
        Check(f"{label} state pairs", same, f"{pairs}; same shape, dtype, scale on both ends"),
    ]


def equal(name: str, got: Float32Array, want: Float32Array) -> Check:
    """Two ways of running the same weights."""
    worst = float(np.abs(got - want[:, : got.shape[1]]).max())
    return Check(
        name,
        worst <= FP32_LIMIT_MV,
        f"largest difference {worst:.1e} mV over {len(got)} records (limit {FP32_LIMIT_MV:.0e})",
    )


def as_good_as_equal(name: str, got: Float32Array, want: Float32Array) -> Check:
    """Two ways of running the same integers: kernels for other shapes may round a tie the other way."""
    apart = got.astype(np.float64) - want[:, : got.shape[1]]
    rms, worst = float(np.sqrt(np.mean(apart**2))), float(np.abs(apart).max())
    return Check(
        name,
        rms <= INT8_LIMIT_MV,
        f"differ by {1000 * rms:.2f} µV RMS, {1000 * worst:.1f} µV at most, over {len(got)} records "
        f"(limit {1000 * INT8_LIMIT_MV:g} µV RMS)",
    )


def against_fp32(
    label: str, small: dict[str, Any], fp32: dict[str, Any], shift: Shift, limits: dict[str, float]
) -> list[Check]:
    """Per lead: what the file costs against fp32 on the same records.

    Parameters
    ----------
    label : str
        Of the file.
    small, fp32 : dict
        Summaries of `train.evaluation.metrics` for the two.
    shift : Shift
        Of ST level and R peak, leads in the summaries' order.
    limits : dict
        ``rmse`` (relative), ``st`` (µV) and ``rpeak`` (ms), as `budget.Budget` holds them.
    """
    out = []
    for k, (lead, row) in enumerate(small["leads"].items()):
        before = fp32["leads"][lead]["rmse_mv"]
        cost = row["rmse_mv"] / before - 1
        st, rpeak = float(shift.st_uv[k]), float(shift.rpeak_ms[k])
        out.append(
            Check(
                f"{label} {lead}",
                cost <= limits["rmse"] and st <= limits["st"] and rpeak <= limits["rpeak"],
                f"RMSE {row['rmse_mv']:.4f} mV against {before:.4f} ({cost:+.2%}, limit {limits['rmse']:+.2%}); "
                f"ST {st:.1f} µV (limit {limits['st']:g}); R peak {rpeak:g} ms (limit {limits['rpeak']:g}; "
                f"{shift.moved[k]:.1%} of {shift.beats} beats moved); "
                f"r {row['r']:.4f} against {fp32['leads'][lead]['r']:.4f}",
            )
        )
    return out


def twins(leads: str, a: Float32Array, b: Float32Array, step: float) -> Check:
    """Features of the int8 ONNX and TFLite files, in steps of 8 bits over the features' range."""
    rms = float(np.sqrt(np.mean((a.astype(np.float64) - b) ** 2))) / step
    return Check(
        f"int8 ONNX against TFLite {leads}".rstrip(),
        rms <= TWIN_LIMIT_STEPS,
        f"features differ by {rms:.2f} steps RMS over {len(a)} records (limit {TWIN_LIMIT_STEPS:g})",
    )
