"""A wearable's noise, made on the device a network trains on: the twin of `wearable_noise`."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

_MIN_MV = 0.001
_HIGHPASS_HZ = 0.5
_MAINS_HZ = ((47.0, 49.5), (50.0, 50.0), (60.0, 60.0))
Noise = Callable[[Tensor, int], Tensor]


def levels(like: Tensor, top_mv: float) -> Tensor:
    """RMS per record in mV, log-uniform between 1 µV and `top_mv`; shape (n, 1, 1)."""
    low, high = math.log(_MIN_MV), math.log(max(top_mv, _MIN_MV))
    return torch.exp(low + (high - low) * _uniform(like, 1, 1))


def coloured(like: Tensor, fs: int, most: float) -> Tensor:
    """Noise whose amplitude falls with frequency as ``f ** -a``, a drawn between 0 and `most` per record."""
    f = _frequencies(like.shape[-1], fs, like.device).clamp(min=0.3)
    return _shaped(like, f ** -(most * _uniform(like, 1, 1)))


def wander(like: Tensor, fs: int) -> Tensor:
    """Baseline wander behind the high-pass."""
    f = _frequencies(like.shape[-1], fs, like.device)
    centre = 0.15 + 0.45 * _uniform(like, like.shape[1], 1)
    weight = torch.exp(-0.5 * (f - centre) ** 2 / 0.1**2) * f**2 / torch.sqrt(f**4 + _HIGHPASS_HZ**4)
    return _shaped(like, weight)


def mains(like: Tensor, fs: int) -> Tensor:
    """Mains that the notch left: one tone, the same phase in all channels."""
    bands = [b for b in _MAINS_HZ if b[1] <= 0.495 * fs]
    which = (_uniform(like, 1, 1) * len(bands)).floor()
    low, high = (sum((which == k).float() * band[end] for k, band in enumerate(bands)) for end in (0, 1))
    hz, phase = low + (high - low) * _uniform(like, 1, 1), 2 * math.pi * _uniform(like, 1, 1)
    t = torch.arange(like.shape[-1], device=like.device) / fs
    return _unit(torch.sin(2 * math.pi * hz * t + phase) * (0.3 + 0.7 * _uniform(like, like.shape[1], 1)))


def muscle(like: Tensor, fs: int) -> Tensor:
    """Muscle: 10 Hz and up, in bursts."""
    f = _frequencies(like.shape[-1], fs, like.device)
    carrier = _shaped(like, 1 / (1 + (10 / f.clamp(min=0.1)) ** 4))
    width = 0.1 + 0.5 * _uniform(like, like.shape[1], 1)
    return _unit(carrier * torch.exp(_shaped(like, torch.exp(-0.5 * (f / width) ** 2))))


def motion(like: Tensor, fs: int) -> Tensor:
    """Electrode motion: sudden shifts that decay within a second."""
    _, k, samples = like.shape
    t = torch.arange(samples, device=like.device) / fs
    hit = (torch.rand_like(like) < 0.5 / fs).float()
    hit = torch.cat([hit[..., :1] + 0.01, hit[..., 1:]], dim=-1)  # never nothing at all
    rise, decay = 0.01 + 0.05 * _uniform(like, k, 1), 0.1 + 0.6 * _uniform(like, k, 1)
    pulse = torch.exp(-t / decay) - torch.exp(-t / rise)
    f = _frequencies(2 * samples, fs, like.device)
    kicks = torch.fft.rfft(hit * torch.randn_like(like), n=2 * samples) * torch.fft.rfft(pulse, n=2 * samples)
    return _unit(torch.fft.irfft(kicks * (f**2 / torch.sqrt(f**4 + _HIGHPASS_HZ**4)), n=2 * samples)[..., :samples])


KINDS: dict[str, Noise] = {"wander": wander, "mains": mains, "muscle": muscle, "motion": motion}


def _uniform(like: Tensor, *shape: int) -> Tensor:
    return torch.rand(len(like), *shape, device=like.device)


def _frequencies(samples: int, fs: int, device: torch.device) -> Tensor:
    f: Tensor = torch.fft.rfftfreq(samples, 1 / fs, device=device)
    return f


def _shaped(like: Tensor, weight: Tensor) -> Tensor:
    """Gaussian noise with the given magnitude over frequency, drawn there."""
    bins = like.shape[-1] // 2 + 1
    spectrum = torch.complex(*torch.randn(2, *like.shape[:-1], bins, device=like.device))
    return _unit(torch.fft.irfft(spectrum * weight, n=like.shape[-1]))


def _unit(x: Tensor) -> Tensor:
    """Scaled to an RMS of 1 along time."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True).clamp(min=1e-24))
