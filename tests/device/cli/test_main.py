import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecg_edge.device.cli import main as command
from ecg_edge.device.cli.main import main
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.inference.shipped import shipped_models
from ecg_edge.firmware_bridge.ecglink.encoder import EcgLinkEncoder
from ecg_edge.firmware_bridge.errors import EcgEdgeError, MissingExtraError
from tests.support import fakes
from tests.support.tiny_model import tiny_graph, tiny_spec, write_tiny

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    return str(write_tiny(tmp_path_factory.mktemp("m") / "tiny.onnx"))


@contextlib.contextmanager
def device(counts, leads=("I", "II"), connections=1, each=None, lose=()):
    """A device on a TCP port that sends its samples in frames of ten and hangs up."""
    encoder = EcgLinkEncoder(fakes.info(leads, per_frame=10), boot=7)
    server = socket.create_server(("127.0.0.1", 0))
    each = each or len(counts)

    def serve():
        for k in range(connections):
            peer, _ = server.accept()
            with peer:
                peer.sendall(encoder.describe())
                for i in range(k * each, min((k + 1) * each, len(counts)), 10):
                    if i not in lose:
                        peer.sendall(encoder.samples(counts[i : i + 10], i, i * 131))
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(4096):  # what the host says must be read, or the hang-up becomes a reset
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    finally:
        thread.join()
        server.close()


def last_json(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_from_the_wire_to_the_record(model_file, tmp_path, capsys):
    counts = fakes.walk(2000)
    with device(counts, lose=(500, 1000, 1010, 1020)) as url:
        status = main(["run", url, "--model", model_file, "--out", str(tmp_path), "--no-reconnect", "--json"])
    d = last_json(capsys)
    assert status == d["exit"] == 4 and "went away" in d["error"]  # it hung up
    assert (d["samples_in"], d["samples_lost"], d["samples_out"]) == (1960, 40, 800)
    assert d["lost_ranges"] == [[500, 510], [1000, 1030]] and d["notes"] == {"held": 1, "gap": 1}
    read = wfdb.rdrecord(d["recording"] + "_measured", physical=False)
    lost = read.d_signal[:, 0] == {"16": -(2**15), "24": -(2**23)}[read.fmt[0]]
    assert np.flatnonzero(lost).tolist() == [*range(500, 510), *range(1000, 1030)]
    assert (read.d_signal[~lost] == counts[~lost]).all()
    assert wfdb.rdrecord(d["recording"]).sig_len == 800


def test_a_device_that_comes_back_continues_the_same_record(model_file, tmp_path, capsys):
    counts = fakes.walk(2000)
    with device(counts, connections=2, each=1000) as url:
        status = main(["run", url, "--model", model_file, "--out", str(tmp_path), "--seconds", "8", "--json"])
    d = last_json(capsys)
    assert status == 0 and d["samples_in"] == 2000 and d["notes"]["disconnect"] == d["notes"]["reconnect"] == 1
    assert len(list(tmp_path.glob("*.dat"))) == 2


def test_replay_of_a_recording_gives_the_recording_again(model_file, tmp_path, capsys):
    args = ["run", "synthetic:seed=3", "--model", model_file, "--seconds", "5", "--fast", "--json", "--out"]
    assert main([*args, str(tmp_path / "a")]) == 0
    first = last_json(capsys)["recording"]
    assert main(["run", f"replay:{first}_measured", *args[2:4], "--fast", "--json", "--out", str(tmp_path / "b")]) == 0
    second = last_json(capsys)["recording"]
    measured = [wfdb.rdrecord(f"{name}_measured").p_signal for name in (first, second)]
    assert np.array_equal(*measured, equal_nan=True)
    a, b = wfdb.rdrecord(first), wfdb.rdrecord(second)
    assert a.sig_name == b.sig_name
    # A stored recording starts warm, a live one cold: the filters forget the difference within seconds.
    np.testing.assert_allclose(a.p_signal[300:], b.p_signal[300:], atol=0.003, equal_nan=True)


def test_people_get_figures_and_the_next_step(model_file, capsys):
    assert main(["run", "synthetic:", "--model", model_file, "--seconds", "3", "--fast", "--mains", "off"]) == 0
    out, err = capsys.readouterr()
    assert "reconstructed V1 V2" in out and "not for diagnosis" in err and err.splitlines()[-1].startswith("next: ")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["run", "/dev/ttyNOTHING"], 1, "does not exist"),
        (["run", "tcp://127.0.0.1"], 2, "tcp://host:port"),
        (["run", "ftp://x"], 2, "cannot open"),
        (["run", "synthetic:color=red", "--fast"], 2, "color"),
        (["run", "synthetic:fs=0", "--fast"], 2, "synthetic:fs=0"),
        (["run", "synthetic:", "--seconds", "-1"], 2, "--seconds"),
        (["run", "synthetic:", "--seconds", "nan"], 2, "--seconds"),
        (["run", "replay:nowhere"], 1, "there is no recording nowhere"),
        (["run", "/dev/null", "--fast"], 2, "--fast"),
        (["run", "synthetic:", "--leads", "I,Q"], 2, "unknown lead"),
        (["run", "synthetic:", "--fast", "--leads", "I,II,III"], 1, "names 3 channels"),
        (["run", "synthetic:leads=I,V2", "--fast"], 1, "II missing"),
        (["run", "synthetic:", "--fast", "--model", "/no/such.onnx"], 1, "cannot read model"),
        (["info", "nothing"], 1, "cannot read model nothing"),
        (["doctor", "--recover", "nothing"], 1, "nothing"),
        (["run", "synthetic:fs=1e400"], 2, "no rate of an ECG"),
        (["run", "synthetic:fs=1e9"], 2, "no rate of an ECG"),
        (["run", "/dev/ttyS0", "--baud", "99999999999"], 2, "--baud"),
        (["run", "/dev/ttyS0", "--baud", "0"], 2, "--baud"),
        (["run", "synthetic:", "--mqtt", "mqtt://[::1/x"], 2, "no broker"),
        (["run", "synthetic:", "--token-file", "nowhere", "--monitor"], 2, "cannot read the secret"),
        (["run", "synthetic:", "--tls-cert", "nowhere", "--monitor"], 2, "--tls-cert nowhere"),
        (["run", "synthetic:", "--metrics", "0.0.0.0:0"], 2, "without a token"),
    ],
)
def test_mistakes_are_told_with_a_fix_and_an_exit_status(model_file, capsys, arguments, status, message):
    if "--mqtt" in arguments:
        pytest.importorskip("paho.mqtt.client")
    if arguments[0] == "run" and "--model" not in arguments:
        arguments = [*arguments, "--model", model_file]
    assert main(arguments) == status
    err = capsys.readouterr().err
    assert message in err and "fix: " in err and "Traceback" not in err
    assert main([*arguments, "--json"]) == status
    out = capsys.readouterr().out
    if arguments[0] == "run":
        assert json.loads(out.splitlines()[-1])["exit"] == status


