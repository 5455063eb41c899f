"""Batches drawn and augmented where the network trains: the twin of `batches.draw` and `augment` for a GPU.

Everything has fixed shapes and needs nothing from the processor, so a whole step can be captured once and replayed (a
CUDA graph). A Python number given to ``torch.where`` would be a copy from the processor. The distributions are those of
`augment` and `wearable_noise`; the random numbers are the device's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ecg_edge.device.lead_algebra import BASIS, of_basis
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.train.gpu import noise
from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.network import placement_draw
from ecg_edge.train.network.unet import NetSpec

_LOWPASS_HZ, _HIGHPASS_HZ = (16.0, 45.0), (0.05, 0.8)
_MIXED = 2 / 3
_POOL = 4_096


@dataclass(frozen=True)
class Drawn:
    """What one step learns from; all on the device.

    Attributes
    ----------
    inputs : Tensor of shape (batch, n_inputs, time)
        What the network sees.
    basis : Tensor of shape (batch, 8, time)
        The true basis leads.
    wanted : Tensor of shape (batch, n_targets)
        1 for the leads that count.
    sure : Tensor of shape (batch, 1)
        1 where the truth belongs to the inputs; 0 for mixed ones, of which only teachers know something.
    beats : Tensor of shape (batch, time), or None
        1 at the beats of the truth, where anybody asks.
    """

    inputs: Tensor
    basis: Tensor
    wanted: Tensor
    sure: Tensor
    beats: Tensor | None


class DeviceDraw:
    """Draws batches of one network on its device.

    Parameters
    ----------
    x : Tensor of int16 or float32, shape (n_records, 8, n_samples)
        Conditioned basis leads.
    step_mv : float
        Millivolts of one count of `x`.
    net, spec : NetSpec, TrainSpec
        What and how.
    covariance : ndarray of shape (8, 8)
        Of the population in mV².
    pool : Placements, optional
        Drawn placements to choose from, of an any-electrode network; some thousand of its own without.
    """

    def __init__(
        self,
        x: Tensor,
        step_mv: float,
        net: NetSpec,
        spec: TrainSpec,
        covariance: FloatArray,
        pool: placement_draw.Placements | None = None,
    ) -> None:
        self._x, self._step, self._net, self._spec = x, step_mv, net, spec
        self._crop = min(spec.crop, x.shape[-1]) // net.hop * net.hop
        device = x.device
        self._leads = torch.arange(len(BASIS), device=device)[None, :, None]
        self._time = torch.arange(self._crop, device=device, dtype=torch.float32)
        self._targets = len(net.target_leads)
        self._neighbours = _neighbours().to(device)
        if net.any_electrode:
            pool = pool or placement_draw.draw(_POOL, covariance, np.random.default_rng([spec.seed, 1]))
            self._pool = [
                torch.from_numpy(a).to(device)
                for a in (pool.channels, pool.before, pool.after, pool.known_before, pool.known_after, pool.wanted)
            ]
            self._loses = torch.from_numpy(pool.loses).to(device)
        else:
            self._lift = torch.from_numpy(of_basis(net.input_leads).astype(np.float32)).to(device)

    def draw(self, rows: Tensor) -> Drawn:
        """Crops of the given records, augmented.

        Parameters
        ----------
        rows : Tensor of int64, shape (batch,)
            On the device.
        """
        x = self._recorded(self._cut(rows))
        beats = beats_of(x, self._net.fs) if self._spec.spread else None
        n, ones = len(rows), torch.ones
        if self._net.any_electrode:
            inputs, wanted = self._guesses(x)
            return Drawn(inputs, x, wanted, ones(n, 1, device=x.device), beats)
        inputs = self._measured(self._lift @ self._misplaced(x))
        wanted = ones(n, self._targets, device=x.device)
        sure = ones(n, 1, device=x.device)
        if self._spec.mix:
            sure = (torch.rand(n, 1, device=x.device) > _MIXED).float()
            k = inputs.shape[1]
            matrix = self._spec.mix * torch.randn(n, k, k, device=x.device) * (1 - sure)[:, :, None]
            inputs = inputs + matrix @ inputs
        return Drawn(inputs, x, wanted, sure, beats)

    def _cut(self, rows: Tensor) -> Tensor:
        """A stretch of each record in mV, half of them resampled to another heart's pace, shape (n, 8, crop)."""
        n, last = len(rows), self._x.shape[-1] - 1
        room = last + 1 - self._crop
        if not self._spec.warp:
            start = (torch.rand(n, 1, device=rows.device) * (room + 1)).floor().clamp(max=room)
            at = (start + self._time).long()
            return self._take(rows, at)
        most = math.log(min(1 + self._spec.warp, last / self._crop))
        factor = torch.exp((torch.rand(n, 1, device=rows.device) * 2 - 1) * most)
        factor = torch.where(torch.rand(n, 1, device=rows.device) < 0.5, factor, torch.ones_like(factor))
        start = (torch.rand(n, 1, device=rows.device) * (last - factor * self._crop)).floor().clamp(min=0)
        place = start + factor * self._time
        whole = place.floor()
        part, at = (place - whole)[:, None], whole.long()
        p0, p1, p2, p3 = (self._take(rows, (at + k).clamp(0, last)) for k in (-1, 0, 1, 2))
        # Catmull-Rom: through the samples, and exactly them where a record is not stretched
        bend = 2 * p0 - 5 * p1 + 4 * p2 - p3 + part * (3 * (p1 - p2) + p3 - p0)
        return p1 + 0.5 * part * (p2 - p0 + part * bend)

    def _take(self, rows: Tensor, at: Tensor) -> Tensor:
        return self._x[rows[:, None, None], self._leads, at[:, None]].float() * self._step

    def _recorded(self, x: Tensor) -> Tensor:
        """As another device would have recorded it, all leads alike: filters and gain."""
        n, how, device = len(x), self._spec, x.device

        def uniform(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(n, 1, 1, device=device)

        if how.band:
            f = torch.fft.rfftfreq(x.shape[-1], 1 / self._net.fs, device=device)
            order = uniform(1, 5).floor()
            low = torch.rsqrt(1 + (f / uniform(*_LOWPASS_HZ)) ** (2 * order))
            corner = torch.exp(uniform(math.log(_HIGHPASS_HZ[0]), math.log(_HIGHPASS_HZ[1])))
            power = f**2 + corner**2
            high = torch.complex(f**2 / power, f * corner / power)  # jf / (jf + corner)
            low = torch.where(uniform(0, 1) < how.band, low, torch.ones_like(low))
            high = torch.where(uniform(0, 1) < how.band, high, torch.ones_like(high))
            x = torch.fft.irfft(torch.fft.rfft(x) * (high * low), n=x.shape[-1])
        return x * torch.exp(uniform(-1, 1) * math.log1p(how.gain))

    def _misplaced(self, x: Tensor) -> Tensor:
        """Mix neighbours into the leads: chest electrodes toward the next one, limb electrodes off the limb."""
        if not self._spec.shift:
            return x
        n = len(x)
        share = torch.rand(n, 8, device=x.device) * self._spec.shift
        side = (torch.rand(n, 8, device=x.device) < 0.5).long()
        matrix = self._neighbours[side, torch.arange(8, device=x.device)]
        sign = 2 * (torch.rand(n, 2, device=x.device) < 0.5).float() - 1
        share = torch.cat([share[:, :2] * sign, share[:, 2:]], dim=1)
        return x + share[:, :, None] * (matrix @ x)

    def _measured(self, x: Tensor) -> Tensor:
        """With a wearable's noise, and one of several channels silent for a stretch."""
        how, fs, clean = self._spec, self._net.fs, x
        if how.noise_mv:
            x = x + noise.coloured(clean, fs, how.colour) * noise.levels(clean, how.noise_mv)
        for kind, make in noise.KINDS.items():
            if top := getattr(how, f"{kind}_mv"):
                x = x + make(clean, fs) * noise.levels(clean, top)
        if how.mask and x.shape[1] > 1:
            x = x * self._fallen_off(x)
        return x

    def _fallen_off(self, x: Tensor) -> Tensor:
        n, k, samples = x.shape
        ends = (torch.rand(n, 2, 1, device=x.device) * (samples + 1)).sort(dim=1).values
        inside = (self._time >= ends[:, :1]) & (self._time < ends[:, 1:])
        which = (torch.rand(n, 1, 1, device=x.device) * k).floor() == torch.arange(k, device=x.device)[:, None]
        hit = torch.rand(n, 1, 1, device=x.device) < self._spec.mask
        return 1 - (inside & which & hit).float()

    def _guesses(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Channels of drawn placements, their guesses of the basis leads and what is known of them."""
        n = len(x)
        at = (torch.rand(n, device=x.device) * len(self._loses)).long().clamp(max=len(self._loses) - 1)
        channels, before, after, known_before, known_after, wanted = (a[at] for a in self._pool)
        seen = self._measured(channels @ self._misplaced(x))
        until = self._loses[at] * torch.rand(n, device=x.device) * self._crop
        fallen = (self._time < until[:, None])[:, None]
        values = torch.where(fallen, before @ seen, after @ seen)
        known = torch.where(fallen, known_before[:, :, None], known_after[:, :, None])
        return torch.cat([values, known], dim=1), wanted


def _neighbours() -> Tensor:
    """What a misplaced electrode mixes in, to either side, shape (2, 8, 8): neighbour minus itself."""
    sides = torch.zeros(2, 8, 8)
    for side, step in enumerate((-1, 1)):
        sides[side, 0, 1] = sides[side, 1, 0] = 1  # limb leads: the other one, added
        for k in range(2, 8):
            other = k + step if 2 <= k + step < 8 else k - step
            sides[side, k, other], sides[side, k, k] = 1, -1
    return sides


def beats_of(x: Tensor, fs: int) -> Tensor:
    """As `r_amplitudes.beats`: 1 at the steepest instant of each QRS complex, shape (n, time)."""
    slope = F.pad((x[..., 2:] - x[..., :-2]).abs().sum(1, keepdim=True), (1, 1))
    width = max(1, round(0.05 * fs)) // 2 * 2 + 1
    slope = F.avg_pool1d(slope, width, 1, width // 2)
    reach = round(0.25 * fs)
    highest = F.max_pool1d(slope, 2 * reach + 1, 1, reach)
    enough = 0.35 * slope.amax(-1, keepdim=True)
    return ((slope == highest) & (slope > enough))[:, 0].float()
