import pytest

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.flags.numbers import Number, whole


def test_the_ends_of_a_range_are_inside():
    assert Number("--x", 0.5, 2)("0.5") == 0.5 and whole("--x", 1, 3)("3") == 3


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-1", "1e300", "3.0001"])
def test_what_is_none_or_outside_is_refused_by_flag_and_range(text):
    with pytest.raises(UsageError, match=r"--x .*is no number from 0 to 3") as e:
        Number("--x", 0, 3)(text)
    assert "--x" in e.value.fix


def test_a_part_is_no_whole_number():
    with pytest.raises(UsageError, match="is no whole number from 1 to 3"):
        whole("--x", 1, 3)("1.5")
