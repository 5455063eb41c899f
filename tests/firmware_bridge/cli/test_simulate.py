"""`ecg-edge simulate` as a user meets it: a process with a port on its first line."""

import argparse
import json
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
import serial

from ecg_edge.firmware_bridge.cli.simulate import SIMULATE
from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError
from ecg_edge.firmware_bridge.events import SampleBlock
from ecg_edge.firmware_bridge.virtual_patch.link_tcp import parse_host_port

FS, N = 250, 2500
# A shell that starts the tests in the background leaves SIGINT ignored; a terminal does not.
PROGRAM = """
import argparse, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from ecg_edge.firmware_bridge.cli.simulate import SIMULATE
parser = argparse.ArgumentParser()
SIMULATE.configure(parser)
sys.exit(SIMULATE.run(parser.parse_args()))
"""


@pytest.fixture(scope="module")
def record(kit, tmp_path_factory):
    t = np.arange(N) / FS
    mv = np.stack([np.sin(9 * t), np.cos(7 * t), t / 10], axis=1)
    folder = tmp_path_factory.mktemp("record")
    path = kit.write_record(folder, "sines", FS, mv, ["I", "II", "V2"], gains=[2000.0] * 3)
    return path, np.rint(mv * 2000).astype(int)


class Process:
    """The verb in a process of its own."""

    def __init__(self, *args):
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.port = self.process.stdout.readline().strip()

    def end(self):
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def read_all(read, write):
    decoder, events = EcgLinkDecoder(), []
    write(decoder.opening())
    try:
        while data := read():
            events += decoder.feed(data)
    except (serial.SerialException, OSError):
        pass
    return [e for e in events if isinstance(e, SampleBlock)], decoder


def test_a_record_over_a_pty_arrives_whole_and_is_accounted_for(record, tmp_path):
    path, counts = record
    log = tmp_path / "log.json"
    args = ("--record", path, "--leads", "v2,I", "--fast", "--json", "--fault-log", str(log))
    with Process(*args, "--fault", "drop=5%", "--fault", "dup=2%", "--seed", "3") as simulate:
        with serial.Serial(simulate.port, timeout=30) as port:
            blocks, decoder = read_all(lambda: port.read(max(1, port.in_waiting)), port.write)
        code, out, err = simulate.end()
    document = json.loads(out.splitlines()[-1])
    assert code == 0 and document["ended"] and document["leads"] == ["V2", "I"]
    assert f"next: ecg-edge run {simulate.port}" in err and document["port"] == simulate.port
    lost = {i for a, b in document["lost"] for i in range(a, b)}
    kept = [i for i in range(N) if i not in lost]
    assert 0.02 < len(lost) / N < 0.08
    np.testing.assert_array_equal(np.concatenate([b.counts for b in blocks]), counts[kept][:, [2, 0]])
    assert decoder.tally.duplicates == document["samples_by_kind"]["dup"]
    assert (document["taken"], document["sent"]) == (N, len(kept))
    assert json.loads(log.read_text()) == document


def test_ctrl_c_and_kill_end_it_cleanly(record, tmp_path):
    for how in (signal.SIGINT, signal.SIGTERM):
        link = tmp_path / "patch"
        with Process("--record", record[0], "--link", str(link), "--json") as simulate:
            assert simulate.port == str(link) and link.exists()
            with serial.Serial(simulate.port, timeout=30) as port:
                assert port.read(10)  # it runs: this is its description
                simulate.process.send_signal(how)
                code, out, err = simulate.end()
        assert code == 0 and not link.is_symlink()
        assert "interrupted" in err and "Traceback" not in err
        assert json.loads(out)["ended"] is False


def test_tcp_free_running_for_so_many_seconds(record):
    args = ("--record", record[0], "--loop", "--tcp", ":0", "--free-run", "--fast", "--seconds", "30")
    with Process(*args) as simulate:
        with socket.create_connection(parse_host_port(simulate.port), timeout=30) as reader:
            blocks, decoder = read_all(lambda: reader.recv(4096), lambda _: None)
        code, out, err = simulate.end()
    assert (code, out) == (0, "") and "sent 7500 of 7500" in err
    assert decoder.tally.samples == 7500
    np.testing.assert_array_equal(np.concatenate([b.counts for b in blocks]), np.resize(record[1][:, :2], (7500, 2)))


def test_the_synthetic_heart_is_the_default():
    with Process("--fast", "--seconds", "5", "--fs", "500", "--json") as simulate:
        with serial.Serial(simulate.port, timeout=30) as port:
            blocks, _ = read_all(lambda: port.read(max(1, port.in_waiting)), port.write)
        code, out, _ = simulate.end()
    mv = np.concatenate([b.mv for b in blocks])
    assert code == 0 and mv.shape == (2500, 2) and json.loads(out.splitlines()[-1])["rate_hz"] == 500
    assert 0.2 < np.abs(mv).max() < 5


def run(*args):
    parser = argparse.ArgumentParser()
    SIMULATE.configure(parser)
    return SIMULATE.run(parser.parse_args([str(a) for a in args]))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--fault", "flood=1"], "unknown fault"),
        (["--fault", "unplug=1/1"], "another name"),
        (["--link", "x", "--tcp", ":0"], "contradict"),
        (["--fs", "fast"], "bad rate"),
        (["--fs", "1/0"], "bad rate"),
        (["--fs", "-5"], "bad rate"),
        (["--seconds", "0"], "--seconds 0 is no number"),
        (["--seconds", "nan"], "--seconds nan is no number"),
        (["--frame-ms", "nan"], "--frame-ms nan is no number"),
        (["--lsb-uv", "0"], "--lsb-uv 0 is no number"),
        (["--leads", "nose"], "no signal 'nose'"),
        (["--fault-log", "/no/such/folder/log"], "cannot write"),
        (["--tcp", "nowhere"], "bad address"),
    ],
)
def test_mistakes_are_usage_errors_with_a_way_out(record, args, words, capsys):
    with pytest.raises(UsageError, match=words) as caught:
        run("--record", record[0], *args)
    assert caught.value.fix
    assert capsys.readouterr().out == ""


def test_a_record_that_is_not_there_is_told(tmp_path):
    with pytest.raises(EcgEdgeError, match="there is no recording"):
        run("--record", tmp_path / "nothing")


def test_asking_for_help_imports_nothing_heavy():
    program = f"{PROGRAM.replace('sys.exit(', 'sys.exit(heavy() or ')}".replace(
        "parser = ", "heavy = lambda: int('numpy' in sys.modules or 'scipy' in sys.modules)\nparser = ", 1
    )
    program = program.replace("SIMULATE.run(parser.parse_args())", "bool(parser.format_help()) - 1")
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
