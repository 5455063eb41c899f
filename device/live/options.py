"""Every setting of a run, once: flags, keys of the TOML file, defaults and docs/settings.md are made from it."""

from __future__ import annotations

from argparse import Action, ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ecg_edge.firmware_bridge.flags import idle as idle_flags
from ecg_edge.firmware_bridge.flags.numbers import MOST_SECONDS, Number

if TYPE_CHECKING:
    from ecg_edge.device.sources.rescaled import Scale


def _as_it_is(value: Any) -> Any:
    return value


def _always(value: Any) -> bool:
    return True


class Kind(NamedTuple):
    """What values a setting takes.

    Attributes
    ----------
    words : str
        Ends the sentence "it must be …".
    types : tuple of type
        Of a value in a TOML file.
    parse : callable or None
        Makes the value from the word after a flag. None: the flag stands alone.
    read : callable
        Makes the value from the one in a TOML file.
    fits : callable
        Whether a TOML value of a right type is well-formed.
    limits : (float, float) or None
        Of a number: both ends are allowed.
    """

    words: str
    types: tuple[type, ...]
    parse: Callable[[str], Any] | None = str
    read: Callable[[Any], Any] = _as_it_is
    fits: Callable[[Any], bool] = _always
    limits: tuple[float, float] | None = None

    def of_flag(self, flag: str) -> Callable[[str], Any]:
        """What makes the value from the word after a flag."""
        return (
            Number(flag, *self.limits, int in self.types and float not in self.types)
            if self.limits
            else self.parse or str
        )

    def accepts(self, value: object) -> bool:
        """Whether a TOML value may be given; true and false are no numbers."""
        right = isinstance(value, self.types) and (bool in self.types or not isinstance(value, bool))
        inside = self.limits is None or (right and self.limits[0] <= cast(float, value) <= self.limits[1])
        return right and inside and self.fits(value)


_MOST_UV = 1e5
_MOST_COUNTS = 2**31


def _scale_fits(scales: dict[str, Any]) -> bool:
    return all(
        isinstance(s, dict)
        and {"uv_per_count"} <= set(s) <= {"uv_per_count", "zero"}
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in s.values())
        and 0 < abs(s["uv_per_count"]) <= _MOST_UV
        and abs(s.get("zero", 0)) <= _MOST_COUNTS
        for s in scales.values()
    )


def _read_scales(scales: dict[str, dict[str, float]]) -> dict[str, Scale]:
    from ecg_edge.device.sources.rescaled import Scale  # loads numpy, which -h must not

    return {k: Scale(float(s["uv_per_count"]), float(s.get("zero", 0))) for k, s in scales.items()}


_NO_PORT = ("replay", "synthetic", "brainflow")

TEXT = Kind("text", (str,))
SWITCH = Kind("true or false", (bool,), parse=None)
BPM = Kind("a rate from 20 to 300", (int, float), float, limits=(20, 300))
SECONDS = Kind("seconds, from 1 to 3600", (int, float), float, limits=(1, 3600))
LENGTH = Kind("a number above 0", (int, float), float, limits=(1e-3, MOST_SECONDS))
GAIN = Kind("a number above 0", (int, float), float, limits=(1e-6, 1e9))
RATE = Kind("a number of Hz", (int, float), float, limits=(1, 1e7))
BAUD = Kind("a whole number from 50 to 20000000", (int,), int, limits=(50, 20_000_000))
PORT = Kind("a port", (int,), int, limits=(0, 65_535))
LABEL = Kind("a name", (str, int, float), read=str)
NAMES = Kind(
    "a list of names", (list,), read=lambda v: ",".join(v) or None, fits=lambda v: all(isinstance(x, str) for x in v)
)
WORDS = Kind("a list of names", (list,), read=tuple, fits=lambda v: all(isinstance(x, str) for x in v))
SINKS = Kind(
    "a list of names, each with its argument", (list,), read=tuple, fits=lambda v: all(isinstance(x, str) for x in v)
)
SCALES = Kind("channel = { uv_per_count = …, zero = … }", (dict,), read=_read_scales, fits=_scale_fits)