def damaged(kind, tmp_path):
    path = tmp_path / "m.onnx"
    whole = write_tiny(path).read_bytes()
    if kind == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "cut short":
        path.write_bytes(whole[:20])
    elif kind == "flipped":
        path.write_bytes(whole[:400] + bytes([whole[400] ^ 4]) + whole[401:])
    elif kind == "not ours":
        path.write_bytes(tiny_graph(tiny_spec(), metadata={}).replace(b"ecg_edge_sha256=", b"other_prog_hash="))
    elif kind == "undescribed":
        write_tiny(path, metadata={"something": "else"})
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "offline":
        write_tiny(path, tiny_spec(kind="offline"))
    elif kind == "other leads":
        write_tiny(path, tiny_spec(("V1", "II")))
    return str(path)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("truncated", "damaged"),
        ("cut short", "truncated"),
        ("flipped", "damaged"),
        ("not ours", "not an ecg-edge model"),
        ("undescribed", "no description"),
        ("empty", "not an ecg-edge model"),
        ("offline", "offline model"),
        ("other leads", "V1 missing"),
    ],
)
def test_unusable_models_are_told_apart(tmp_path, capsys, kind, message):
    assert main(["run", "synthetic:", "--fast", "--seconds", "1", "--model", damaged(kind, tmp_path)]) == 1
    assert message in capsys.readouterr().err


