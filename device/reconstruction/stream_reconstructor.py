"""The streaming reconstructor: conditioned samples in, twelve labelled leads out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_edge.device.inference.backend import State
from ecg_edge.device.inference.load import Model
from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.reconstruction.calibration_drift import DriftWatch
from ecg_edge.device.reconstruction.hop_geometry import geometry_of
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import UsageError


@dataclass(frozen=True)
class _Hop:
    """What one hop yields: rows, their input flags, and whether all they were computed from was valid."""

    first: int
    mv: npt.NDArray[np.float32]
    sigma: npt.NDArray[np.float32]
    ok: npt.NDArray[np.bool_]
    sound: npt.NDArray[np.bool_]
    clean: npt.NDArray[np.bool_]
    share: float


@dataclass(frozen=True)
class _Heads:
    """The model's own head, and the one in use (a person's, or the same), as the hop computes with them."""

    mean: FloatArray
    log_scale: FloatArray
    factors: FloatArray
    own_mean: FloatArray
    own_factors: FloatArray

    @classmethod
    def of(cls, model: Model) -> _Heads:
        """Of a model, in 64 bits."""
        head = model.spec.head
        own = model.personal or head
        values = (head.mean, head.log_scale, head.interval_factors, own.mean, own.interval_factors)
        return cls(*(v.astype(np.float64) for v in values))

    def mixed(self, share: float) -> tuple[FloatArray, FloatArray]:
        """Return weights and interval factors of this share of the head in use, the rest of the model's own."""
        mean = self.own_mean + share * (self.mean - self.own_mean)
        return mean, self.own_factors + share * (self.factors - self.own_factors)