class Setting(NamedTuple):
    """Where a field of `Options` is set, and what it means.

    Attributes
    ----------
    flag : str
        On the command line; empty where only a file can set it. Without dashes: a word of its own.
    key : str
        In a TOML file; empty where only the command line can set it.
    help : str
        One line; ``%(default)s`` stands for the default.
    kind : Kind
        What values it takes.
    metavar : str or None
        Stands for the value in the help.
    choices : tuple of str
        The values there are; empty: any.
    extras : tuple of str
        Extras of the package that it may need.
    unique : bool
        Whether two patches of one file must differ in it.
    implies : str
        Field that is true once this one is set in a file.
    identity : callable
        Makes equal of two values what is the same place; what it returns is shown.
    """

    flag: str
    key: str
    help: str
    kind: Kind = TEXT
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    unique: bool = False
    implies: str = ""
    identity: Callable[[Any], Any] = _as_it_is

    @property
    def must_be(self) -> str:
        """Words for the values it takes."""
        return " or ".join(self.choices) or self.kind.words


def topic_of(url: str) -> str:
    """Broker and topic of an MQTT URL, without user and password."""
    place = url.partition("://")[2].rpartition("@")[2]
    host, _, topic = place.partition("/")
    return f"{host.lower().removesuffix(':1883').removesuffix(':8883')}/{topic.strip('/')}"


def _setting(default: Any, flag: str, key: str, help: str, kind: Kind = TEXT, **more: Any) -> Any:
    about = {"setting": Setting(flag, key, help, kind, **more)}
    return (
        field(default_factory=default, metadata=about) if callable(default) else field(default=default, metadata=about)
    )


