import numpy as np
import pytest

from ecg_edge.firmware_bridge.errors import NotAnEcgStreamError
from ecg_edge.firmware_bridge.ports.identify import identify, matches
from tests.support import wire
from tests.support.wire import STREAMS_BY_DEVICE, capture

# the bytes of these fit another device as well: see the test of ambiguity
SAME_BYTES = {"olimex", "olimex-logston", "chords-pico", "chords-npg-lite"}


@pytest.mark.parametrize("device", [d for d in STREAMS_BY_DEVICE if d not in SAME_BYTES])
def test_device_is_recognised_by_its_bytes(device):
    match = identify(b"banner\r\n" + STREAMS_BY_DEVICE[device].clean)
    assert match.device.name == device
    assert match.device.title in match.reason


@pytest.mark.parametrize("device", sorted(SAME_BYTES))
def test_devices_that_send_the_same_bytes_are_not_guessed(device):
    with pytest.raises(NotAnEcgStreamError, match=f"--as {device} FILE"):
        identify(STREAMS_BY_DEVICE[device].clean)


def test_injured_stream_is_still_recognised():
    data, _, _ = wire.injured(STREAMS_BY_DEVICE["cyton"])
    assert identify(data).device.name == "cyton"


@pytest.mark.parametrize("data", [b"", b"hello, world\r\n" * 50, np.random.default_rng(5).bytes(60000), bytes(5000)])
def test_what_is_no_ecg_stream_is_refused_with_the_command_to_try(data):
    with pytest.raises(NotAnEcgStreamError, match="--as DEVICE FILE"):
        identify(data)


def test_the_tighter_format_wins():
    # every frame of these MAX30003 bytes is also a frame of an ADS1293
    data = b"".join(wire.openview(bytes([k % 4, 0, k, 0]) + bytes([52, 3, 0, 0, 73, 0, 0, 0]), 2) for k in range(50))
    assert {m.device.name for m in matches(data)} == {"ads1293", "max30003"}
    assert identify(data).device.name == "max30003"


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("protocentral_ads1292r", "ads1292r"),
        ("protocentral_ads1293", "ads1293"),
        ("protocentral_max30003", "max30003"),
        ("healthypi5_openview", "healthypi5"),
        ("healthypi6_dblk", "healthypi6"),
        ("openbci_cyton_plain", "cyton"),
        ("chords_uno_r3", "chords-uno-r3"),
    ],
)
def test_real_device_is_recognised(name, device):
    truth = capture(name)
    assert identify(truth.clean).device.name == device
    assert identify(truth.damaged).device.name == device
