"""What a run needs besides its source and sinks: models and settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ecg_edge.device.inference.load import Model
from ecg_edge.device.lead_block import Note
from ecg_edge.device.personal_calibration.file_watch import CalibrationWatch


def _no_model() -> Model | None:
    return None


@dataclass(frozen=True)
class Models:
    """The models of a run.

    Attributes
    ----------
    for_leads : callable
        Returns the model for a source's leads, or raises `LeadMismatchError`.
    spare : callable
        Returns the any-lead model for when leads are lost, or None.
    calibration : CalibrationWatch, optional
        Fits the model to a person; the run looks for a new one once a second.
    """

    for_leads: Callable[[tuple[str, ...]], Model]
    spare: Callable[[], Model | None] = _no_model
    calibration: CalibrationWatch | None = None


@dataclass(frozen=True)
class RunSettings:
    """What a run does with the signal.

    Attributes
    ----------
    mains_hz : float or None
        50, 60, or None for no notch.
    leads : tuple of str, optional
        Names for the source's channels in place of the device's.
    places : dict of str to str
        Names that carry a fitted place, by the label of the source's channel.
    seconds : float, optional
        Length of signal in seconds after which the run ends; None: never.
    patient : str
        Identifier, for the recording.
    follow_rate : tuple of str
        Devices whose rate is followed. Where samples arrive at another rate than the nominal one, the run ends so that
        it can begin anew with that rate.
    follow_device : bool
        End the run where another device is there, so that it can begin anew.
    measure : bool
        Measure intervals every ten seconds.
    opening : tuple of str
        Notes of kind ``worker`` at the first sample: why what was before lies in another recording.
    """

    mains_hz: float | None = 50
    leads: tuple[str, ...] | None = None
    seconds: float | None = None
    patient: str = ""
    follow_rate: tuple[str, ...] = ()
    follow_device: bool = False
    places: dict[str, str] = field(default_factory=dict)
    opening: tuple[str, ...] = ()
    measure: bool = False

    def opening_notes(self, remarks: Iterable[str]) -> Iterator[Note]:
        """Yield the notes at the first sample: what the source remarks of itself, and `opening`."""
        for kind, texts in (("source", remarks), ("worker", self.opening)):
            for text in texts:
                yield Note(kind, 0, 0, text)
