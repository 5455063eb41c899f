"""Proof that a file is what it says: ordered checks, each with its figure and its limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ecg_edge.device.leads import BASIS
from ecg_edge.device.model import Model
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.train import scoring, training
from ecg_edge.train.network import Reconstructor
from ecg_edge.train.prepare import Prepared

FP32_LIMIT_MV = 1e-5
_FP32_RECORDS = 24


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    name: str
    ok: bool
    detail: str

    def line(self) -> str:
        """As printed."""
        return f"{'✓' if self.ok else '✗'} {self.name}: {self.detail}"


@dataclass(frozen=True)
class Budget:
    """What the 8-bit file may cost.

    Attributes
    ----------
    rmse : float
        Largest relative increase of the RMSE of any reconstructed lead against fp32.
    """

    rmse: float = 0.01

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read ``rmse=1%``.

        Raises
        ------
        UsageError
            Anything else.
        """
        key, _, value = text.partition("=")
        try:
            number = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
        except ValueError:
            number = -1.0
        if key.strip() != "rmse" or not 0 <= number < 10:
            raise UsageError(f"bad budget {text!r}", "write --budget rmse=1%")
        return cls(number)


def structure(model: Model) -> list[Check]:
    """Checks that need no data. Loading already proved digest, names, shapes and dtypes; say so."""
    spec = model.spec
    pairs = ", ".join(f"{n} {kind}" for kind in ("float32", "uint8") if (n := _count(model, kind)))
    state = model.backend.initial_state()
    x = np.zeros((spec.hop, len(spec.input_leads)), np.float32)
    features, after = model.backend.step(x, state)
    same = all(a.shape == b.shape and a.dtype == b.dtype for a, b in zip(state, after, strict=True))
    finite = bool(np.isfinite(features).all())
    return [
        Check("metadata", True, f"description and digest {model.file_sha256[:12]} fit the file"),
        Check("names and shapes", features.shape == (spec.hop, spec.n_features) and finite, "as described"),
        Check("state pairs", same, f"{pairs}; same shape, dtype, scale on both ends"),
    ]


def _count(model: Model, dtype: str) -> int:
    return sum(s.dtype == dtype for s in model.spec.states)


def against_torch(model: Model, network: Reconstructor, data: Prepared) -> Check:
    """The fp32 file, streamed hop by hop, against the network run over whole records in torch."""
    columns = [BASIS.index(lead) for lead in network.spec.input_leads]
    estimate = scoring.streamed(model.backend)
    worst = 0.0
    for record in data.x[:_FP32_RECORDS]:
        x = np.ascontiguousarray(record[:, columns])
        got, want = estimate(x), training.reconstruct(network, x[None])[0]
        worst = max(worst, float(np.abs(got - want[: len(got)]).max()))
    n = min(_FP32_RECORDS, len(data))
    return Check(
        "fp32 streamed against torch offline",
        worst <= FP32_LIMIT_MV,
        f"largest difference {worst:.1e} mV over {n} records (limit {FP32_LIMIT_MV:.0e})",
    )


def against_fp32(int8: dict[str, Any], fp32: dict[str, Any], budget: Budget) -> list[Check]:
    """Per lead: the RMSE of the 8-bit file, streamed, against that of fp32 on the same records."""
    out = []
    for lead, row in int8["leads"].items():
        before = fp32["leads"][lead]["rmse_mv"]
        cost = row["rmse_mv"] / before - 1
        out.append(
            Check(
                f"int8 {lead}",
                cost <= budget.rmse,
                f"RMSE {row['rmse_mv']:.4f} mV against {before:.4f} ({cost:+.2%}, limit {budget.rmse:+.2%}), "
                f"r {row['r']:.4f} against {fp32['leads'][lead]['r']:.4f}",
            )
        )
    return out
