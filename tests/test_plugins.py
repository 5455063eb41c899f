"""Parts of other packages: installed, found, checked, run by the real command; bad ones harm nobody."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ecg_edge.device.verification.sink_checks import check_sink
from ecg_edge.firmware_bridge.conformance import FRAMES, Specimen, check_decoder

EXAMPLE = Path(__file__).parent / "plugin_example"
RUN = ["run", "synthetic:", "--fast", "--seconds", "2", "--model", "i-ii-int8", "--json"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The example, installed by pip into a folder of its own."""
    source, target = tmp_path_factory.mktemp("source") / "twinlead", tmp_path_factory.mktemp("site")
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))
    command = ["install", "-q", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(target), str(source)]
    subprocess.run([sys.executable, "-m", "pip", *command], check=True, capture_output=True)
    return target


def environment(*folders):
    return os.environ | {"PYTHONPATH": os.pathsep.join([*map(str, folders), os.environ.get("PYTHONPATH", "")])}


def ecg_edge(folder, *words, cwd=None):
    command = [sys.executable, "-m", "ecg_edge", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(folder), cwd=cwd)


def stranger(folder, name, group, entry, module=""):
    """A package made by hand."""
    about = folder / f"{name}-0.1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
    (folder / f"{name}.py").write_text(module)


@pytest.fixture
def importable(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    yield
    for name in [m for m in sys.modules if m.startswith("ecg_edge_twinlead")]:
        del sys.modules[name]


def test_the_example_passes_what_every_decoder_must(importable):
    from ecg_edge_twinlead.device import TWINLEAD
    from ecg_edge_twinlead.emulator import frame

    frames = [frame(k + 230, 3 * k - 40, 90 - 2 * k) for k in range(FRAMES)]
    check_decoder(Specimen(TWINLEAD.decoder, frames, [[[3 * k - 40, 90 - 2 * k]] for k in range(FRAMES)], True))


def test_the_example_passes_what_every_sink_must(importable, tmp_path):
    from ecg_edge_twinlead.csv_sink import CsvSink

    check_sink(lambda: CsvSink(tmp_path / "leads.csv"))


def test_a_decoder_of_another_package_is_known_by_name_and_by_its_bytes(installed, importable, tmp_path):
    from ecg_edge_twinlead.emulator import frame

    capture = tmp_path / "x.bin"
    capture.write_bytes(b"".join(frame(k, k, -k) for k in range(400)))
    for words in (["--as", "twinlead"], ["--as", "TWIN"], []):
        done = ecg_edge(installed, "decode", capture, *words, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["samples"] == 400
    done = ecg_edge(installed, "decode", capture, "--as", "twinled")
    assert done.returncode == 2 and "twinlead" in done.stderr


def test_a_device_and_a_sink_of_another_package_run_live(installed, tmp_path):
    simulate = [sys.executable, "-m", "ecg_edge", "simulate", "--as", "twinlead", "--tcp", "127.0.0.1:0"]
    with subprocess.Popen(simulate, stdout=subprocess.PIPE, text=True, env=environment(installed)) as patch:
        try:
            url = patch.stdout.readline().strip()
            words = ["--as", "twinlead", "--seconds", "3", "--sink", "csv:leads.csv", "--no-reconnect", "--json"]
            done = ecg_edge(installed, "run", url, *words, cwd=tmp_path)
        finally:
            patch.terminate()
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["device"] == "twinlead" and summary["samples_in"] == 750
    assert "csv: leads.csv" in done.stderr
    rows = np.genfromtxt(tmp_path / "leads.csv", delimiter=",", names=True)
    assert len(rows) == summary["samples_out"] and np.nanmax(np.abs(rows["II"])) > 0.3


def test_a_file_names_sinks_too(installed, tmp_path):
    (tmp_path / "one.toml").write_text(
        "[[patch]]\nsource = 'synthetic:'\nfast = true\nseconds = 2\nsinks = ['csv:a.csv', 'jsonl']\n"
    )
    done = ecg_edge(installed, "run", "--config", "one.toml", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.csv").read_text().startswith("index,I,II")
    assert json.loads(done.stdout.splitlines()[0])["type"] == "header"


def test_doctor_names_who_brings_what(installed):
    out = ecg_edge(installed, "doctor").stdout
    assert "decoder twinlead: from ecg-edge-twinlead 1.0" in out and "sink csv: from ecg-edge-twinlead 1.0" in out


def test_a_bad_plugin_is_reported_by_doctor_and_harms_no_run(tmp_path):
    stranger(tmp_path, "mine", "ecg_edge.decoders", "new = mine:D", "import no_such_module")
    stranger(tmp_path, "yours", "ecg_edge.sinks", "mqtt = yours:make", "make = print")
    stranger(tmp_path, "hers", "ecg_edge.recordings", "odd = hers:F", "1 / 0")
    stranger(tmp_path, "his", "ecg_edge.verbs", "sing = his:V", "raise KeyError('voice')")
    doctor = ecg_edge(tmp_path, "doctor", "--json")
    bad = {f["what"]: f for f in json.loads(doctor.stdout)["findings"] if f["ok"] is False}
    assert doctor.returncode == 1 and "No module named 'no_such_module'" in bad["decoder new"]["text"]
    assert "that name is built in" in bad["sink mqtt"]["text"]
    assert "ZeroDivisionError" in bad["recording format odd"]["text"]
    assert bad["decoder new"]["fix"].endswith("pip uninstall mine")
    help_ = ecg_edge(tmp_path, "-h")
    assert help_.returncode == 0 and "pip uninstall his" in help_.stdout
    assert "KeyError" in ecg_edge(tmp_path, "sing").stderr
    (tmp_path / "x.csv").write_text("time,I,II\n" + "".join(f"{k / 250},0.1,{k % 9 / 9}\n" for k in range(1500)))
    replay = ["run", "replay:x.csv", "--fast", "--json"]
    assert ecg_edge(tmp_path, *replay, cwd=tmp_path).returncode == 0
    assert ecg_edge(tmp_path, *RUN, "--sink", "jsonl").returncode == 0


def test_a_bad_plugin_ends_only_the_run_that_asks_for_it(tmp_path):
    stranger(tmp_path, "mine", "ecg_edge.sinks", "new = mine:make", "def make(request):\n    raise KeyError('x')\n")
    patches = "[defaults]\nfast = true\nseconds = 2\n"
    patches += "[[patch]]\nname = 'a'\nsource = 'synthetic:'\nsinks = ['new:7']\n"
    patches += "[[patch]]\nname = 'b'\nsource = 'synthetic:seed=1'\n"
    (tmp_path / "two.toml").write_text(patches)
    done = ecg_edge(tmp_path, "run", "--config", tmp_path / "two.toml", "--json")
    found = json.loads(done.stdout)["patches"]
    assert "the sink new of mine 0.1 cannot be made: KeyError" in found["a"]["error"]
    assert found["b"]["exit"] == 0 and found["b"]["samples_in"] == 500


def test_two_packages_with_one_name_are_both_refused(tmp_path):
    for name in ("mine", "yours"):
        stranger(tmp_path, name, "ecg_edge.sinks", f"new = {name}:make", "make = print")
    done = ecg_edge(tmp_path, *RUN, "--sink", "new")
    assert done.returncode == 1 and "has the same name" in done.stderr


def test_an_unknown_sink_is_refused_with_the_nearest(tmp_path):
    done = ecg_edge(tmp_path, *RUN, "--sink", "metric:9100")
    assert done.returncode == 2 and "metrics" in done.stderr
