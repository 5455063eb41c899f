"""The causal conditioner: the one chain that training and the device share.

Mains notch at the native rate, resampling to the model rate, second-order Butterworth high-pass. Every filter starts as
if its first sample had been there for ever.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.device.conditioning.resampler import Resampler
from ecg_edge.device.conditioning.section_design import highpass, notch, settled
from ecg_edge.device.conditioning.section_filter import filter_section
from ecg_edge.device.conditioning.spec import ConditioningSpec


class StreamingSos:
    """Second-order sections with state, seeded with the first sample.

    Parameters
    ----------
    sos : ndarray of shape (n_sections, 6)
        As scipy.signal designs them.
    """

    def __init__(self, sos: npt.NDArray[np.float64]) -> None:
        self._sos = sos
        self._zi = settled(sos)
        self._state: npt.NDArray[np.float64] | None = None

    def reset(self) -> None:
        """Forget everything: the next sample seeds the state."""
        self._state = None

    def reseed(self, columns: npt.NDArray[np.bool_], first: npt.NDArray[np.float64]) -> None:
        """Restart some leads as if they had held the value `first`, shape (n_leads,), for ever."""
        if self._state is not None:
            self._state[:, :, columns] = self._zi[:, :, None] * first[columns]

    def feed(self, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Filter the next samples, shape (n_samples, n_leads)."""
        if not len(x):
            return x
        if self._state is None:
            self._state = self._zi[:, :, None] * x[0][None, None, :]
        for k, section in enumerate(self._sos):  # the sums of `sosfilt`, to rounding, at a seventh of its fixed cost
            x, self._state[k] = filter_section(section, x, self._state[k])
        return x


class Conditioner:
    """The whole chain for one stream.

    Parameters
    ----------
    fs_in, fs_out : Fraction or int
        Native rate and model rate in Hz.
    n_leads : int
        Number of leads.
    spec : ConditioningSpec
        From the model file.
    mains_hz : float or None
        50, 60, or None for no notch. Skipped where the native rate does not reach it.

    Attributes
    ----------
    delay : float
        Group delay of the resampler in seconds. The notch and the high-pass are minimum-phase
        filters whose delay in the ECG's band is not a constant and is not counted.
    """

    def __init__(
        self,
        fs_in: Fraction | int,
        fs_out: Fraction | int,
        n_leads: int,
        spec: ConditioningSpec,
        mains_hz: float | None = None,
    ) -> None:
        self.fs_in, self.fs_out = Fraction(fs_in), Fraction(fs_out)
        self._notch: StreamingSos | None = None
        if mains_hz and mains_hz < 0.45 * float(self.fs_in):
            self._notch = StreamingSos(notch(mains_hz, spec.notch_q, float(self.fs_in)))
        self._resampler = Resampler(self.fs_in, self.fs_out, n_leads)
        self._highpass = StreamingSos(highpass_sos(spec, float(self.fs_out)))
        self.delay = self._resampler.delay

    def reset(self, start: int = 0) -> None:
        """Forget everything (after a gap); `start` is the index of the next input sample."""
        if self._notch is not None:
            self._notch.reset()
        self._resampler.reset(start)
        self._highpass.reset()

    @property
    def next_output(self) -> int:
        """Index on the model-rate grid of the next sample `feed` will return."""
        return self._resampler.next_output

    def missing(self, rows: int) -> int:
        """Count of further input samples that complete the next `rows` outputs (at least one)."""
        return self._resampler.missing(rows)

    def reseed(self, columns: npt.NDArray[np.bool_], first: npt.NDArray[np.float64]) -> None:
        """Restart single leads (after an electrode came back).

        Parameters
        ----------
        columns : ndarray of bool, shape (n_leads,)
            Which.
        first : ndarray of float64, shape (n_leads,)
            The value in mV they are taken to have held for ever: their next sample.
        """
        for stage in (self._notch, self._resampler, self._highpass):
            if stage is not None:
                stage.reseed(columns, first)

    def feed(self, x: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Condition the next samples.

        Parameters
        ----------
        x : ndarray of shape (n_samples, n_leads)
            In mV, finite.

        Returns
        -------
        ndarray of float32, shape (m_samples, n_leads)
            In mV at the model rate; the same bytes however the input is cut.
        """
        y = np.asarray(x, dtype=np.float64)
        if self._notch is not None:
            y = self._notch.feed(y)
        return self._highpass.feed(self._resampler.feed(y)).astype(np.float32)


def highpass_sos(spec: ConditioningSpec, fs: float) -> npt.NDArray[np.float64]:
    """Butterworth high-pass of the spec at rate `fs`, as second-order sections."""
    return highpass(spec.highpass_order, spec.highpass_hz, fs)
