import pytest

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.flags.idle import refuse_idle


def test_the_first_flag_without_effect_is_refused():
    refuse_idle({"--a": (None, "x"), "--b": (False, "y")})
    with pytest.raises(UsageError, match="--b would do nothing here") as e:
        refuse_idle({"--a": (0, "x"), "--b": ("given", "leave it out"), "--c": (True, "z")})
    assert e.value.fix == "leave it out"
