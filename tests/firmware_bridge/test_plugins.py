import sys

import pytest

from ecg_edge.device.live.open_sinks import plugin_sinks
from ecg_edge.firmware_bridge.decoders.catalogue import find_device, known_devices, plugin_devices
from ecg_edge.firmware_bridge.errors import PluginError, UsageError
from tests.test_plugins import stranger

DEVICE = """
from fractions import Fraction
from ecg_edge.firmware_bridge.decoders.catalogue import Device
D = Device("{name}", "A board", "mine", "make", Fraction(250), ("I",), aliases=("{alias}",))
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on the path whose packages are looked for anew."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for found in (plugin_devices, plugin_sinks):
        found.cache_clear()
    yield tmp_path
    for found in (plugin_devices, plugin_sinks):
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
    stranger(site, "mine", "ecg_edge.decoders", "new = mine:D", DEVICE.format(name="new", alias="newer"))
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
