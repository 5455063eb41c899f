"""Second-order sections by the bilinear transform, designed without scipy.signal, whose import is most of a start.

Every product and sum is taken in the order of scipy.signal, so the numbers are its own to the last bit. What is not
one section with a pair of complex poles is left to scipy.signal.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.array_types import FloatArray

_Roots = npt.NDArray[np.complex128]

_PLANE = 4.0
"""Twice the rate of the digital filter in the bilinear transform, which scipy.signal takes as 2."""


def notch(hz: float, q: float, fs: float) -> FloatArray:
    """Return a notch at `hz` with quality `q`, shape (1, 6).

    Orfanidis, Introduction to Signal Processing (1996), equations 11.3.4 to 11.3.21.
    """
    w = 2 * hz / fs
    width, w = w / q * math.pi, w * math.pi
    gain = 1 / (1 + math.tan(width / 2))
    b = gain * np.array([1.0, -2 * math.cos(w), 1.0])
    a = np.array([1.0, -2 * gain * math.cos(w), 2 * gain - 1])
    zeros, poles = (np.roots(c).astype(np.complex128) for c in (b / b[0], a))
    if not (_is_pair(zeros) and _is_pair(poles)):
        from scipy import signal

        return np.asarray(signal.tf2sos(*signal.iirnotch(hz, q, fs=fs)), np.float64)
    return _section(_paired(zeros), _paired(poles), b[0])


def highpass(order: int, hz: float, fs: float) -> FloatArray:
    """Return a Butterworth high-pass with its corner at `hz`, shape (n_sections, 6)."""
    if order != 2 or not 0 < hz < fs / 2:
        from scipy import signal

        return np.asarray(signal.butter(order, hz, "highpass", fs=fs, output="sos"), np.float64)
    prototype = _prototype(order)
    poles = float(_warped(hz, fs)) / prototype
    gain = np.real(1.0 / np.prod(-prototype)) * np.real(_PLANE**order / np.prod(_PLANE - poles))
    return _section(np.ones(order), _paired(_bilinear(poles)), gain)


def bandpass(low: float, high: float, fs: float) -> FloatArray:
    """Return a Butterworth band-pass of order 1, shape (1, 6)."""
    edges = _warped(np.array([low, high]), fs)
    width, centre = float(edges[1] - edges[0]), float(np.sqrt(edges[0] * edges[1]))
    half = (_prototype(1) * width / 2).astype(np.complex128)
    apart = np.sqrt(half**2 - centre**2)
    poles = np.concatenate([half + apart, half - apart])
    if not _is_pair(poles):
        from scipy import signal

        return np.asarray(signal.butter(1, (low, high), "bandpass", fs=fs, output="sos"), np.float64)
    gain = width * np.real(_PLANE / np.prod(_PLANE - poles))
    return _section(np.array([-1.0, 1.0]), _paired(_bilinear(poles)), gain)


def settled(sos: FloatArray) -> FloatArray:
    """Return the state of sections that have been at 1 for ever, shape (n_sections, 2)."""
    scale, states = 1.0, []
    for section in sos:
        b, a = section[:3], section[3:]
        states.append(scale * np.linalg.solve(np.array([[1 + a[1], -1.0], [a[2], 1.0]]), b[1:] - a[1:] * b[0]))
        scale *= b.sum() / a.sum()
    return np.array(states)


def _prototype(order: int) -> _Roots:
    """Poles of the analogue low-pass with its corner at 1."""
    return np.asarray(-np.exp(1j * np.pi * np.arange(1 - order, order, 2) / (2 * order)))


def _warped(hz: FloatArray | float, fs: float) -> FloatArray:
    """Return the analogue frequencies that the bilinear transform moves to `hz`."""
    return np.asarray(_PLANE * np.tan(np.pi * (hz / (fs / 2)) / 2))


def _bilinear(analogue: _Roots) -> _Roots:
    return np.asarray((_PLANE + analogue) / (_PLANE - analogue))


def _is_pair(roots: _Roots) -> bool:
    """Whether these are two roots, one above and one below the real axis."""
    return bool(len(roots) == 2 and (np.sort(np.sign(roots.imag)) == [-1, 1]).all())


def _paired(roots: _Roots) -> _Roots:
    """Return the pair with the rounding of its halves averaged out."""
    above, below = roots[roots.imag > 0], roots[roots.imag < 0]
    one = (above + below.conj()) / 2
    return np.concatenate([one, one.conj()])


def _section(zeros: FloatArray | _Roots, poles: _Roots, gain: float) -> FloatArray:
    return np.concatenate([np.poly(zeros) * gain, np.poly(poles)])[None]
