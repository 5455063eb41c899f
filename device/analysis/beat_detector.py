"""A small causal QRS detector: beats a fraction of a second after they happened, and the heart rate.

Two running levels and a threshold between them, and searching back, after Pan and Tompkins (IEEE Trans. Biomed. Eng.
32:230, 1985); see `beat_candidates` for what is judged here. A candidate as sharp as the beats before needs less height
than a blunt one. A blunt one soon after a beat is its T wave.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from ecg_edge.device.analysis.beat_candidates import Candidate, CandidateFinder, alike, same_wave
from ecg_edge.device.analysis.heart_rate import HeartRate

_T_WAVE_S = 0.4
_BLUNT = 0.5
"""Bend of a T wave, as a share of its QRS complex's, at most."""
_LEARN_S = 2.0
_FORGET_S = 2.5
_SEARCH_BACK = 1.66
_USUAL_S = 1.5
_SHARE = 0.5
_ABOVE_NOISE = 1.4
_ABOVE_CALM = 1.6
_FORGOTTEN_ABOVE_CALM = 3.0
_RECENT = 6
_STEP_LIKE = 0.75
_FAMILIAR, _SAME_WAVE = 0.85, 0.9
_SMALL = 0.45
_FAMILIAR_SHARE = 0.2
_OTHER_SIZE, _AT_ONCE = 4.0, 16.0
_QUIET = 0.3
_SAME = 0.85


