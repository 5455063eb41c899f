import numpy as np
import pytest

from ecg_edge.device.conditioning import fingerprint as module
from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.conditioning.fingerprint import check_chain, fingerprint
from ecg_edge.device.conditioning.spec import CONDITIONING_FINGERPRINT, CONDITIONING_VERSION, ConditioningSpec
from ecg_edge.firmware_bridge.errors import UsageError

PLACE = "ecg_edge.device.conditioning"


def test_a_changed_response_has_a_new_version():
    assert fingerprint() == CONDITIONING_FINGERPRINT, (
        "the chain's response has changed: raise CONDITIONING_VERSION in device/conditioning/spec.py, "
        "write the new fingerprint beside it, and train again: models of the old version are refused"
    )
    check_chain()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("resampler._CUTOFF", 0.4699),
        ("resampler._BETA", 3.001),
        ("resampler._HALF_WIDTH", 5),
        ("conditioner.highpass_sos", lambda spec, fs: np.array([[1.0, 0, 0, 1, 0, 0]])),
    ],
)
def test_every_change_of_the_chain_shows(monkeypatch, name, value):
    monkeypatch.setattr(f"{PLACE}.{name}", value)
    assert fingerprint() != CONDITIONING_FINGERPRINT
    with pytest.raises(UsageError, match="responds as"):
        check_chain()


def test_another_mains_notch_shows(monkeypatch):
    monkeypatch.setattr(module, "_SPEC", ConditioningSpec(notch_q=30.01))
    assert fingerprint() != CONDITIONING_FINGERPRINT


def test_what_two_processors_differ_by_does_not_show(monkeypatch):
    """Responses off by eight ulp of float32; those of two processors are off by one, here and there."""
    feed, rng = Conditioner.feed, np.random.default_rng(0)

    def another(self, x):
        y = feed(self, x)
        return y + rng.uniform(-5e-7, 5e-7, y.shape)

    monkeypatch.setattr(Conditioner, "feed", another)
    assert fingerprint() == CONDITIONING_FINGERPRINT


def test_other_parameters_are_no_other_chain():
    """They are stated themselves, in the run and in the model file."""
    assert not ConditioningSpec(highpass_hz=0.05).departure


def test_what_states_no_version_was_made_with_the_first():
    old = {"highpass_hz": 0.5, "highpass_order": 2, "notch_q": 30.0}
    assert ConditioningSpec.from_dict(old).version == 1
    assert ConditioningSpec.from_dict(ConditioningSpec().to_dict()) == ConditioningSpec()


def test_a_departure_names_both():
    said = ConditioningSpec(version=7, fingerprint="abc").departure
    assert "version 7 (abc)" in said
    assert f"version {CONDITIONING_VERSION} ({CONDITIONING_FINGERPRINT})" in said