# fmt: off
@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user asked for. Each field is described by its `Setting`, see `settings`."""

    source: str = _setting(
        "auto", "source", "source",
        "serial port, tcp://host:port, replay:RECORD, brainflow:BOARD, synthetic:, auto (USB port, by listening)",
        metavar="SOURCE", unique=True, extras=("brainflow",))
    model: str | None = _setting(
        None, "--model", "model", "model file or name (default: the shipped one for the leads)", metavar="M",
        extras=("tflite",))
    fallback: str = _setting(
        "any-int8", "--fallback", "fallback", "any-lead model for when leads are lost (%(default)s; none)", metavar="M")
    calibration: str | None = _setting(
        None, "--calibration", "calibration", "a person's calibration (ecg-edge calibrate)", metavar="FILE")
    calibration_later: bool = _setting(
        False, "--calibration-later", "calibration_later", "wait for the file of --calibration if it is not there yet",
        SWITCH)
    patient: str | None = _setting(
        None, "--patient", "patient", "who wears the device; another's calibration is refused", metavar="ID")
    placement: str = _setting(
        "again", "--placement", "placement",
        "whether the electrodes are where they were when the calibration was made (default: put on again)",
        choices=("same", "again"))
    out: str | None = _setting(None, "--out", "out", "record into this folder (WFDB)", metavar="DIR")
    rotate: str | None = _setting(
        None, "--rotate", "rotate", "begin new records every 1h, 10min or 500MB", metavar="N")
    tui: bool = _setting(False, "--tui", "", "show the leads in the terminal", SWITCH)
    monitor: bool = _setting(False, "--monitor", "", "show the leads in a browser", SWITCH, extras=("web",))
    host: str = _setting("127.0.0.1", "--host", "host", "address of the monitor (default: this machine only)")
    port: int = _setting(
        8765, "--port", "monitor", "port of the monitor (default: %(default)s; 0: any)", PORT, unique=True,
        implies="monitor", extras=("web",))
    token: str | None = _setting(
        None, "--token", "token",
        "secret for monitor, --serve and --metrics, needed for any host but this machine; others see a command line: "
        "rather use --token-file or the variable ECG_EDGE_TOKEN")
    token_file: str | None = _setting(
        None, "--token-file", "token-file", "file whose first line is the token", metavar="FILE")
    metrics_token_file: str | None = _setting(
        None, "--metrics-token-file", "metrics-token-file", "file with a token of its own for --metrics",
        metavar="FILE")
    allow_host: tuple[str, ...] = _setting(
        (), "--allow-host", "allow-host", "name of a reverse proxy in front of monitor or --metrics (may be repeated)",
        WORDS, metavar="NAME")
    tls_cert: str | None = _setting(
        None, "--tls-cert", "tls-cert", "certificate (PEM) for monitor, --serve and --metrics", metavar="FILE")
    tls_key: str | None = _setting(
        None, "--tls-key", "tls-key", "its key (default: in the same file)", metavar="FILE")
    jsonl: bool = _setting(False, "--jsonl", "", "write the leads to stdout as JSON lines", SWITCH)
    serve: str | None = _setting(
        None, "--serve", "serve", "the same to every client: tcp://127.0.0.1:9000, unix:PATH", metavar="URL",
        unique=True)
    mqtt: str | None = _setting(
        None, "--mqtt", "mqtt", "the same to a broker: mqtt://host/ward/bed-7", metavar="URL", extras=("mqtt",),
        unique=True, identity=topic_of)
    mqtt_ca: str | None = _setting(
        None, "--mqtt-ca", "mqtt-ca", "certificate (PEM) of the authority that signed an mqtts:// broker's",
        metavar="FILE", extras=("mqtt",))
    mqtt_password_file: str | None = _setting(
        None, "--mqtt-password-file", "mqtt-password-file",
        "file with the broker's password (or the variable ECG_EDGE_MQTT_PASSWORD)", metavar="FILE", extras=("mqtt",))
    mqtt_discovery: str | None = _setting(
        None, "--mqtt-discovery", "mqtt-discovery",
        "list the figures in Home Assistant, whose prefix is usually homeassistant", metavar="PREFIX",
        extras=("mqtt",))
    lsl: bool = _setting(False, "--lsl", "lsl", "Lab Streaming Layer outlet", SWITCH, extras=("lsl",))
    metrics: str | None = _setting(
        None, "--metrics", "metrics", "figures for Prometheus at /metrics", metavar="PORT", unique=True)
    sinks: tuple[str, ...] = _setting(
        (), "--sink", "sinks", "one more sink: a name as above, or one that another package brings (may be repeated)",
        SINKS, metavar="NAME[:ARGUMENT]")
    seconds: float | None = _setting(
        None, "--seconds", "seconds", "end after N seconds of signal (default: Ctrl-C)", LENGTH, metavar="N")
    measure: bool = _setting(
        False, "--measure", "measure", "state intervals and axes every ten seconds, from measured leads", SWITCH)
    mains: str = _setting("50", "--mains", "mains", "mains frequency in Hz", choices=("50", "60", "off"))
    leads: str | None = _setting(
        None, "--leads", "leads", "names of the source's channels, in order: I,II; - skips one", NAMES, metavar="L")
    device: str | None = _setting(
        None, "--as", "as", "device at the port; auto: listen (default: EcgLink)", metavar="DEVICE")
    gain: float | None = _setting(
        None, "--gain", "gain", "gain in V/V, for devices that do not send theirs", GAIN, metavar="G")
    fs: float | None = _setting(
        None, "--fs", "fs", "rate in Hz, for devices that do not send theirs (default: the usual one)", RATE,
        metavar="HZ")
    unit: str = _setting(
        "", "--unit", "unit", "of a recording that states none: uV, or what one count is: 0.38uV")
    baud: int | None = _setting(
        None, "--baud", "baud", "rate of a serial port (default: the device's, else 115200)", BAUD)
    reconnect: bool = _setting(
        True, "--no-reconnect", "reconnect", "end when the device is lost (exit status 4)", SWITCH)
    fast: bool = _setting(False, "--fast", "fast", "play replay: and synthetic: as fast as possible", SWITCH)
    rate_low: float | None = _setting(
        None, "", "rate-low", "heart rate in 1/min below which the ward's page marks the bed (no alarm)", BPM)
    rate_high: float | None = _setting(
        None, "", "rate-high", "heart rate in 1/min above which the ward's page marks the bed (no alarm)", BPM)
    silence: float | None = _setting(
        None, "", "silence", "seconds without samples after which the ward's page marks the bed (default: 10)", SECONDS)
    name: str = _setting("", "", "name", "for messages; the patch's number if there is none", LABEL)
    scales: dict[str, Scale] = field(default_factory=dict, metadata={"setting": Setting(
        "", "scale", "gain and zero of a channel, by its name or its number from 1", SCALES)})
# fmt: on


def settings() -> Iterator[tuple[str, Setting, Any]]:
    """Yield name of the field, description and default of every setting, in the order of the help."""
    for f in fields(Options):
        yield f.name, f.metadata["setting"], getattr(Options, f.name, None)


def add_settings(parser: ArgumentParser, *names: str) -> None:
    """Add the flags of the settings named to a parser; of all settings if none is named."""
    for name, about, default in settings():
        if not about.flag or (names and name not in names):
            continue
        if not about.flag.startswith("-"):
            parser.add_argument(name, nargs="?", default=default, metavar=about.metavar, help=about.help)
        elif about.kind in (SINKS, WORDS):
            parser.add_argument(
                about.flag, dest=name, action=_Append, default=(), metavar=about.metavar, help=about.help
            )
        elif about.kind is SWITCH:
            action = "store_false" if default else "store_true"
            parser.add_argument(about.flag, dest=name, action=action, help=about.help)
        else:
            parser.add_argument(
                about.flag, dest=name, type=about.kind.of_flag(about.flag), default=default, metavar=about.metavar,
                choices=about.choices or None, help=about.help,
            )  # fmt: skip


def refuse_idle(options: Options) -> None:
    """Refuse options that have no effect beside the others.

    Raises
    ------
    UsageError
        The first of them.
    """
    scheme = options.source.partition(":")[0]
    portless = scheme in _NO_PORT and ":" in options.source
    faced = options.monitor or options.serve or options.metrics or options.sinks
    on_mqtt = options.mqtt or options.sinks
    asks = "give --monitor, --serve or --metrics: they ask for it"
    encrypted = "give --monitor, --serve or --metrics: they are encrypted with it"
    broker = "give --mqtt mqtt://host/topic: it is for that broker"
    idle = {
        "--rotate": (options.rotate and not options.out, "give --out DIR: records are rotated there"),
        "--placement": (options.placement == "same" and not options.calibration, "give --calibration FILE"),
        "--calibration-later": (options.calibration_later and not options.calibration, "give --calibration FILE"),
        "--token": (options.token and not faced, asks),
        "--token-file": (options.token_file and not faced, asks),
        "--metrics-token-file": (
            options.metrics_token_file and not (options.metrics or options.sinks),
            "give --metrics PORT: it asks for it",
        ),
        "--tls-cert": (options.tls_cert and not faced, encrypted),
        "--tls-key": (options.tls_key and not faced, encrypted),
        "--host": (options.host != Options.host and not options.monitor, "give --monitor: it is its address"),
        "--allow-host": (
            options.allow_host and not (options.monitor or options.metrics or options.sinks),
            "give --monitor or --metrics: they answer to that name",
        ),
        "--mqtt-ca": (options.mqtt_ca and not on_mqtt, broker),
        "--mqtt-password-file": (options.mqtt_password_file and not on_mqtt, broker),
        "--mqtt-discovery": (options.mqtt_discovery and not on_mqtt, broker),
        "--no-reconnect": (
            not options.reconnect and portless and scheme != "brainflow",
            f"leave it out: {scheme}: is never lost",
        ),
        "--as": (options.device and portless, f"leave it out: {scheme}: is no port"),
        "--gain": (options.gain is not None and portless, f"leave it out: {scheme}: has its own scale"),
        "--baud": (
            options.baud is not None and (portless or scheme == "tcp"),
            "leave it out: only serial ports have one",
        ),
    }
    idle_flags.refuse_idle(idle)


class _Append(Action):
    """Gathers the words of a flag that may be repeated in a tuple."""

    def __call__(self, parser: ArgumentParser, namespace: Namespace, values: Any, option: str | None = None) -> None:
        setattr(namespace, self.dest, (*getattr(namespace, self.dest), values))
