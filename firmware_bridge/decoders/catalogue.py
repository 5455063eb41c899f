"""The devices we can decode: names, rates, default leads, how to open them. Decoders are imported when asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from math import inf
from numbers import Real
from typing import Any

from ecg_edge.firmware_bridge.decoder import Decoder, is_decoder
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.near_names import near_names
from ecg_edge.firmware_bridge.plugins import Plugins, find_plugins


@dataclass(frozen=True)
class Device:
    """One device as the user names it.

    Attributes
    ----------
    name, title : str
        Name for ``--as`` and what it stands for.
    module, factory : str
        Module of `ecg_edge.firmware_bridge.decoders`, or the full name of another package's, and callable in it:
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
    live : tuple of str or None
        Module and factory of another decoder for runs.
    emulator : tuple of str or None
        Full name of a module of another package, and `Emulator` class in it, for ``simulate --as``.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> device = ee.find_device("cyton")
    >>> device.title.split(',')[0], float(device.fs)
    ('OpenBCI Cyton', 250.0)
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
    live: tuple[str, str] | None = None
    emulator: tuple[str, str] | None = None

    def decoder(
        self,
        leads: Sequence[str] | None = None,
        gain: float | None = None,
        fs: Fraction | float | None = None,
        live: bool = False,
    ) -> Decoder:
        """Make a decoder.

        Parameters
        ----------
        leads : sequence of str, optional
            Lead of each channel, in channel order; the channels beyond keep their labels.
        gain : float, optional
            Gain in V/V where the stream does not carry it.
        fs : Fraction or float, optional
            Rate, where the device runs at another than `Device.fs`.
        live : bool
            For a run: rows at an even rate, also where the device's own are not.

        Raises
        ------
        UsageError
            More leads than channels, or a gain or rate that is not positive.
        """
        if not _positive(gain):
            raise UsageError(f"the gain must be positive, not {gain!r}", "give it in V/V: gain=1000 (--gain 1000)")
        if not _positive(fs):
            raise UsageError(f"fs={fs!r} is no rate", "give the samples per second of one lead: fs=Fraction(250)")
        if leads is not None and (isinstance(leads, bytes) or not isinstance(leads, Sequence)):
            raise UsageError(f"leads={leads!r} names no leads", "name each channel, in order: leads=('I', 'II')")
        if not isinstance(live, bool):
            raise UsageError(f"live={live!r} is no flag", "pass live=True or live=False")
        module, factory = self.live if live and self.live else (self.module, self.factory)
        make = getattr(import_module(_full_name(module)), factory)
        decoder: Decoder = make(leads=leads, gain=gain, fs=None if fs is None else Fraction(fs), **dict(self.options))
        return decoder


def _full_name(module: str) -> str:
    """Name to import: what is none of our decoders is a module of another package."""
    if "." in module:
        return module
    ours = f"ecg_edge.firmware_bridge.{'ecglink.decoder' if module == 'ecglink' else f'decoders.{module}'}"
    return ours if ours in sys.modules or find_spec(ours) else module


def _chords(
    name: str, title: str, inputs: int, bits: int, rate: int, vref_mv: int, aliases: tuple[str, ...] = ()
) -> Device:
    options = (("name", name), ("inputs", inputs), ("bits", bits), ("vref_mv", vref_mv), ("rate", rate))
    labels = ("I", "II", *(f"ch{k}" for k in range(3, inputs + 1)))
    evidence = 24 + inputs * (16 - bits)
    baud = 115200 if bits == 10 and inputs != 6 else 230400
    title = f"Chords firmware on {title}"
    return Device(
        name,
        title,
        "chords",
        "chords",
        Fraction(rate),
        labels,
        baud,
        True,
        options,
        aliases,
        evidence,
        boot_s=2,
    )


_HP34 = ("II", "resp")
_SIX = ("I", "II", "ch3", "ch4", "ch5", "ch6")
_CYTON = ("I", "II", "V1", "ch4", "ch5", "ch6", "ch7", "ch8")
_R1292 = ("II", "resp", "resp_rate", "heart_rate")
_R30003 = ("I", "RR_ms", "heart_rate")
_HP6 = ("I", "II", "V1", "resp", "lead_off")


def _bitalino(channels: int) -> Device:
    leads = ("I", "II", "A3", "A4", "A5", "A6")[:channels]
    return Device(
        f"bitalino-{channels}",
        f"BITalino (r)evolution, {channels} channel(s)",
        "bitalino",
        "bitalino",
        Fraction(1000),
        leads,
        115200,
        options=(("channels", channels),),
        evidence=8,
    )


def _spikerbox(name: str, title: str, channels: int, bits: int, aliases: tuple[str, ...] = ()) -> Device:
    return Device(
        name,
        f"Backyard Brains SpikerBox, {title}",
        "spikerbox",
        "spikerbox",
        Fraction(2_000_000, 199 * channels),
        ("I", *(f"ch{k}" for k in range(2, channels + 1))),
        230400,
        options=(("channels", channels), ("bits", bits), ("name", name)),
        aliases=aliases,
        evidence=channels * (2 + 14 - bits),
        boot_s=2,
    )