class BeatDetector:
    """Finds R peaks in one lead.

    The beats are the same however the samples are cut into blocks. A beat is reported
    ``delay`` samples after it at most, unless it is found by searching back.

    Parameters
    ----------
    fs : int
        Rate in Hz, at least 50.

    Attributes
    ----------
    delay : int
        Samples between an R peak and the sample whose arrival reports it, at most.
    """

    def __init__(self, fs: int) -> None:
        self._fs = fs
        self._finder = CandidateFinder(fs)
        self._rate = HeartRate(fs)
        self.delay = self._finder.delay
        self.reset(0)

    def reset(self, index: int) -> None:
        """Forget everything; the next sample has the given index."""
        self._finder.reset(index)
        self._rate.reset()
        self._learnt_at = index + round(_LEARN_S * self._fs)
        self._waiting: list[Candidate] = []
        self._missed: list[Candidate] = []
        self._signal = self._noise = 0.0
        self._recent: deque[Candidate] = deque(maxlen=_RECENT)
        self._beat: Candidate | None = None

    def feed(self, mv: npt.NDArray[np.floating], valid: npt.NDArray[np.bool_]) -> list[int]:
        """Take samples of one lead; return the indices of the R peaks they reveal, in order.

        Parameters
        ----------
        mv : ndarray of shape (n_samples,)
            Conditioned, in mV, finite.
        valid : ndarray of bool, same shape
            After more than 0.2 s of invalid samples, beats of the next half second are not reported,
            and no interval is taken across.
        """
        found = self._finder.feed(np.asarray(mv, np.float64), np.asarray(valid, np.bool_))
        return [beat.peak for c in found if not self._is_step(c) for beat in self._learn(c)]

    def heart_rate(self) -> float | None:
        """Beats per minute, over the last eight intervals; None where it cannot be stated (see `HeartRate`)."""
        return self._rate.per_minute(self._finder.next)

    @property
    def alternates(self) -> bool:
        """Whether a wave that may be a beat recurs between the beats found: their rate is not known."""
        return self._rate.alternates

    @property
    def waves(self) -> list[int]:
        """Samples of the last waves between beats that were not taken for beats, and may be some."""
        return self._rate.waves

    @property
    def pause_s(self) -> float | None:
        """Seconds since the last beat of a rhythm that has stopped; None while it goes on, or samples are missing."""
        pause = self._rate.pause(self._finder.next)
        return None if pause is None or self._finder.lost_since(pause) else pause

    def _learn(self, c: Candidate) -> list[Candidate]:
        """Hold the first candidates back until the levels are known from them."""
        if c.at < self._learnt_at:
            self._waiting.append(c)
            return []
        waiting, self._waiting = [*self._waiting, c], []
        if len(waiting) > 1:
            tallest = max(waiting, key=lambda w: w.height)
            self._signal = 0.84 * tallest.height
        return [beat for w in waiting for beat in self._judge(w)]

    def _judge(self, c: Candidate) -> list[Candidate]:
        """Beats this candidate is or reveals."""
        beats = self._search_back(c)
        if self._is_t_wave(c):
            return beats
        if c.height < max(self._threshold(c), _ABOVE_CALM * c.calm):
            self._missed.append(c)
            return beats
        self._accept(c)
        return [*beats, c]

    def _is_t_wave(self, c: Candidate) -> bool:
        beat = self._beat
        soon = beat is not None and c.at - beat.at < _T_WAVE_S * self._fs
        return beat is not None and soon and c.bend < _BLUNT * beat.bend

    def _is_step(self, c: Candidate) -> bool:
        return c.step and self._like_beats(c) < _STEP_LIKE

    def _like_beats(self, c: Candidate) -> float:
        """Correlation with the most similar of the last beats; -1 where there are none."""
        return max((alike(c, b) for b in self._recent), default=-1.0)

    def _threshold(self, c: Candidate) -> float:
        strange = self._noise + _SHARE * (self._signal - self._noise)
        if not self._is_familiar(c):
            return strange
        return min(
            strange, max(_ABOVE_NOISE * self._noise, self._noise + _FAMILIAR_SHARE * (self._signal - self._noise))
        )

    def _is_familiar(self, c: Candidate) -> bool:
        """Whether it has the shape of the last beats; a small one needs their T wave as well, or it may be a P wave."""
        if self._like_beats(c) < _FAMILIAR:
            return False
        return c.height > _SMALL * self._signal or max(same_wave(c, b) for b in self._recent) > _SAME_WAVE

    def _search_back(self, c: Candidate) -> list[Candidate]:
        """Take the best of the candidates passed over, if a beat is overdue."""
        if not self._missed or self._beat is None:
            return []
        waited = c.at - self._beat.at
        usual = self._rate.usual or _USUAL_S * self._fs
        best = max(self._missed, key=lambda m: m.height)
        forgotten = waited > _FORGET_S * self._fs and self._repeated(best)
        least = max(0.5 * self._noise + 0.25 * self._signal, _ABOVE_CALM * best.calm)
        if waited < _SEARCH_BACK * usual or (best.height < least and not forgotten):
            return []
        if forgotten:  # the waves have become smaller, after a lead was moved: begin at their size
            self._signal, self._noise = best.height, 0.0
            self._recent.clear()
        self._accept(best)
        return [best]

    def _repeated(self, c: Candidate) -> bool:
        """Whether it stands out, and another of those passed over looks like it."""
        if c.height < _FORGOTTEN_ABOVE_CALM * c.calm:
            return False
        return any(m is not c and m.height > 0.5 * c.height and alike(m, c) > _SAME for m in self._missed)

    def _accept(self, c: Candidate) -> None:
        if c.height > _OTHER_SIZE * self._signal:  # what was found before were no beats, or the lead was moved
            self._signal = 0.5 * min(c.height, _AT_ONCE * self._signal or c.height)
            self._rate.reset()
        else:
            self._signal += 0.125 * (min(c.height, 2 * self._signal) - self._signal)
        self._recent.append(c)
        if self._beat is not None:
            self._rate.passed_over(self._beat, c, [m for m in self._missed if m is not c])
        self._rate.add(c, c.height / (self._noise + _QUIET))
        for m in self._missed:
            if m is not c:
                self._noise += 0.25 * (m.height - self._noise)
        self._beat, self._missed = c, []
