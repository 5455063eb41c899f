"""The torso: well-formed, every worn electrode labelled and joined to the first; what is no place is refused."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from ecg_edge.device.torso import AT, electrodes, torso, torsos
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.lead_names import SKIN

SVG = "{http://www.w3.org/2000/svg}"


def test_every_electrode_has_a_place() -> None:
    assert set(AT) == set(SKIN)


def test_worn_electrodes_are_labelled_and_joined() -> None:
    root = ElementTree.fromstring(torso(electrodes("ra, v2+V5"), "a < b"))
    assert [t.text for t in root.iter(f"{SVG}text")] == ["a < b", "RA", "V2", "V5"]
    assert len(list(root.iter(f"{SVG}line"))) == 2
    assert len(list(ElementTree.fromstring(torsos([("", ("RA", "V4"))] * 3)).iter(f"{SVG}g"))) == 3


@pytest.mark.parametrize("text", ["RA", "RA,RA", "RA,RL", "RA,V7", ""])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        electrodes(text)
