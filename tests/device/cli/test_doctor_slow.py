"""A machine that is slow is not broken: doctor reports what it could not find out, and blames no package."""

import argparse
import json

import pytest

from ecg_edge.device.cli import child_probe
from ecg_edge.device.cli.doctor import doctor


def test_what_takes_too_long_is_unknown_and_not_to_be_reinstalled(monkeypatch, capsys):
    monkeypatch.setattr(child_probe, "_PATIENCE_S", 0.001)
    exit_code = doctor(argparse.Namespace(placement=None, recover=None, out=None, json=True))
    found = json.loads(capsys.readouterr().out)
    by = {f["what"]: f for f in found["findings"]}
    assert exit_code == 0 and found["ready"]
    assert by["numpy"]["ok"] is None and "not known" in by["numpy"]["text"]
    assert "plug-ins, ports, models" in by
    assert not any("reinstall" in f["fix"] for f in by.values())


@pytest.mark.parametrize(("code", "why"), [("pass", ""), ("raise OSError('gone')", "OSError: gone")])
def test_a_child_that_ends_has_an_answer(code, why):
    assert child_probe.why_not(code) == why