def test_without_a_shipped_model_the_user_is_told_to_name_one(monkeypatch, capsys):
    monkeypatch.setattr("ecg_edge.device.inference.shipped.shipped_models", dict)
    assert main(["run", "synthetic:", "--fast", "--seconds", "1"]) == 1
    assert "--model" in capsys.readouterr().err


def test_the_default_model_is_the_one_that_uses_most_leads_and_int8(tmp_path, monkeypatch):
    from ecg_edge.device.inference.shipped import default_model

    int8 = {"quantisation": {"precision": "int8"}}
    specs = {
        "i-int8": tiny_spec(("I",), **int8),
        "i-ii-fp32": tiny_spec(("I", "II")),
        "i-ii-int8": tiny_spec(("I", "II"), **int8),
        "i-v2-int8": tiny_spec(("I", "V2"), **int8),
    }
    files = {name: write_tiny(tmp_path / f"{name}.onnx", spec) for name, spec in specs.items()}
    files["v6-int8"] = tmp_path / "never-opened.onnx"
    monkeypatch.setattr("ecg_edge.device.inference.shipped.shipped_models", lambda: files)
    assert default_model(("II", "I", "V5")) == files["i-ii-int8"]
    assert default_model(("I",)) == files["i-int8"]
    with pytest.raises(EcgEdgeError, match="no shipped model for V5"):
        default_model(("V5",))


