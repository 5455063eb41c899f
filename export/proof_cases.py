"""On what a file is proved: the validation records, as the network's inputs, for each lead set it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.device.lead_algebra import BASIS, measured, missing_basis
from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.train.data.prepare import SCORED_FROM_S, Prepared
from ecg_edge.train.evaluation import metrics
from ecg_edge.train.head import ridge
from ecg_edge.train.network import lead_subsets as subsets
from ecg_edge.train.network import placement_draw
from ecg_edge.train.network.inputs import guessed, masked

_BATCH = 128
_ANY_EVERY = 3
"""An any-lead file is proved on six lead sets, each on a third of the records."""
_PROVED = (("I", "II"), ("I", "II", "V2"), *placement_draw.PLACES[:3], ("V1-V3", "V1-V6"))
"""An any-electrode file is proved on these."""


@dataclass(frozen=True)
class Case:
    """One lead set.

    Attributes
    ----------
    name : str
        Empty for a network of fixed leads, else the set: ``I+II``.
    hidden : tuple of str
        Leads to reconstruct.
    x : ndarray of float32, shape (n_records, n_samples, n_inputs)
        Inputs of the graph.
    truth : ndarray of float32, shape (n_records, n_samples, n_hidden)
    measured : ndarray of float32, shape (n_records, n_samples)
        A measured lead, in which beats are found.
    outputs : list of int
        Columns of the head that are the hidden leads.
    fs : int
        Rate in Hz.
    """

    name: str
    hidden: tuple[str, ...]
    x: Float32Array
    truth: Float32Array
    measured: Float32Array
    outputs: list[int]
    fs: int

    @property
    def first(self) -> int:
        """First scored sample."""
        return round(SCORED_FROM_S * self.fs)

    def score(self, estimate: Float32Array) -> dict[str, object]:
        """Figures of an estimate of shape (n_records, m_samples, n_hidden)."""
        scored = slice(self.first, estimate.shape[1])
        parts = [
            metrics.figures(self.truth[k : k + _BATCH, scored], estimate[k : k + _BATCH, scored], self.hidden)
            for k in range(0, len(estimate), _BATCH)
        ]
        where = "PTB-XL fold 9 (validation)" + (f", every {_ANY_EVERY}rd record" if self.name else "")
        return {"set": where, **metrics.concatenate(parts).summary()}

    def baselines(self, weights: dict[str, Float32Array], n_samples: int) -> dict[str, float]:
        """Mean RMSE in mV of zero and of each ridge regression, over the first `n_samples` of each record."""
        scored, found = slice(self.first, n_samples), {"zero": np.zeros_like(self.truth[:, :n_samples])}
        for taps, w in sorted(weights.items(), key=lambda kv: int(kv[0])):
            found[f"ridge {taps}"] = np.stack([ridge.predict(x, w)[:n_samples].astype(np.float32) for x in self.x])
        return {
            name: float(np.sqrt(((y - self.truth[:, :n_samples])[:, scored] ** 2).mean(axis=1)).mean())
            for name, y in found.items()
        }


def cases(spec: ModelSpec, data: Prepared) -> list[Case]:
    """What a file with this description is proved on."""
    x = np.asarray(data.x)
    if not spec.any_lead:
        return [_case("", spec, x, spec.input_leads)]
    x = x[::_ANY_EVERY] if len(x) > _ANY_EVERY else x
    sets = _PROVED if spec.any_electrode else subsets.SPECIALISTS
    return [_case("+".join(leads), spec, x, leads) for leads in sets]


def _case(name: str, spec: ModelSpec, x: Float32Array, leads: tuple[str, ...]) -> Case:
    hidden = missing_basis(leads)
    seen = measured(x, leads)
    return Case(
        name,
        hidden,
        _inputs(spec, x, leads, seen),
        x[:, :, [BASIS.index(lead) for lead in hidden]],
        seen[:, :, 0],
        [spec.target_leads.index(lead) for lead in hidden],
        spec.fs,
    )


def _inputs(spec: ModelSpec, x: Float32Array, leads: tuple[str, ...], seen: Float32Array) -> Float32Array:
    if spec.any_electrode:
        return guessed(x, leads, spec.covariance)
    return masked(x, leads) if spec.any_lead else seen


def calibration_inputs(spec: ModelSpec, data: Prepared) -> Float32Array:
    """Inputs of the graph from which its 8-bit parameters are chosen; an any-lead one sees subsets of all kinds."""
    x = np.asarray(data.x)
    if not spec.any_lead:
        return measured(x, spec.input_leads)
    if spec.any_electrode:
        return _drawn_places(spec, x)
    drawn = subsets.draw(len(x), x.shape[1], np.random.default_rng(0)).masks.transpose(0, 2, 1)
    return np.concatenate([x * drawn, drawn], axis=2).astype(np.float32)


def _drawn_places(spec: ModelSpec, x: Float32Array) -> Float32Array:
    """Every record behind a placement drawn as in training."""
    drawn = placement_draw.draw(len(x), spec.covariance, np.random.default_rng(0))
    values = np.einsum("nck,ntk,njc->ntj", drawn.channels, x, drawn.before, optimize=True)
    shares = np.broadcast_to(drawn.known_before[:, None], values.shape)
    return np.concatenate([values, shares], axis=2).astype(np.float32)
