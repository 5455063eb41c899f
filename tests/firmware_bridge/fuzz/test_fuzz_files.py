"""Files that a person may hand in, changed at random: read, or refused by a typed error with a fix."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecg_edge.device.live.config_file import read_patches
from ecg_edge.device.live.options import settings as all_settings
from ecg_edge.firmware_bridge.errors import EcgEdgeError
from tests.firmware_bridge.fuzz.fuzz_files import CALIBRATION, KINDS, ODD_VALUES, TOML, fuzz, read

TIMES = int(os.environ.get("ECG_EDGE_FUZZ_EXAMPLES", "200"))
KEYS = [about.key for _, about, _ in all_settings() if about.key]
VALUES = st.recursive(
    st.sampled_from(ODD_VALUES) | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def test_the_files_that_are_changed_are_good(tmp_path):
    (tmp_path / "x.toml").write_text(TOML, "utf-8")
    read("toml", tmp_path / "x.toml")
    read("calibration", CALIBRATION)


@pytest.mark.parametrize("kind", KINDS)
def test_changed_files_are_read_or_refused(kind):
    tried, refused, wrong = fuzz(kind, 7, lambda tried: tried < TIMES)
    assert wrong == [] and tried == TIMES and refused > 0


@settings(max_examples=TIMES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(patch=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4), above=VALUES, key=st.sampled_from(KEYS))
def test_any_value_under_any_key_is_taken_or_refused(tmp_path, patch, above, key):
    doc = {"defaults": {key: above}, "patch": [{"source": "synthetic:", **patch}]}
    try:
        read_patches(doc, tmp_path / "x.toml")
    except EcgEdgeError as e:
        assert e.message and e.fix
