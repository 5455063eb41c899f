"""Score a reconstructor on prepared records, the baselines beside it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ecg_edge.device.inference.load import Model
from ecg_edge.device.lead_algebra import BASIS, measured
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.firmware_bridge.array_types import AnyFloatArray, Float32Array
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.progress import Progress
from ecg_edge.train.data.prepare import SCORED_FROM_S, Prepared
from ecg_edge.train.evaluation import metrics
from ecg_edge.train.head import ridge

Estimator = Callable[[Float32Array], AnyFloatArray]
"""One record's inputs (n_samples, n_inputs) → its targets (m_samples, n_targets), m ≤ n, aligned at the start."""
IntervalEstimator = Callable[[Float32Array], tuple[AnyFloatArray, AnyFloatArray | None]]
"""The same, with the half-width of the stated interval in mV (same shape; None where nothing is stated)."""


def streamed_with_interval(model: Model) -> IntervalEstimator:
    """Estimator that runs a model file hop by hop from a cold start, with the interval it states."""
    columns = [LEADS.index(lead) for lead in model.spec.target_leads]
    reconstructor = StreamReconstructor(model)

    def estimate(x: Float32Array) -> tuple[AnyFloatArray, AnyFloatArray | None]:
        reconstructor.reset()
        out = reconstructor.feed(x)
        return out.mv[:, columns], out.sigma[:, columns]

    return estimate


def streamed(model: Model) -> Estimator:
    """The same without the interval."""
    estimate = streamed_with_interval(model)
    return lambda x: estimate(x)[0]


def linear(weights: Float32Array) -> Estimator:
    """Estimator of a ridge baseline."""
    return lambda x: ridge.predict(x, weights)


def zero(n_targets: int) -> Estimator:
    """Estimator that always says 0 mV."""
    return lambda x: np.zeros((len(x), n_targets))


def score(
    data: Prepared, inputs: tuple[str, ...], targets: tuple[str, ...], fs: int, estimate: Estimator, label: str
) -> metrics.LeadFigures:
    """Figures per record and hidden lead, the first 2.0 s left out.

    Parameters
    ----------
    data : Prepared
        Conditioned records.
    inputs, targets : tuple of str
        Measured channels, and basis leads.
    fs : int
        Rate in Hz.
    estimate : Estimator
        What to score.
    label : str
        Shown by the progress line.
    """
    cols_out = [BASIS.index(n) for n in targets]
    first = round(SCORED_FROM_S * fs)
    parts = []
    with Progress(label, len(data)) as progress:
        for record in data.x:
            guess = estimate(measured(record, inputs))
            truth = record[first : len(guess), cols_out]
            parts.append(metrics.figures(truth[None], guess[None, first:], targets))
            progress.step()
    return metrics.concatenate(parts)
