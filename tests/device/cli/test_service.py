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
    assert line.endswith('run /dev/ecg-patch --out "/data/my records" --metrics 9100')
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


def printed(capsys, *words):
    assert main(["service", "--json", *words]) == 0
    d = json.loads(capsys.readouterr().out)
    text = d["files"]["/etc/systemd/system/ecg-edge.service"]
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line), d


def test_signs_of_systemds_own_mean_themselves(capsys):
    found, _ = printed(capsys, "--", "auto", "--patient", 'a "b" $HOME 100% \\x', "--out", "r")
    assert found["ExecStart"].endswith('run auto --patient "a \\"b\\" $$HOME 100%% \\\\x" --out r')


def test_a_folder_with_spaces_is_one_folder(capsys):
    found, d = printed(capsys, "--folder", "/var/lib/ecg edge")
    assert found["ReadWritePaths"] == '"/var/lib/ecg edge"' and found["WorkingDirectory"] == "/var/lib/ecg edge"
    assert any("'/var/lib/ecg edge'" in step for step in d["steps"])


@pytest.mark.parametrize("words", [["--folder", "/x\nExecStartPre=/bin/evil"], ["--", "--patient", "a\nUser=root"],
                                   ["--user", "root\nX=1"]])  # fmt: skip
def test_a_line_break_is_refused(words):
    assert main(["service", *words]) == 2


def test_options_without_a_source_run_the_udev_link(capsys):
    cases = {
        "/dev/ecg-patch --monitor": ["--", "--monitor", "--port", "80"],
        "tcp://h:1": ["--", "tcp://h:1"],
        "--monitor auto": ["--", "--monitor", "auto"],
        "--config x": ["--", "--config", "x"],
    }
    for source, words in cases.items():
        found, _ = printed(capsys, "--usb", "0403:6001", *words)
        assert f"run {source}" in found["ExecStart"]


def test_secrets_are_credentials_and_never_in_the_unit(capsys):
    found, d = printed(capsys, "--", "auto", "--monitor", "--token-file", "/home/me/token")
    assert found["LoadCredential"] == "token-file:/etc/ecg-edge/token-file"
    assert found["ExecStart"].endswith("--token-file %d/token-file")
    assert any("/home/me/token /etc/ecg-edge/token-file" in step for step in d["steps"])
    for words in (["--token", "0123456789abcdef"], ["--token=0123456789abcdef"], ["--mqtt", "mqtt://u:pw@h/x"]):
        assert main(["service", "--", "auto", *words]) == 2
