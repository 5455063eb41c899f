import sys

import numpy as np
import pytest

from ecg_edge.device.live.open_sinks import make_sink, plugin_sinks
from ecg_edge.device.sinks.network import Network
from ecg_edge.device.sinks.sink import SinkRequest
from ecg_edge.firmware_bridge.clock import SystemClock
from ecg_edge.firmware_bridge.decoders.catalogue import find_device, known_devices, plugin_devices
from ecg_edge.firmware_bridge.errors import PluginError, RecordingError, UsageError
from ecg_edge.firmware_bridge.ports.identify import identify, matches
from ecg_edge.firmware_bridge.recordings.open_recording import formats, open_recording, plugin_formats
from tests.test_plugins import stranger

DEVICE = """
from fractions import Fraction
from ecg_edge.firmware_bridge.decoders.catalogue import Device
D = Device("{name}", "A board", "mine", "make", Fraction(250), ("I",), aliases=("{alias}",))
def make(leads, gain, fs):
    from ecg_edge.firmware_bridge.decoders.cyton import cyton
    return cyton()
"""
NEW = DEVICE.format(name="new", alias="newer")
FORMAT = """
from ecg_edge.firmware_bridge.recordings.open_recording import RecordingFormat
from ecg_edge.firmware_bridge.recordings.array_files import open_npz
def fits(path, head):
    return head.startswith(b"MINE")
def read(path, fs):
    raise KeyError("channels")
F = RecordingFormat("mine (.mine)", fits, read)
"""
FINDERS = (plugin_devices, plugin_sinks, plugin_formats)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on the path whose packages are looked for anew."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for found in FINDERS:
        found.cache_clear()
    yield tmp_path
    for found in FINDERS:
        found.cache_clear()
    sys.modules.pop("mine", None)


@pytest.mark.parametrize(
    ("entry", "module", "why"),
    [
        ("cyton = mine:D", "D = 1", "that name is built in"),
        ("openbci-cyton = mine:D", "D = 1", "that name is built in"),
        ("new = mine:D", DEVICE.format(name="new", alias="cyton"), "the name cyton is built in"),
        ("new = mine:D", DEVICE.format(name="other", alias="x"), "its device is called other"),
        ("new = mine:D", "import no_such_module", "No module named 'no_such_module'"),
        ("new = mine:D", "raise SystemExit(3)", "SystemExit: 3"),
        ("new = mine:D", "D = 1", "it is no Device"),
        ("new = mine:D", NEW.replace("Fraction(250)", "250.0"), "its fs is 250.0"),
        ("new = mine:D", NEW.replace("Fraction(250)", "Fraction(-250)"), "its fs is -250"),
        ("new = mine:D", NEW.replace('("newer",)', "None"), "its aliases is None"),
        ("new = mine:D", NEW.replace('("newer",)', "(7,)"), "its leads and aliases must be texts"),
        ("new = mine:D", NEW.replace('("I",)', '"I"'), "its leads is 'I'"),
        ("new = mine:D", NEW.replace("return cyton()", "return object()"), "its object is no Decoder"),
        ("new = mine:D", NEW.replace("return cyton()", "1 / 0"), "ZeroDivisionError"),
        ("new = mine:D", NEW.replace("(leads, gain, fs)", "()"), "TypeError"),
        ("new = mine:D", NEW.replace('"make"', '"nothing"'), "has no attribute 'nothing'"),
        ("new = mine:D", NEW.replace('"mine"', '"no_such_module"'), "No module named 'no_such_module'"),
    ],
)
def test_a_decoder_that_cannot_be_used_harms_no_other(site, entry, module, why):
    stranger(site, "mine", "ecg_edge.decoders", entry, module)
    name = entry.split()[0]
    assert why in plugin_devices().broken[name].message and plugin_devices().package[name] == "mine 0.1"
    assert find_device("cyton").module == "cyton" and "A board" not in [d.title for d in known_devices()]
    if name == "new":
        with pytest.raises(PluginError, match=r"mine 0\.1 cannot be used") as e:
            find_device("new")
        assert "pip uninstall mine" in e.value.fix


def test_a_decoder_of_another_package_is_found_by_name_and_alias(site):
    stranger(site, "mine", "ecg_edge.decoders", "new = mine:D", NEW)
    assert find_device("New") is find_device("newer") is known_devices()[-1]
    with pytest.raises(UsageError, match="unknown device") as e:
        find_device("newr")
    assert "newer" in e.value.fix


@pytest.mark.parametrize(
    ("entry", "module", "why"),
    [
        ("mqtt = mine:make", "make = print", "that name is built in"),
        ("new = mine:make", "1 / 0", "ZeroDivisionError"),
        ("new = mine:make", "make = 1", "it cannot be called"),
    ],
)
def test_a_sink_that_cannot_be_used_is_named(site, entry, module, why):
    stranger(site, "mine", "ecg_edge.sinks", entry, module)
    assert why in plugin_sinks().broken[entry.split()[0]].message and not plugin_sinks().good


def test_a_sink_that_is_none_is_refused_when_it_is_asked_for(site):
    stranger(site, "mine", "ecg_edge.sinks", "new = mine:make", "def make(request):\n    return 3\n")
    with pytest.raises(PluginError, match=r"mine 0\.1 cannot be made: TypeError: it is no Sink: int has no .*takes"):
        make_sink("new", SinkRequest("x", SystemClock(), None, "", Network()))


