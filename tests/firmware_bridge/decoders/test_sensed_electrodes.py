"""Every device of the catalogue says which electrodes it can miss: a board that cannot tell says nothing is on."""

import numpy as np
import pytest

from ecg_edge.firmware_bridge.decoders.catalogue import DEVICES, ECGLINK
from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.ecglink.encoder import EcgLinkEncoder
from ecg_edge.firmware_bridge.events import StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES, electrode_bits
from ecg_edge.firmware_bridge.virtual_patch.signal_source import plain_info

LIMBS = {"RA", "LA", "LL"}
SENSING = {
    "healthypi3": {"RA", "LL"},
    "healthypi4": {"RA", "LL", "RL"},
    "healthypi6": {*LIMBS, "V1"},
    "ti-ads1x9x": {*LIMBS, "RL"},
    "shimmer3": {*LIMBS, "RL", "V1"},
    "ad8232": {"RA", "LA"},
}
"""All others have no lead-off detection, or their stream does not carry it."""


def named(mask: int) -> set[str]:
    return {name for k, name in enumerate(ELECTRODES) if mask >> k & 1}


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_what_a_decoder_says_it_senses(device, live) -> None:
    info = device.decoder(live=live).info
    assert named(info.sensed) == SENSING.get(device.name, set())


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_only_a_sensing_decoder_can_report_electrodes_off(device) -> None:
    """What the code can put into a block's mask is what the description names."""
    decoder = device.decoder()
    frames = getattr(decoder, "electrodes_off", None)
    if type(decoder).__module__.endswith("text_lines") or frames is None or device.name in SENSING:
        return
    assert frames(np.zeros((0, 64), np.uint8)) is None


def test_a_virtual_patch_senses_the_electrodes_of_its_leads() -> None:
    info = plain_info("patch", ECGLINK.fs, ("I", "II"), 5e-4)
    [heard, *_] = EcgLinkDecoder().feed(EcgLinkEncoder(info).describe() * 2 + samples(info))
    assert isinstance(heard, StreamInfo) and named(heard.sensed) >= LIMBS


def samples(info: StreamInfo) -> bytes:
    encoder = EcgLinkEncoder(info)
    return b"".join(encoder.samples(np.zeros((1, 2), int), k) for k in range(20))


def test_names_that_are_no_electrodes_do_not_count() -> None:
    assert electrode_bits(["", "RA", "RA", "chest"]) == 1 << ELECTRODES.index("RA")
