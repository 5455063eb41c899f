"""The compiled loop of scipy.signal.lfilter, without the import of scipy.signal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray

_NAME = "scipy.signal._sigtools"
_Loop = Callable[[FloatArray, FloatArray, FloatArray, int, FloatArray], tuple[FloatArray, FloatArray]]


def filter_section(section: FloatArray, x: FloatArray, state: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Filter samples by one section.

    Parameters
    ----------
    section : ndarray of float64, shape (6,)
        Of a matrix of second-order sections.
    x : ndarray of float64, shape (n_samples, n_leads)
        At least one sample.
    state : ndarray of float64, shape (2, n_leads)
        Left by the samples before.

    Returns
    -------
    y : ndarray of float64, shape (n_samples, n_leads)
        The filtered samples.
    state : ndarray of float64, shape (2, n_leads)
        For the samples after these.
    """
    return _LOOP(section[:3], section[3:], x, 0, state)


def _loop() -> _Loop:
    """Return the loop itself; by way of scipy.signal where scipy keeps it elsewhere or it answers otherwise.

    The package scipy.signal imports optimize, stats and interpolate: nine tenths of the start of a run without it.
    """
    with suppress(Exception):  # another scipy: its public way is below
        loop: _Loop = _extension()._linear_filter
        if _is_right(loop):
            return loop
    from scipy import signal

    return lambda b, a, x, axis, state: signal.lfilter(b, a, x, axis=axis, zi=state)


def _extension() -> ModuleType:
    if _NAME in sys.modules:
        return sys.modules[_NAME]
    found = find_spec("scipy")  # imports nothing
    folder = Path((found.submodule_search_locations or [""])[0] if found else "") / "signal"
    path = next(p for s in EXTENSION_SUFFIXES if (p := folder / f"_sigtools{s}").is_file())
    loader = ExtensionFileLoader(_NAME, str(path))
    spec: Any = spec_from_loader(_NAME, loader)
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def _is_right(loop: _Loop) -> bool:
    """Whether the loop filters two leads as the difference equation says; all numbers are exact."""
    b, a, x = np.array([0.5, 0.25, -1.0]), np.array([1.0, -0.5, 0.25]), np.array([[1.0, 2.0], [4.0, -2.0]])
    y, state = loop(b, a, x, 0, np.array([[0.0, 2.0], [1.0, 0.0]]))
    right = np.array_equal(y, [[0.5, 3.0], [3.5, 1.0]])
    return bool(right and np.array_equal(state, [[1.625, -2.75], [-4.875, 1.75]]))


_LOOP = _loop()