_F = Fraction

# fmt: off
DEVICES: tuple[Device, ...] = (
    Device("ads1292r", "ProtoCentral ADS1292R shield or breakout", "openview", "ads1292r", _F(125), _R1292, 57600,
           aliases=("protocentral-ads1292r",), evidence=64, boot_s=2),
    Device("ads1293", "ProtoCentral ADS1293 breakout or shield", "openview", "ads1293", _F(100), ("I", "II", "V1"),
           57600, aliases=("protocentral-ads1293",), evidence=80, boot_s=2),
    Device("max30003", "ProtoCentral MAX30003 breakout", "openview", "max30003", _F(128), _R30003, 57600,
           aliases=("protocentral-max30003",), evidence=102, boot_s=2),
    Device("healthypi3", "HealthyPi v3", "healthypi", "healthypi34", _F(125), _HP34, 57600,
           options=(("version", 3),), aliases=("healthypi-v3",), evidence=70),
    Device("healthypi4", "HealthyPi v4 in V3 mode", "healthypi", "healthypi34", _F(125), _HP34, 115200,
           options=(("version", 4),), aliases=("healthypi-v4",), evidence=75),
    Device("healthypi5", "HealthyPi 5, firmware 2", "healthypi", "healthypi5", _F(128), ("II", "bioz"),
           aliases=("healthypi5-openview",), evidence=70),
    Device("healthypi5-ov3", "HealthyPi 5, firmware 1", "healthypi", "healthypi5_ov3", _F(128), ("II",), evidence=160),
    Device("healthypi6", "HealthyPi 6", "healthypi6", "healthypi6", _F(500), _HP6,
           aliases=("healthypi6-dblk",), evidence=128),
    Device("heartypatch", "HeartyPatch (TCP port 4567)", "healthypi", "heartypatch", _F(128), ("I",), evidence=56),
    Device("cyton", "OpenBCI Cyton, by its dongle or its own UART", "cyton", "cyton", _F(250), _CYTON, 115200,
           aliases=("openbci-cyton", "openbci-cyton-plain", "openbci-cyton-dongle"), evidence=20),
    Device("olimex", "Olimex SHIELD-EKG-EMG, official demo", "olimex", "olimex", _F(250), _SIX, 57600,
           aliases=("olimex-demo", "olimex-ekg-emg"), evidence=76, boot_s=2),
    Device("olimex-logston", "Olimex SHIELD-EKG-EMG, logston sketch", "olimex", "olimex", _F(125), _SIX, 115200,
           options=(("name", "olimex-logston"), ("rate", 125)), evidence=76, boot_s=2),
    Device("ti-ads1x9x", "TI ADS1x9x ECG front-end board", "ti_ads1x9x", "ti_evm", _F(500), ("I", "II"),
           aliases=("ads1x9x-evm", "ti-evm"), evidence=35),
    _chords("chords-uno-r3", "Arduino UNO R3", 6, 10, 250, 5000, ("chords", "chords-uno")),
    _chords("chords-uno-r4", "Arduino UNO R4", 6, 14, 500, 5000),
    _chords("chords-giga", "Arduino GIGA R1", 6, 16, 500, 3300, ("chords-giga-r1",)),
    _chords("chords-nano", "Arduino Nano", 8, 10, 250, 5000),
    _chords("chords-mega", "Arduino MEGA 2560", 16, 10, 250, 5000),
    _chords("chords-pico", "Raspberry Pi Pico", 3, 12, 500, 3300, ("chords-rpi-pico",)),
    _chords("chords-npg-lite", "Neuro PlayGround Lite, 3 channels", 3, 12, 500, 2500, ("chords-npg-lite-3",)),
    _chords("chords-npg-lite-6", "Neuro PlayGround Lite, 6 channels", 6, 12, 500, 2500),
    _chords("chords-stm32f4", "STM32F4 Black Pill", 8, 12, 500, 3300),
    _chords("chords-stm32g4", "STM32G4 core board or ESP32-S3", 16, 12, 500, 3300, ("chords-esp32-s3",)),
    # one bit more than those of known width: they fit the same frames, this one also finds the width
    Device("bitalino", "BITalino (r)evolution", "bitalino", "bitalino", _F(1000), ("I", "II"), 115200,
           aliases=("bitalino-revolution",), evidence=9),
    *(_bitalino(n) for n in range(1, 7)),
    Device("shimmer3", "Shimmer3 ECG (LogAndStream)", "shimmer", "shimmer3", _F(512),
           ("II", "I", "resp", "V1", "lead_off_1", "lead_off_2", "fresh"), 115200,
           aliases=("shimmer", "shimmer3-ecg"), evidence=36),
    _spikerbox("spikerbox", "Heart & Brain", 1, 10, ("spikerbox-heart-brain", "heart-and-brain-spikerbox")),
    *(_spikerbox(f"spikerbox-{n}", f"{n} channels", n, 10) for n in range(2, 7)),
    _spikerbox("spikerbox-14bit", "14-bit models", 1, 14),
    Device("ad8232", "AD8232 with SparkFun's sketch", "ad8232", "ad8232", _F(192), ("I",), 9600,
           aliases=("ad8232-sparkfun", "ad8232-sparkfun-ascii"), evidence=24, boot_s=2,
           live=("ad8232_even_rate", "ad8232_even")),
    Device("plotter", "Arduino plotter text (give --fs)", "plotter", "plotter", _F(250), ("I",), 115200,
           aliases=("arduino-plotter", "text"), evidence=12, boot_s=2, live=("plotter", "patient_plotter")),
)
# fmt: on
ECGLINK = Device("ecglink", "EcgLink patch", "ecglink", "ecglink", _F(250), ("I", "II"), 115200, evidence=128)
"""Our own protocol: rate, leads and gain come from the stream, those here are the virtual patch's."""
KNOWN = (ECGLINK, *DEVICES)