class StreamReconstructor:
    """Feeds one stream through the network, hop by hop.

    The output is the same, byte for byte, however the input is cut into blocks.

    Parameters
    ----------
    model : Model
        Of fixed leads (see `for_leads`). Streams may share it: the state of a stream lives here.

    Attributes
    ----------
    provenance : tuple of Provenance
        Of each of the twelve leads.
    """

    def __init__(self, model: Model) -> None:
        self._backend = model.backend
        self._geometry = geometry_of(model.spec)
        self.provenance = self._geometry.provenance
        self.refit(model)
        self.reset()

    def refit(self, model: Model) -> None:
        """Use a person's head, or another one, of the same model from the next hop on."""
        self._heads = _Heads.of(model)
        self._watch = DriftWatch(model.personal, model.spec.fs) if model.personal else None

    @property
    def missing(self) -> int:
        """Samples that complete the next hop."""
        return self._geometry.hop - self._pending

    def reset(self, index: int = 0) -> None:
        """Forget everything; the next sample fed has the given index. Warm-up begins."""
        g = self._geometry
        self._state: State = self._backend.initial_state()
        self._start = self._next = index
        self._x = np.zeros((g.back, g.n_in), np.float32)  # history, then samples not yet consumed
        self._ok = np.ones((g.late, g.n_in), np.bool_)
        self._fit = self._ok
        self._pending = 0
        if self._watch:
            self._watch.reset()
        self._clean_from = index  # first row from which a reconstruction is free of invalid inputs

    def feed(
        self,
        x: npt.NDArray[np.float32],
        valid: npt.NDArray[np.bool_] | None = None,
        arrival: float = 0.0,
        fit: npt.NDArray[np.bool_] | None = None,
    ) -> LeadBlock:
        """Take conditioned samples; return every row they complete.

        Parameters
        ----------
        x : ndarray of float32, shape (n_samples, n_inputs)
            In mV at the model rate; finite, also where invalid (hold the last value).
        valid : ndarray of bool, same shape, optional
            False where an input must not be trusted. A reconstructed lead is invalid wherever such an instant lies in
            what went into it: its look-ahead and the rest of its hop too. For the settling time after it the rows are
            marked as warming up. For the settling time after a reset it is invalid: an empty network is millivolts off.
        arrival : float
            Host time, copied into the block.
        fit : ndarray of bool, same shape, optional
            False where an input is itself but nothing must be reconstructed from it.

        Raises
        ------
        UsageError
            Wrong number of leads, or samples that are not finite.
        """
        x, n_in = np.asarray(x, np.float32), self._geometry.n_in
        if x.ndim != 2 or x.shape[1] != n_in:
            raise UsageError(f"samples of shape {x.shape}; the model reads {n_in} leads", "pass (n, n_inputs)")
        if not np.isfinite(x).all():
            raise UsageError("samples hold NaN or infinity", "hold the last value and mark it invalid")
        ok = np.ones(x.shape, np.bool_) if valid is None else np.asarray(valid, np.bool_)
        self._x = np.concatenate([self._x, x])
        self._ok = np.concatenate([self._ok, ok])
        self._fit = np.concatenate([self._fit, ok if fit is None else ok & fit])
        self._pending += len(x)
        return self._block([self._step() for _ in range(self._pending // self._geometry.hop)], arrival)

    def flush(self, arrival: float = 0.0) -> LeadBlock:
        """Repeat the last sample until every sample fed has come out, return the rest, then reset."""
        fed = self._next + self._pending
        if fed == self._emitted():
            self.reset(fed)
            return self._block([], arrival)
        hop = self._geometry.hop
        n_pad = -(-(self._pending + self._geometry.late) // hop) * hop - self._pending
        x = np.repeat(self._x[-1:], n_pad, axis=0)
        ok, fit = (np.repeat(flags[-1:], n_pad, axis=0) for flags in (self._ok, self._fit))
        tail = self.feed(x, ok, arrival, fit)
        self.reset(fed)
        return tail.rows(0, fed - tail.index)

    def _step(self) -> _Hop:
        """Consume one hop. Every product has the same shape in every hop, so the cut cannot show."""
        g = self._geometry
        hop, back, late = g.hop, g.back, g.late
        window = self._x[: back + hop]
        features, self._state = self._backend.step(window[back:], self._state)
        regressors = g.layout.matrix(features, window)
        now = window[back - late : back - late + hop]
        basis = np.zeros((hop, len(BASIS)))
        width = np.zeros((hop, len(BASIS)))
        basis[:, g.known_columns] = now.astype(np.float64) @ g.known
        heads = self._heads
        share, mean, factors = 1.0, heads.mean, heads.factors
        if self._watch:
            share = self._watch.feed(window[back:], self._fit[late : late + hop])
            mean, factors = heads.mixed(share)
        basis[:, g.target_columns] = regressors @ mean
        width[:, g.target_columns] = np.exp(np.minimum(np.maximum(regressors @ heads.log_scale, -6.0), 3.0)) * factors
        mv = (basis @ g.twelve).astype(np.float32)
        mv[:, g.measured] = now[:, g.columns]
        if g.direct:
            mv[:, g.direct] = now @ g.direct_of
        # Leads with independent uncertain ancestors add their widths in quadrature.
        sigma = np.sqrt((width**2) @ g.twelve2).astype(np.float32)
        sigma[:, g.certain] = 0
        seen = np.asarray(self._fit[: late + hop].all(axis=1), np.bool_)
        clean = np.logical_and.accumulate(seen[::-1])[::-1][:hop]
        done = _Hop(self._next - late, mv, sigma, self._ok[:hop], seen[:hop], clean, share)
        self._x, self._ok, self._fit = self._x[hop:], self._ok[hop:], self._fit[hop:]
        self._next += hop
        self._pending -= hop
        return done

    def _block(self, hops: list[_Hop], arrival: float) -> LeadBlock:
        if not hops:
            share = np.zeros(0, np.float32) if self._watch else None
            return LeadBlock.empty(self._emitted(), 0, self.provenance, arrival, share, self._geometry.fs)
        valid, warmup = self._flags(hops)
        first = hops[0].first
        block = LeadBlock(
            first,
            np.concatenate([h.mv for h in hops]),
            self.provenance,
            valid,
            warmup,
            np.concatenate([h.sigma for h in hops]),
            arrival,
            share=np.repeat(np.array([h.share for h in hops], np.float32), self._geometry.hop) if self._watch else None,
            fs=self._geometry.fs,
        )
        before = self._start - first  # rows before the first sample
        return block.rows(before, len(block)) if before > 0 else block

    def _emitted(self) -> int:
        return max(self._start, self._next - self._geometry.late)

    def _flags(self, hops: list[_Hop]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Validity of every lead, and the warm-up flag, of the rows of consecutive hops."""
        g = self._geometry
        ok, clean = np.concatenate([h.ok for h in hops]), np.concatenate([h.clean for h in hops])
        valid: npt.NDArray[np.bool_] = np.logical_not((~ok[:, None, :] & g.needs[None]).any(axis=2))
        rows = hops[0].first + np.arange(len(ok))
        valid[:, g.guess] &= (clean & (rows >= self._start + g.settle))[:, None]  # millivolts off until then
        sound = np.concatenate([h.sound for h in hops])
        clean_from = np.maximum.accumulate(np.where(sound, self._clean_from, rows + 1))
        self._clean_from = int(clean_from[-1])
        return valid, np.asarray(rows < clean_from + g.settle, np.bool_)
