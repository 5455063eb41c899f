import pytest

from ecg_edge.firmware_bridge.errors import PortNotFoundError
from ecg_edge.firmware_bridge.ports.same_device import SamePort
from ecg_edge.firmware_bridge.ports.transport import PortInfo

PATCH = (0x0403, 0x6001, "A1")


class Bus:
    """Ports by name, each with what is plugged in there."""

    def __init__(self, **ports):
        self.ports = ports

    def list(self):
        return [PortInfo(name, "", *who) for name, who in self.ports.items()]

    def open(self, url):
        if url not in self.ports:
            raise PortNotFoundError(f"no {url}", "plug it in")
        return (url, self.ports[url])


def test_the_same_device_is_found_under_another_name():
    bus, reports = Bus(usb0=PATCH), []
    port = SamePort("usb0", bus.open, bus.list, reports.append)
    assert port() == ("usb0", PATCH)
    bus.ports = {"usb0": (0x0403, 0x6001, "B2"), "usb1": PATCH}
    assert port() == ("usb1", PATCH)
    assert reports == ["the device is back as usb1"]
    bus.ports = {"usb0": PATCH, "usb1": (1, 2, "X")}
    assert port() == ("usb0", PATCH)


def test_another_device_in_its_place_is_not_taken_for_it():
    bus = Bus(usb0=PATCH)
    port = SamePort("usb0", bus.open, bus.list)
    port()
    bus.ports = {"usb0": (0x0403, 0x6001, "B2")}
    with pytest.raises(PortNotFoundError, match="another device"):
        port()
    bus.ports = {}
    with pytest.raises(PortNotFoundError, match="no usb0"):
        port()


def test_two_alike_without_serial_numbers_are_not_guessed_between():
    bus = Bus(usb0=(1, 2, None))
    port = SamePort("usb0", bus.open, bus.list)
    port()
    bus.ports = {"usb1": (1, 2, None), "usb2": (1, 2, None)}
    with pytest.raises(PortNotFoundError, match="no usb0"):
        port()


def test_a_port_that_is_no_usb_device_keeps_its_name():
    bus = Bus(pts=(None, None, None))
    port = SamePort("pts", bus.open, bus.list)
    assert port() == port() == ("pts", (None, None, None))