GROUP = "ecg_edge.decoders"
"""Entry points of other packages: the device's name, and where its `Device` is."""
_KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("name", "title", "module", "factory"), str),
    **dict.fromkeys(("leads", "options", "aliases"), tuple),
    **{"fs": Fraction, "baud": int, "evidence": int, "boot_s": (int, float)},
    **dict.fromkeys(("live", "emulator"), (tuple, type(None))),
}


@cache
def plugin_devices() -> Plugins:
    """Devices that other packages bring, by name; see `Plugins`."""
    taken = {label for device in KNOWN for label in (device.name, *device.aliases)}

    def fits(name: str, device: object) -> str:
        if not isinstance(device, Device):
            return "it is no Device"
        if wrong := _wrong_field(device):
            return wrong
        if clash := taken & {device.name, *device.aliases}:
            return f"the name {', '.join(sorted(clash))} is built in"
        if device.name != name:
            return f"its device is called {device.name}"
        return _wrong_decoder(device.decoder())

    return find_plugins(GROUP, taken, fits)


def _wrong_decoder(decoder: object) -> str:
    """What is wrong with a decoder that has been given nothing yet."""
    if not is_decoder(decoder):
        return f"its {type(decoder).__name__} is no Decoder"
    asked = (decoder.opening(), decoder.request(), decoder.closing())
    if not all(isinstance(text, bytes) for text in asked):
        return "its decoder writes what are no bytes"
    given = [*decoder.feed(b""), *decoder.close()]
    return "its decoder returns samples of no bytes" if given else ""


def _wrong_field(device: Device) -> str:
    """The first attribute that has not the type `Device` states; empty where all have."""
    for name, kind in _KINDS.items():
        if not isinstance(value := getattr(device, name), kind):
            return f"its {name} is {value!r}"
    if not all(isinstance(text, str) for text in (*device.leads, *device.aliases)):
        return "its leads and aliases must be texts"
    return "" if device.fs > 0 and device.baud >= 0 else f"its fs is {device.fs}, its baud {device.baud}"


def _positive(number: object) -> bool:
    """Whether it is a number above 0, or None."""
    return number is None or (isinstance(number, Real) and not isinstance(number, bool) and 0 < float(number) < inf)


def _named(devices: Iterable[Device], key: str) -> Device | None:
    return next((d for d in devices if key in (d.name, *d.aliases)), None)


def known_devices() -> tuple[Device, ...]:
    """All devices: our own, then those of other packages."""
    return (*KNOWN, *plugin_devices().good.values())


def devices() -> tuple[Device, ...]:
    """Return every device that can be decoded, those of other packages included.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> "cyton" in [device.name for device in ee.devices()]
    True
    """
    return known_devices()


def find_device(name: str) -> Device:
    """Return the device of that name or alias.

    Parameters
    ----------
    name : str
        Case, ``_`` and ``-`` do not matter.

    Raises
    ------
    UsageError
        There is none; the nearest names are offered.
    PluginError
        It is another package's, which cannot be used.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> cyton = ee.find_device("Cyton")
    >>> cyton.fs, cyton.baud
    (Fraction(250, 1), 115200)
    >>> cyton.decoder(leads=("I", "II")).name
    'cyton'
    """
    if not isinstance(name, str):
        raise UsageError(f"{name!r} is no name of a device", "name one: find_device('cyton'), see ecg_edge.devices()")
    key = name.strip().lower().replace("_", "-")
    # A stranger's code is imported only where the name is none of ours.
    if device := _named(KNOWN, key) or _named(plugin_devices().good.values(), key):
        return device
    if key in plugin_devices().broken:
        raise plugin_devices().broken[key]
    known = {label: device for device in known_devices() for label in (device.name, *device.aliases)}
    near = near_names(key, known, sorted(d.name for d in known_devices()))
    raise UsageError(f"unknown device {name!r}", f"name one of: {', '.join(near)}, or auto (--as)")