def test_the_name_of_a_shipped_model_tells_its_leads_and_precision() -> None:
    for name, path in shipped_models().items():
        spec = load_model(path).spec
        every = ("any", "electrode") if spec.any_electrode else ("any",)
        leads = every if spec.any_lead else spec.input_leads
        assert name == "-".join((*leads, spec.precision)).lower()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_run_cleanly(model_file, tmp_path, name):
    arguments = ["run", "synthetic:", "--model", model_file, "--out", str(tmp_path), "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "ecg_edge", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    ) as child:  # fmt: skip
        for line in child.stderr:
            if "heart" in line:
                child.send_signal(getattr(signal, name))
                break
        out, err = child.communicate()
    d = json.loads(out.splitlines()[-1])
    assert child.returncode == d["exit"] == 0 and "Traceback" not in err
    assert wfdb.rdrecord(d["recording"] + "_measured").sig_len == d["samples_in"]


def test_info_and_doctor_speak_json(model_file, capsys):
    assert main(["info", model_file, "--json"]) == 0
    d = last_json(capsys)
    assert d["input_leads"] == ["I", "II"] and d["state_bytes"] == 96 and d["licence"] == "Apache-2.0"
    assert d["size_bytes"] == Path(model_file).stat().st_size
    assert main(["info", model_file]) == 0
    out = capsys.readouterr().out
    assert "90 ms" in out and "V1    0.2000        0.5000" in out and d["sha256"] in out
    assert d["states"] == {"float32": 1} and "1 float32" in out
    assert main(["info", "any-int8"]) == 0
    out = capsys.readouterr().out
    assert "int8 I+II+V2" in out and max(map(len, out[out.index("accuracy") :].splitlines())) < 100
    assert main(["doctor", "--json"]) in (0, 1)
    found = {f["what"] for f in last_json(capsys)["findings"]}
    assert {"python", "numpy", "scipy", "onnxruntime", "pyserial", "extra web"} <= found


def test_info_lists_what_is_shipped(model_file, monkeypatch, capsys):
    monkeypatch.setattr("ecg_edge.device.cli.info.shipped_models", lambda: {"tiny": Path(model_file)})
    assert main(["info"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:3] == ["tiny", "I+II", "fp32"]


def test_doctor_recovers_a_record(model_file, tmp_path, capsys):
    main(["run", "synthetic:", "--model", model_file, "--seconds", "4", "--fast", "--out", str(tmp_path), "--json"])
    record = last_json(capsys)["recording"]
    os.truncate(record + ".dat", 36 * 300 + 5)
    assert main(["doctor", "--recover", record, "--json"]) == 0
    assert last_json(capsys)["samples"] == 300 == wfdb.rdrecord(record).sig_len


def test_help_names_the_verbs_and_version_the_version(capsys):
    for words in (["-h"], ["run", "-h"], ["--version"]):
        with pytest.raises(SystemExit, match="0"):
            main(words)
    out = capsys.readouterr().out
    assert "doctor" in out and "--no-reconnect" in out and "ecg-edge 0" in out
    with pytest.raises(SystemExit, match="2"):
        main(["run", "--mains", "55"])


def test_help_imports_neither_numpy_nor_onnxruntime():
    code = (
        "import sys\nfrom ecg_edge.device.cli import main, verbs\n"
        "heavy = {'numpy', 'scipy', 'onnxruntime', 'serial'} & sys.modules.keys()\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_a_run_starts_without_the_import_of_scipy(tmp_path):
    words = ["run", "synthetic:", "--fast", "--seconds", "2", "--jsonl", "--out", str(tmp_path)]
    code = (
        f"import sys\nfrom ecg_edge.device.cli.main import main\nstatus = main({words})\n"
        "sys.exit(status or sorted({'scipy', 'scipy.signal'} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-300:]
    assert '"leads"' in done.stdout


def test_a_verb_names_the_extra_it_misses(monkeypatch, capsys):
    broken = {
        "train": EntryPoint("train", "tests.device.needs_torch:TRAIN", "ecg_edge.verbs"),
        "gone": EntryPoint("gone", "ecg_edge.nowhere.cli:GONE", "ecg_edge.verbs"),
        "odd": EntryPoint("odd", "json:dumps", "ecg_edge.verbs"),
    }
    monkeypatch.setattr(command, "find_verbs", lambda: broken)
    monkeypatch.setitem(sys.modules, "tests.device.needs_torch", None)

    def no_torch(entry):
        raise ModuleNotFoundError("no torch", name="torch.nn")

    with pytest.raises(EcgEdgeError, match="not in this installation"):
        command.load_verb(broken["gone"])
    with pytest.raises(EcgEdgeError, match="no verb"):
        command.load_verb(broken["odd"])
    monkeypatch.setattr(EntryPoint, "load", no_torch)
    with pytest.raises(MissingExtraError, match=r"ecg-edge\[train\]"):
        command.load_verb(broken["train"])
    assert main(["train"]) == 1
    assert 'pip install "ecg-edge[train]"' in capsys.readouterr().err


@pytest.mark.parametrize(("stdout", "status"), [("| head -n 1 > {0}", 0), ("> /dev/full", 1), (">&-", 0), ("2>&-", 0)])
def test_a_stdout_that_fails_is_a_quiet_end(tmp_path, stdout, status):
    """Endless unless it is noticed; nothing of Python's own is printed."""
    if stdout == "> /dev/full" and not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    command = f"{sys.executable} -m ecg_edge.device.cli.main run synthetic: --jsonl"
    command += " --fast --seconds 1" if stdout == "2>&-" else ""
    script = f"{command} {stdout.format(tmp_path / 'line')}; exit ${{PIPESTATUS[0]}}"
    child = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert child.returncode == status, child.stderr
    assert "Traceback" not in child.stderr and "Exception ignored" not in child.stderr


def test_a_fault_is_one_sentence_and_where_to_report(monkeypatch, capsys):
    def broken(_):
        raise ZeroDivisionError("a fault\x1b[31m")

    monkeypatch.setattr("ecg_edge.device.cli.main._parser", broken)
    assert main(["run"]) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError: a fault" in said and "report" in said and "\x1b" not in said and "Traceback" not in said
    monkeypatch.setenv("ECG_EDGE_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        main(["run"])


def test_ctrl_c_ends_a_run_whose_lines_nobody_reads(tmp_path):
    command = [sys.executable, "-m", "ecg_edge.device.cli.main", "run", "synthetic:", "--fast", "--jsonl"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    read, write = os.pipe()
    with (tmp_path / "err").open("w") as err:
        child = subprocess.Popen(command, stdout=write, stderr=err, env=environment)
    try:
        deadline = time.monotonic() + 60
        while select.select([], [write], [], 0)[1] and time.monotonic() < deadline:  # there is room in the pipe
            time.sleep(0.02)  # another process's work is waited for, with a bound
        assert time.monotonic() < deadline, "the pipe never filled"
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=20) == 0
        said = (tmp_path / "err").read_text()
        assert "Traceback" not in said and "Fatal" not in said
    finally:
        child.kill()
        os.close(read)
        os.close(write)
