"""What is typed or stored wrongly ends in one sentence with a way out: no traceback, no secret, nothing begun."""

import struct

import pytest

from ecg_edge.device.cli.main import main

SYNTHETIC = '[[patch]]\nsource = "synthetic:"\n'
HEADER = "{line}\nx.dat 16{more} {gain} 16 0 0 0 0 I\nx.dat 16 {gain} 16 0 0 0 0 II\n"
FILES = {
    "table.toml": "defaults = 5\n" + SYNTHETIC,
    "tables.toml": "[[defaults]]\nmains = 50\n" + SYNTHETIC,
    "topic.toml": '[defaults]\nmqtt = "mqtt://h/ward/bed"\n' + SYNTHETIC + SYNTHETIC.replace(":", ":seed=1"),
    "scale.toml": SYNTHETIC + "scale.I = {uv_per_count = 1, zero = nan}\n",
    "deep.toml": "a = " + "[" * 200_000,
    "deep.cal": "[" * 200_000,
    "fast.hea": HEADER.format(line="x 2 1000000000 5000", more="", gain="1000"),
    "wide.hea": HEADER.format(line="x 1000000000 250 5000", more="", gain="1000"),
    "frame.hea": HEADER.format(line="x 2 250 5000", more="x999999", gain="1000"),
    "gain.hea": HEADER.format(line="x 2 250 5000", more="", gain="1e-310"),
    "slow.hea": HEADER.format(line="x 2 1 5000", more="", gain="1000"),
    "text.txt": "0.1 0.2\n" * 300,
}
TYPED = [
    ("run --config table.toml", 2, "defaults: is no table"),
    ("run --config tables.toml", 2, "defaults: is no table"),
    ("run --config topic.toml", 2, "is used twice, by patch 1 and patch 2"),
    ("run --config scale.toml", 2, "scale must be"),
    ("run --config deep.toml", 2, "nested too deep"),
    ("run synthetic: --calibration deep.cal", 1, "damaged or no calibration"),
    ("run synthetic: --mqtt mqtt://[::1/x", 2, "names no broker and topic"),
    ("run synthetic: --mqtt mqt://u:SECRET@h/x --json", 2, "names no broker and topic"),
    ("run synthetic: --mqtt mqtt://u:SEC/RET@h/x --json", 2, "names no broker and topic"),
    ("run /dev/ttyS0 --baud 99999999999", 2, "--baud 99999999999 is no whole number from 50 to"),
    ("run /dev/ttyS0 --baud 0", 2, "--baud 0 is no whole number from 50 to"),
    ("run synthetic:fs=1e400", 2, "no rate of an ECG"),
    ("run synthetic:fs=1e9", 2, "no rate of an ECG"),
    ("run replay:fast", 1, "sampling frequency"),
    ("run replay:wide", 1, "number of signals"),
    ("run replay:frame", 1, "samples per frame"),
    ("run replay:gain", 1, "gain"),
    ("run replay:slow", 1, "too few for an ECG"),
    ("decode text.txt --as plotter --times forged.npy", 2, "byte_offset,seconds"),
    ("run text.txt --as plotter", 2, "is a file, not a port"),
    ("run synthetic: --rotate 1h", 2, "--rotate would do nothing"),
    ("run synthetic: --gain 5", 2, "--gain would do nothing"),
    ("run synthetic: --token 0123456789abcdef", 2, "--token would do nothing"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("typed")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    for name in ("fast", "wide", "frame", "gain", "slow"):
        text = (folder / f"{name}.hea").read_text()
        (folder / f"{name}.hea").write_text(text.replace("x ", f"{name} ", 1))
    (folder / "x.dat").write_bytes(bytes(20_000))
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 2), }".ljust(117) + b"\n"
    (folder / "forged.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(64))
    return folder


@pytest.mark.parametrize(("words", "status", "told"), TYPED, ids=[words for words, _, _ in TYPED])
def test_it_is_one_sentence_with_a_fix(folder, monkeypatch, capsys, words, status, told):
    if "--mqtt" in words:
        pytest.importorskip("paho.mqtt.client")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("ECG_EDGE_TOKEN", raising=False)
    before = set(folder.iterdir())
    assert main(words.split()) == status
    out, err = capsys.readouterr()
    assert told in err and "fix: " in err
    assert not any(secret in out + err for secret in ("SECRET", "RET@", "Traceback", "a fault of"))
    assert set(folder.iterdir()) == before
