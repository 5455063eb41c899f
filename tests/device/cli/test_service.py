import json
import shlex
import subprocess
import sys

import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.device.cli.service import udev_rule, unit


def test_the_unit_runs_what_was_asked_for():
    text = unit(["/dev/ecg-patch", "--out", "/data/my records", "--metrics", "9100"], "ecg", "/var/lib/ecg-edge")
    line = next(x for x in text.splitlines() if x.startswith("ExecStart="))
    assert line.endswith("run /dev/ecg-patch --out '/data/my records' --metrics 9100")
    assert "Type=notify" in text and "WatchdogSec=20" in text and "User=ecg" in text
    assert udev_rule("0403", "6001", "A1").startswith('SUBSYSTEM=="tty", ATTRS{idVendor}=="0403"')


def test_service_prints_and_changes_nothing(capsys):
    assert main(["service", "--usb", "0403:6001", "--json", "--", "--as", "ad8232"]) == 0
    d = json.loads(capsys.readouterr().out)
    assert set(d["files"]) == {"/etc/systemd/system/ecg-edge.service", "/etc/udev/rules.d/70-ecg-edge.rules"}
    assert main(["service", "--usb", "four"]) == 2


def test_what_the_unit_starts_is_the_command():
    line = next(x for x in unit(["auto"], "ecg", "/tmp").splitlines() if x.startswith("ExecStart="))
    command = shlex.split(line.removeprefix("ExecStart="))
    assert command[:3] == [sys.executable, "-m", "ecg_edge"] and command[3:] == ["run", "auto"]


@pytest.mark.parametrize("module", ["ecg_edge", "ecg_edge.device.main"])
def test_units_of_today_and_those_installed_before_run_the_same(module):
    run = ["run", "synthetic:", "--fast", "--seconds", "2", "--model", "i-ii-int8", "--json"]
    done = subprocess.run([sys.executable, "-m", module, *run], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["samples_in"] == 500
