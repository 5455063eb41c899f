"""What is said of bytes that are no stream of the device named."""

from fractions import Fraction

import pytest

from ecg_edge.firmware_bridge.decoders.catalogue import find_device
from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.ecglink.description import Description, pack_description
from ecg_edge.firmware_bridge.ecglink.frames import seal
from ecg_edge.firmware_bridge.errors import NotAnEcgStreamError, UsageError
from ecg_edge.firmware_bridge.events import Channel, StreamInfo
from ecg_edge.firmware_bridge.ports import listen
from ecg_edge.firmware_bridge.ports.transport import open_transport
from ecg_edge.firmware_bridge.ports.trial import Trial
from tests.support.wire import cyton, olimex

CYTON = b"".join(cyton(k, [k] * 8) for k in range(200))
OLIMEX = b"".join(olimex(k, [512 + k % 100] * 6) for k in range(600))


def judged(decoder, data):
    trial = Trial("port", decoder, 0.0, 5.0)
    with pytest.raises(NotAnEcgStreamError) as caught:
        trial.judge(data, 6.0)
    return caught.value


def test_another_device_is_named():
    assert "--as cyton" in judged(find_device("healthypi5").decoder(live=True), CYTON).fix


def test_equals_are_all_named():
    assert "--as olimex or --as olimex-logston" in judged(EcgLinkDecoder(), OLIMEX).fix


def test_unknown_bytes_lead_to_auto():
    assert "--as auto" in judged(EcgLinkDecoder(), bytes(range(7, 250)) * 9).fix


def test_a_refused_description_is_explained():
    """A firmware that says 0 nV a count: its frame has the right CRC."""
    info = StreamInfo("patch", Fraction(250), (Channel("I", 5e-4),))
    body = pack_description(Description(info))
    scale = round(5e-4 * 1e12).to_bytes(4, "little")
    assert body.count(scale) == 1
    data = b"\0" + seal(body.replace(scale, bytes(4))) + b"\0"
    decoder = EcgLinkDecoder()
    decoder.feed(data)
    assert "without a scale" in judged(decoder, data).message


@pytest.mark.parametrize(("name", "told"), [("", "no port is named"), ("file.bin", "is a file")])
def test_what_is_no_port_is_refused(tmp_path, name, told):
    path = tmp_path / "file.bin"
    path.write_bytes(b"x")
    with pytest.raises(UsageError, match=told):
        open_transport(str(path) if name else "")


@pytest.mark.parametrize("name", ["olimex", "olimex-logston"])
def test_rates_tell_equals_apart(name):
    equals = [find_device(n) for n in ("olimex", "olimex-logston")]
    per_s = 17 * float(find_device(name).fs)
    assert listen.by_rate(OLIMEX, 1.02 * per_s, equals).device.name == name
    assert listen.by_rate(OLIMEX, 4 * per_s, equals) is None
