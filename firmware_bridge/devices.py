"""The devices we can decode: names, rates, default leads, how to open them. Decoders are imported when asked for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from typing import Any

from ecg_edge.firmware_bridge.decoder import Decoder
from ecg_edge.firmware_bridge.errors import UsageError


@dataclass(frozen=True)
class Device:
    """One device as the user names it.

    Attributes
    ----------
    name, title : str
        Name for ``--as`` and what it stands for.
    module, factory : str
        Module of `ecg_edge.firmware_bridge` and callable in it:
        ``factory(leads=None, gain=None, fs=None, **options) -> Decoder``.
    fs : Fraction
        Samples per second of one channel.
    leads : tuple of str
        Default labels of the channels.
    baud : int
        UART speed; 0 for USB CDC (any speed), Bluetooth or TCP.
    dtr : bool
        Whether DTR must be up for the device to send.
    options : dict
        What the factory is told beside leads, gain and rate.
    aliases : tuple of str
        Other names.
    evidence : int
        Bits of each frame that the format fixes: of two decoders that accept the same bytes,
        the one that could have refused more is right.
    boot_s : float
        Seconds of silence or text to expect after opening (opening resets AVR boards).
    """

    name: str
    title: str
    module: str
    factory: str
    fs: Fraction
    leads: tuple[str, ...]
    baud: int = 0
    dtr: bool = True
    options: tuple[tuple[str, Any], ...] = ()
    aliases: tuple[str, ...] = ()
    evidence: int = 0
    boot_s: float = 0.0

    def decoder(
        self, leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None
    ) -> Decoder:
        """Make a decoder.

        Parameters
        ----------
        leads : sequence of str, optional
            Lead of each channel, in channel order; the channels beyond keep their labels.
        gain : float, optional
            Gain in V/V where the stream does not carry it.
        fs : Fraction, optional
            Rate, where the device runs at another than `Device.fs`.

        Raises
        ------
        UsageError
            More leads than channels, or a gain or rate that is not positive.
        """
        if gain is not None and not gain > 0:
            raise UsageError(f"the gain must be positive, not {gain:g}", "--gain in V/V, for example --gain 1000")
        make = getattr(import_module(f"ecg_edge.firmware_bridge.{self.module}"), self.factory)
        decoder: Decoder = make(leads=leads, gain=gain, fs=fs, **dict(self.options))
        return decoder


DEVICES: tuple[Device, ...] = (
    Device(
        "ads1292r",
        "ProtoCentral ADS1292R shield or breakout",
        "openview",
        "ads1292r",
        Fraction(125),
        ("II", "resp", "resp_rate", "heart_rate"),
        57600,
        aliases=("protocentral-ads1292r",),
        evidence=64,
        boot_s=2,
    ),
    Device(
        "ads1293",
        "ProtoCentral ADS1293 breakout or shield",
        "openview",
        "ads1293",
        Fraction(100),
        ("I", "II", "V1"),
        57600,
        aliases=("protocentral-ads1293",),
        evidence=80,
        boot_s=2,
    ),
    Device(
        "max30003",
        "ProtoCentral MAX30003 breakout",
        "openview",
        "max30003",
        Fraction(128),
        ("I", "RR_ms", "heart_rate"),
        57600,
        aliases=("protocentral-max30003",),
        evidence=102,
        boot_s=2,
    ),
)


def find_device(name: str) -> Device:
    """Return the device of that name or alias; case, ``_`` and ``-`` do not matter.

    Raises
    ------
    UsageError
        There is none; the nearest names are offered.
    """
    key = name.strip().lower().replace("_", "-")
    known = {label: device for device in DEVICES for label in (device.name, *device.aliases)}
    if key in known:
        return known[key]
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.5) or sorted(d.name for d in DEVICES)
    raise UsageError(f"unknown device {name!r}", f"--as one of: {', '.join(near)}, or --as auto")