def test_a_name_of_ours_is_found_without_importing_a_stranger(site):
    stranger(site, "mine", "ecg_edge.decoders", "new = mine:D", "import sys; sys.modules['was_imported'] = sys")
    assert find_device("cyton").name == "cyton" and "was_imported" not in sys.modules


def test_a_decoder_that_fails_on_the_bytes_recognises_nothing(site):
    code = NEW.replace(
        "return cyton()", "c = cyton(); f = c.feed; c.feed = lambda d: f(d) if not d else 1 / 0; return c"
    )
    stranger(site, "mine", "ecg_edge.decoders", "new = mine:D", code)
    assert find_device("new").name == "new"
    frames = b"".join(b"\xa0" + bytes([k]) + bytes(30) + b"\xc0" for k in range(100))
    assert identify(frames).device.name == "cyton"
    assert "new" not in [m.device.name for m in matches(frames)]


def test_a_fault_of_our_own_decoder_is_not_hidden(monkeypatch):
    monkeypatch.setattr("ecg_edge.firmware_bridge.decoders.cyton.cyton", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        matches(b"x" * 99, [find_device("cyton")])


@pytest.mark.parametrize(
    ("module", "why"),
    [
        ("import no_such_module", "No module named 'no_such_module'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("F = 1", "it is no RecordingFormat"),
        (FORMAT.replace("fits, read)", "None, read)"), "fits and open must be callable"),
        (FORMAT.replace('"mine (.mine)"', "7"), "its name must be a text"),
        (FORMAT.replace('head.startswith(b"MINE")', "head.startwith"), "AttributeError"),
        (FORMAT.replace('head.startswith(b"MINE")', "True"), "it claims files that are no recordings"),
        (FORMAT.replace("(path, head)", "(path)"), "TypeError"),
    ],
)
def test_a_format_that_cannot_be_used_is_left_out_and_named(site, module, why):
    stranger(site, "mine", "ecg_edge.recordings", "new = mine:F", module)
    assert why in plugin_formats().broken["new"].message and "pip uninstall mine" in plugin_formats().broken["new"].fix
    assert not any(f.name.startswith("mine") for f in formats()) and open_recording(table(site)).source == "CSV"
    with pytest.raises(RecordingError, match="known format"):
        open_recording(unknown(site))


@pytest.mark.parametrize("fault", ["raise KeyError('channels')", "return 7", "return None"])
def test_a_format_that_fails_on_a_file_ends_only_what_nobody_else_can_read(site, fault):
    stranger(site, "mine", "ecg_edge.recordings", "new = mine:F", FORMAT.replace('raise KeyError("channels")', fault))
    assert formats()[0].name == "mine (.mine)" and open_recording(table(site)).source == "CSV"
    with pytest.raises(PluginError, match=r"the format new of mine 0\.1 cannot read .*x\.mine"):
        open_recording(unknown(site))
    taken = site / "x.csv"
    taken.write_bytes(b"MINE,II\n1,2\n3,4\n")
    with pytest.raises(RecordingError):  # the reader of tables, not the stranger, has the last word
        open_recording(taken)


def test_a_format_raises_typed_errors_of_its_own(site):
    fault = FORMAT.replace('raise KeyError("channels")', "raise RecordingError('x', 'y')")
    stranger(site, "mine", "ecg_edge.recordings", "new = mine:F", f"from {RecordingError.__module__} import *\n{fault}")
    with pytest.raises(RecordingError, match=r"^x"):
        open_recording(unknown(site))


def test_a_format_of_another_package_goes_before_ours(site):
    code = FORMAT.replace('raise KeyError("channels")', "return open_npz(path.with_suffix('.npz'), fs)")
    stranger(site, "mine", "ecg_edge.recordings", "new = mine:F", code)
    np.savez(site / "x.npz", mv=np.ones((99, 2)), leads=["I", "II"], fs=250.0)
    assert open_recording(unknown(site)).source == open_recording(site / "x.npz").source


def table(folder):
    path = folder / "table.csv"
    path.write_text("time,I (mV),II (mV)\n" + "".join(f"{k / 250},{k % 7 / 7},0.5\n" for k in range(50)))
    return path


def unknown(folder):
    path = folder / "x.mine"
    path.write_bytes(b"MINE" * 9)
    return path


_SINK = """
from ecg_edge.device.sinks.sink import SinkBase
class {name}:
    {body}
"""


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ("name = 'x'", "takes"),
        ("def leads(self, block): pass", "native"),
        ("def __init__(self, request): self.open = self.close = print", "open"),
    ],
)
def test_a_class_that_lacks_what_a_sink_has_is_named_before_it_is_used(site, body, missing):
    stranger(site, "mine", "ecg_edge.sinks", "new = mine:Mine", _SINK.format(name="Mine", body=body))
    assert not plugin_sinks().good and missing in plugin_sinks().broken["new"].message
    assert "derive it from SinkBase" in plugin_sinks().broken["new"].message


def test_a_class_that_sets_its_traits_when_it_is_made_is_a_sink(site):
    body = "def __init__(self, request): self.name = request.argument"
    stranger(site, "mine", "ecg_edge.sinks", "new = mine:Mine", _SINK.format(name="Mine(SinkBase)", body=body))
    assert list(plugin_sinks().good) == ["new"]
