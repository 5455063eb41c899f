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
        ({"calibration_later": True}, "--calibration-later"),
        ({"metrics_token_file": "f", "monitor": True}, "--metrics-token-file"),
        ({"tls_cert": "c.pem"}, "--tls-cert"),
        ({"tls_key": "k.pem"}, "--tls-key"),
        ({"host": "0.0.0.0", "serve": "tcp://h:1"}, "--host"),
        ({"allow_host": ("ward.example",), "serve": "tcp://h:1"}, "--allow-host"),
        ({"mqtt_ca": "c.pem", "monitor": True}, "--mqtt-ca"),
        ({"mqtt_password_file": "f"}, "--mqtt-password-file"),
        ({"mqtt_discovery": "homeassistant"}, "--mqtt-discovery"),
        ({"source": "synthetic:", "reconnect": False}, "--no-reconnect"),
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
        {"tls_cert": "c", "tls_key": "k", "monitor": True, "host": "0.0.0.0", "allow_host": ("a",)},
        {"mqtt": "mqtt://h/t", "mqtt_ca": "c", "mqtt_discovery": "p", "mqtt_password_file": "f"},
        {"metrics": "9100", "metrics_token_file": "f"},
        {"source": "tcp://h:1", "reconnect": False},
        {"token": "0123456789abcdef", "serve": "tcp://h:1"},
        {"source": "/dev/ttyUSB0", "baud": 9600, "gain": 1100.0, "device": "ad8232"},
    ],
)
def test_an_option_with_one_is_not(given):
    refuse_idle(Options(**given))
