"""The loop taken from inside scipy.signal, and what happens where it is not there."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import signal

from ecg_edge.device.conditioning import section_filter as module
from ecg_edge.device.conditioning.section_design import notch

_RNG = np.random.default_rng(0)
_X, _STATE = _RNG.normal(size=(200, 3)), _RNG.normal(size=(2, 3))
_SECTION = notch(50.0, 30.0, 250.0)[0]


def _same_as_lfilter(loop):
    got = loop(_SECTION[:3], _SECTION[3:], _X, 0, _STATE)
    want = signal.lfilter(_SECTION[:3], _SECTION[3:], _X, axis=0, zi=_STATE)
    return all(np.array_equal(a, b) for a, b in zip(got, want, strict=True))


def test_a_section_gives_the_bytes_of_lfilter():
    assert _same_as_lfilter(module._LOOP)


@pytest.mark.parametrize(
    "broken",
    [
        lambda: (_ for _ in ()).throw(ImportError("no such file")),
        lambda: object(),
        lambda: type("Module", (), {"_linear_filter": staticmethod(lambda b, a, x, axis, zi: (x, zi))}),
        lambda: type("Module", (), {"_linear_filter": staticmethod(lambda b, a: b)}),
    ],
    ids=["not there", "renamed", "answers otherwise", "other arguments"],
)
def test_another_scipy_is_used_by_its_public_way(monkeypatch, broken):
    monkeypatch.setattr(module, "_extension", broken)
    loop = module._loop()
    assert loop is not module._LOOP
    assert _same_as_lfilter(loop)


def test_scipy_signal_works_after_its_loop_was_taken_and_is_not_loaded_by_it():
    code = (
        "import sys; from ecg_edge.device.conditioning import section_filter as f\n"
        "assert 'scipy.signal' not in sys.modules, 'loaded'\n"
        "from scipy import signal; import numpy as np\n"
        "assert np.allclose(signal.convolve2d(np.eye(2), np.eye(2)), np.diag([1, 2, 1]) * 1.0)\n"
        "assert len(signal.lfilter([1.0], [1.0, -0.5], np.ones(4))) == 4\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
