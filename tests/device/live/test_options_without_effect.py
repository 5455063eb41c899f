"""Options that would do nothing are refused."""

import pytest

from ecg_edge.device.live.options import Options, refuse_idle
from ecg_edge.firmware_bridge.errors import UsageError


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        ({"rotate": "1h"}, "--rotate"),
        ({"placement": "same"}, "--placement"),
        ({"token": "0123456789abcdef"}, "--token"),
        ({"token_file": "f"}, "--token-file"),
        ({"source": "synthetic:", "gain": 2.0}, "--gain"),
        ({"source": "replay:x", "device": "plotter"}, "--as"),
        ({"source": "tcp://h:1", "baud": 9600}, "--baud"),
    ],
)
def test_an_option_without_effect_is_refused(given, flag):
    with pytest.raises(UsageError, match=flag) as caught:
        refuse_idle(Options(**given))
    assert caught.value.fix


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"rotate": "1h", "out": "r"},
        {"token": "0123456789abcdef", "serve": "tcp://h:1"},
        {"source": "/dev/ttyUSB0", "baud": 9600, "gain": 1100.0, "device": "ad8232"},
    ],
)
def test_an_option_with_one_is_not(given):
    refuse_idle(Options(**given))
