"""The devices that `simulate --as` can be; their encoders are imported when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from typing import TYPE_CHECKING

from ecg_edge.firmware_bridge.decoders.catalogue import DEVICES, Device, plugin_devices
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.near_names import near_names

if TYPE_CHECKING:
    from ecg_edge.firmware_bridge.emulators.emulator import Emulator
    from ecg_edge.firmware_bridge.events import StreamInfo

_BY_FACTORY = {
    "ad8232": ("emulators.sketches", "Ad8232"),
    "ads1292r": ("emulators.openview", "Ads1292r"),
    "ads1293": ("emulators.openview", "Ads1293"),
    "bitalino": ("emulators.bitalino", "Bitalino"),
    "chords": ("emulators.chords", "Chords"),
    "heartypatch": ("emulators.healthypi", "HeartyPatch"),
    "healthypi34": ("emulators.healthypi", "HealthyPi34"),
    "healthypi5": ("emulators.healthypi", "HealthyPi5"),
    "healthypi5_ov3": ("emulators.healthypi", "HealthyPi5Blocks"),
    "healthypi6": ("emulators.healthypi", "HealthyPi6"),
    "cyton": ("emulators.cyton", "Cyton"),
    "max30003": ("emulators.openview", "Max30003"),
    "olimex": ("emulators.sketches", "Olimex"),
    "plotter": ("emulators.sketches", "Plotter"),
    "spikerbox": ("emulators.spikerbox", "SpikerBox"),
    "ti_evm": ("emulators.ti_ads1x9x", "TiEvm"),
    "shimmer3": ("emulators.shimmer", "Shimmer3"),
}
"""Decoder factory of a device: module and class of its emulator."""


@dataclass(frozen=True)
class Emulated:
    """A device to be."""

    device: Device

    def info(self, leads: Sequence[str] | None = None, fs: Fraction | None = None) -> StreamInfo:
        """Return what a decoder will announce.

        Parameters
        ----------
        leads : sequence of str, optional
            Lead of each channel, in channel order.
        fs : Fraction, optional
            Rate in Hz.

        Raises
        ------
        UsageError
            The device has fewer channels, or not that rate.
        """
        info: StreamInfo = self._emulator().described(self.device, leads, fs)
        return info

    def voice(self, info: StreamInfo, source: StreamInfo) -> Emulator:
        """Return the voice of the device described by `info`, which measures `source`."""
        voice: Emulator = self._emulator()(info, source)
        return voice

    def _emulator(self) -> type[Emulator]:
        if self.device.emulator:
            module, name = self.device.emulator
        else:
            module, name = _BY_FACTORY[self.device.factory]
            module = f"ecg_edge.firmware_bridge.{module}"
        kind: type[Emulator] = getattr(import_module(module), name)
        return kind


def find_emulated(name: str) -> Emulated:
    """Return the device of that name or alias; case, ``_`` and ``-`` do not matter.

    Raises
    ------
    UsageError
        There is none that can be emulated; the nearest names are offered.
    """
    key = name.strip().lower().replace("_", "-")
    ours = [d for d in DEVICES if d.factory in _BY_FACTORY]
    foreign = [d for d in plugin_devices().good.values() if d.emulator]
    known = {label: d for d in (*ours, *foreign) for label in (d.name, *d.aliases)}
    if key in known:
        return Emulated(known[key])
    near = near_names(key, known, sorted(d.name for d in known.values()))
    raise UsageError(f"cannot be a device {name!r}", f"simulate --as one of: {', '.join(dict.fromkeys(near))}")
