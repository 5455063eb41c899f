"""One pass over the records: everything that is measured on a model, its baselines and its beats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy import signal

from ecg_edge.device.lead_algebra import BASIS, measured
from ecg_edge.firmware_bridge.array_types import AnyFloatArray, Float32Array, FloatArray
from ecg_edge.firmware_bridge.progress import Progress
from ecg_edge.train.data.prepare import SCORED_FROM_S, Prepared
from ecg_edge.train.evaluation import metrics
from ecg_edge.train.evaluation.delineation import Amplitudes, Delineator, PeakTiming, amplitudes
from ecg_edge.train.evaluation.estimators import Subject
from ecg_edge.train.evaluation.scoring import Estimator

LITERATURE_BAND_HZ = (0.67, 40.0)
_BAND_ORDER = 2


@dataclass(frozen=True)
class Beats:
    """Amplitudes of one record at the truth's landmarks.

    Attributes
    ----------
    truth, estimate : Amplitudes
        Behind the device's conditioner.
    diagnostic : Amplitudes or None
        Of the truth behind a high-pass of 0.05 Hz.
    """

    truth: Amplitudes
    estimate: Amplitudes
    diagnostic: Amplitudes | None


@dataclass
class Measurements:
    """What the pass gathers; every list has one entry per record.

    Attributes
    ----------
    figures : dict of str to list of LeadFigures
        ``model``, ``literature band`` and each baseline.
    hits, widths_mv : list of ndarray of shape (n_leads,)
        Share of samples inside the stated interval, and its mean width from end to end.
    twin_ms, twin_max : list of ndarray of shape (n_leads,)
        Mean square and largest difference to the twin, in mV² and mV.
    beats : list of Beats or None
        None where the record could not be delineated.
    timing : list of list of PeakTiming
        Per record and lead.
    """

    figures: dict[str, list[metrics.LeadFigures]] = field(default_factory=dict)
    hits: list[FloatArray] = field(default_factory=list)
    widths_mv: list[FloatArray] = field(default_factory=list)
    twin_ms: list[FloatArray] = field(default_factory=list)
    twin_max: list[FloatArray] = field(default_factory=list)
    beats: list[Beats | None] = field(default_factory=list)
    timing: list[list[PeakTiming]] = field(default_factory=list)

    def of(self, name: str) -> metrics.LeadFigures:
        """Figures of all records."""
        return metrics.concatenate(self.figures[name])


class Measurer:
    """Measures record after record.

    Parameters
    ----------
    subject : Subject
        What to score.
    baselines : dict of str to callable
        Scored beside it.
    delineator : Delineator, optional
        Without it no beats.
    twin : Subject, optional
        The same network in fp32.
    """

    def __init__(
        self,
        subject: Subject,
        baselines: dict[str, Estimator],
        delineator: Delineator | None = None,
        twin: Subject | None = None,
    ) -> None:
        self._subject, self._baselines, self._twin, self._delineator = subject, baselines, twin, delineator
        self._out = [BASIS.index(n) for n in subject.targets]
        self._first = round(SCORED_FROM_S * subject.fs)
        self._band = literature_band(subject.fs)
        self.done = Measurements()

    def run(self, data: Prepared, diagnostic: Prepared | None = None) -> Measurements:
        """Measure all records, with a progress line.

        Parameters
        ----------
        data : Prepared
            Behind the subject's conditioner.
        diagnostic : Prepared, optional
            The same records behind a high-pass of 0.05 Hz.
        """
        with Progress("scoring", len(data)) as progress:
            for record, wide in zip(data.x, diagnostic.x if diagnostic else _nothing(len(data)), strict=True):
                self._measure(record, wide)
                progress.step()
        return self.done

    def _measure(self, record: Float32Array, diagnostic: Float32Array | None) -> None:
        x = measured(record, self._subject.inputs)
        guess, half = self._subject.estimate(x)
        n = len(guess)
        truth = record[:n, self._out]
        self._score("model", truth, guess)
        for name, estimate in self._baselines.items():
            other = estimate(x)
            self._score(name, record[: len(other), self._out], other)
        if self._band is not None:
            self._score("literature band", *(signal.sosfiltfilt(self._band, y, axis=0) for y in (truth, guess)))
        if half is not None:
            late = slice(self._first, n)
            self.done.hits.append((np.abs(guess - truth)[late] <= half[late]).mean(axis=0))
            self.done.widths_mv.append(2 * half[late].mean(axis=0, dtype=np.float64))
        if self._twin is not None:
            difference = np.abs(self._twin.estimate(x)[0] - guess)[self._first :].astype(np.float64)
            self.done.twin_ms.append((difference**2).mean(axis=0))
            self.done.twin_max.append(difference.max(axis=0))
        if self._delineator is not None:
            self._delineate(self._delineator, record[:n], guess, diagnostic)

    def _score(self, name: str, truth: AnyFloatArray, guess: AnyFloatArray) -> None:
        rows = metrics.figures(truth[None, self._first :], guess[None, self._first :], self._subject.targets)
        self.done.figures.setdefault(name, []).append(rows)

    def _delineate(
        self,
        by: Delineator,
        record: Float32Array,
        guess: AnyFloatArray,
        diagnostic: Float32Array | None,
    ) -> None:
        fs, truth = self._subject.fs, record[:, self._out]
        self.done.timing.append([by.timing(truth[:, k], guess[:, k], self._first) for k in range(len(self._out))])
        at = by.landmarks(record, self._first)
        if at is None:
            self.done.beats.append(None)
            return
        wide = None if diagnostic is None else amplitudes(diagnostic[: len(record), self._out], at, fs)
        self.done.beats.append(Beats(amplitudes(truth, at, fs), amplitudes(guess, at, fs), wide))


def _nothing(n: int) -> Iterator[None]:
    return iter([None] * n)


def literature_band(fs: int) -> FloatArray | None:
    """The usual band of publications, 0.67-40 Hz, to be run forwards and backwards.

    Returns
    -------
    ndarray of shape (n_sections, 6) or None
        Second-order sections; None where the rate does not reach 40 Hz.
    """
    if fs <= 2 * LITERATURE_BAND_HZ[1]:
        return None
    return np.asarray(signal.butter(_BAND_ORDER, LITERATURE_BAND_HZ, "bandpass", fs=fs, output="sos"))
