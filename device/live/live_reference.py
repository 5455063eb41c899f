"""A twelve-lead reference taken from a device while it runs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_edge.device.lead_algebra import BASIS, twelve_from_basis
from ecg_edge.device.personal_calibration.reference import Reference
from ecg_edge.device.sources.source import Source
from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.errors import CalibrationError
from ecg_edge.firmware_bridge.events import Gap, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.progress import Progress

_POLL_S = 0.2
_PATIENCE = 4
"""Longest time for a reference, in multiples of its length; it starts again after every loss."""


def record_reference(
    source: Source, clock: Clock, seconds: float, channels: tuple[str, ...] | None = None
) -> Reference:
    """Record from a device that measures the eight basis leads or all twelve.

    Parameters
    ----------
    source : Source
        Not yet started; it is stopped when this returns.
    clock : Clock
        Dates the reference, and ends the wait for a quiet stretch.
    seconds : float
        Length, without a lost sample or an electrode off.
    channels : tuple of str, optional
        Names for the source's channels, in order.

    Raises
    ------
    CalibrationError
        The source lacks a lead, ended, or never gave so long a stretch.
    """
    taking = _Taking(seconds, channels)
    source.start()
    try:
        begun = clock.monotonic()
        with Progress("twelve leads", round(seconds)) as progress:
            while not taking.enough:
                for event in source.get(_POLL_S):
                    if isinstance(event, StreamInfo):
                        taking.begin(event)
                    elif isinstance(event, Gap):
                        taking.restart()
                    elif isinstance(event, SampleBlock):
                        taking.add(event)
                progress.to(round(taking.length_s))
                if not taking.enough and (source.ended or clock.monotonic() - begun > _PATIENCE * seconds):
                    raise CalibrationError(
                        f"no {seconds:g} s without a loss or an electrode off; {taking.length_s:.1f} s at the end",
                        "check the electrodes and the cable, lie still, and try again",
                    )
    finally:
        source.stop()
    return taking.reference(f"{taking.device} {clock.now().isoformat(timespec='seconds')}")


class _Taking:
    """Contiguous, valid samples so far."""

    def __init__(self, seconds: float, channels: tuple[str, ...] | None) -> None:
        self._seconds, self._channels = seconds, channels
        self._info: StreamInfo | None = None
        self._columns: list[int] = []
        self._have: tuple[str, ...] = LEADS
        self.restart()

    @property
    def device(self) -> str:
        return self._info.device if self._info else ""

    @property
    def length_s(self) -> float:
        return float(sum(map(len, self._parts)) / self._info.fs) if self._info else 0.0

    @property
    def enough(self) -> bool:
        return self.length_s >= self._seconds

    def restart(self) -> None:
        self._parts: list[npt.NDArray[np.float64]] = []
        self._next: int | None = None

    def begin(self, info: StreamInfo) -> None:
        info = info.renamed(self._channels)
        self._have = LEADS if set(LEADS) <= set(info.leads) else BASIS
        if missing := [lead for lead in self._have if lead not in info.leads]:
            raise CalibrationError(
                f"the source measures {', '.join(info.leads)}; a reference also needs {', '.join(missing)}",
                "use a twelve-lead device, or name its channels with --channels",
            )
        self._info, self._columns = info, [info.leads.index(lead) for lead in self._have]
        self.restart()

    def add(self, block: SampleBlock) -> None:
        if self._info is None:
            return
        if block.index != self._next:
            self.restart()
        if block.lead_off or not block.valid[:, self._columns].all():
            self.restart()
            return
        self._parts.append(block.mv[:, self._columns].astype(np.float64))
        self._next = block.index + len(block)

    def reference(self, name: str) -> Reference:
        assert self._info is not None
        mv = np.concatenate(self._parts)
        return Reference(name, self._info.fs, mv if self._have == LEADS else mv @ twelve_from_basis().T)
