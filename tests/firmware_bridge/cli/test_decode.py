import csv
import io
import json
import sys
from argparse import ArgumentParser
from fractions import Fraction

import numpy as np
import pytest

from ecg_edge.firmware_bridge.cli.decode import DECODE
from ecg_edge.firmware_bridge.decoders.catalogue import DEVICES, find_device
from ecg_edge.firmware_bridge.errors import EcgEdgeError, NotAnEcgStreamError, UsageError
from ecg_edge.firmware_bridge.ports.capture_file import decode_bytes, read_bytes, read_times, save
from tests.support import wire


def _verb(*words):
    parser = ArgumentParser()
    DECODE.configure(parser)
    return DECODE.run(parser.parse_args([str(w) for w in words]))


@pytest.fixture
def chords(tmp_path):
    path = tmp_path / "chords.bin"
    frames = [wire.chords(k, [500 + k, 510, 520, 530, 540, 550]) for k in range(40)]
    path.write_bytes(b"UNO-R3\r\n" + b"".join(frames[:10] + frames[13:] + frames[-1:]))
    return path


def test_json_is_the_tally_and_the_last_line(chords, capsys):
    assert _verb("--as", "chords-uno-r3", chords, "--json") == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert document == {
        "device": "chords-uno-r3",
        "fs": 250,
        "leads": ["I", "II", "ch3", "ch4", "ch5", "ch6"],
        "samples": 37,
        "lost": 3,
        "lost_ranges": [[10, 13]],
        "loss_known": True,
        "duplicates": 1,
        "bad_frames": 0,
        "skipped_bytes": 8,
        "stale": 0,
    }
    assert next(iter(document)) == "device"


def test_without_json_the_result_is_readable_and_the_hint_goes_to_stderr(chords, capsys):
    _verb(chords)
    streams = capsys.readouterr()
    assert "lost_ranges    [[10, 13]]" in streams.out
    assert "recognised chords-uno-r3" in streams.err
    assert "next: ecg-edge decode --as chords-uno-r3" in streams.err


def test_npz_holds_index_counts_mv_leads_fs(chords, tmp_path):
    out = tmp_path / "x.npz"
    _verb("--as", "chords", chords, "--out", out, "--gain", 500, "--leads", "V2,v5")
    with np.load(out) as got:
        assert sorted(got.files) == ["counts", "fs", "index", "leads", "mv"]
        assert (got["index"].dtype, got["counts"].dtype, got["mv"].dtype) == (np.int64, np.int32, np.float32)
        assert got["leads"].tolist() == ["V2", "V5", "ch3", "ch4", "ch5", "ch6"]
        assert got["fs"] == 250
        assert got["index"].tolist() == [*range(10), *range(13, 40)]
        assert got["mv"][0, 0] == pytest.approx((500 - 512) * 5000 / 1024 / 500)


def test_csv_holds_the_same_columns(chords, tmp_path):
    table, arrays = tmp_path / "x.csv", tmp_path / "x.npz"
    _verb("--as", "chords", chords, "--out", table)
    _verb("--as", "chords", chords, "--out", arrays)
    with table.open(newline="") as f:
        header, *rows = csv.reader(f)
    assert header[:3] == ["index", "counts_I", "counts_II"]
    assert header[7:9] == ["mv_I", "mv_II"]
    values = np.array(rows, float)
    with np.load(arrays) as got:
        assert np.array_equal(values[:, 0], got["index"])
        assert np.array_equal(values[:, 1:7], got["counts"])
        assert np.array_equal(values[:, 7:].astype(np.float32), got["mv"])


def test_channels_that_carry_no_voltage_have_no_millivolts(tmp_path):
    data = b"".join(wire.healthypi(e, 4, resp=-e) for e in range(20))
    got = decode_bytes(find_device("healthypi4").decoder(), data)
    assert got.info.leads == ("II", "resp")
    assert np.isnan(got.mv[:, 1]).all()
    assert got.counts[:, 1].tolist() == [-e for e in range(20)]
    save(got, tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text().splitlines()[1].endswith(",nan")


def test_rate_may_be_told(chords, capsys):
    _verb("--as", "chords", chords, "--fs", "16000000/63680", "--json")
    assert json.loads(capsys.readouterr().out)["fs"] == pytest.approx(251.2562814)
    with pytest.raises(UsageError, match="sampling rate"):
        _verb("--as", "chords", chords, "--fs", "fast")


def test_standard_input(chords, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(chords.read_bytes())))
    _verb("--as", "chords", "-", "--json")
    assert json.loads(capsys.readouterr().out)["samples"] == 37


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".txt"])
def test_arrival_times_find_a_whole_wrap(tmp_path, capsys, suffix):
    frames = [wire.chords(k, [500] * 6) for k in range(900)]
    kept = [k for k in range(900) if not 300 <= k < 556]
    (tmp_path / "x.bin").write_bytes(b"".join(frames[k] for k in kept))
    rows = np.column_stack((np.arange(len(kept)) * len(frames[0]), 10 + np.array(kept) / 250))
    times = tmp_path / f"t{suffix}"
    if suffix == ".npy":
        np.save(times, rows)
    else:
        np.savetxt(times, rows, delimiter="," if suffix == ".csv" else "\t", header="byte seconds")
    _verb("--as", "chords", tmp_path / "x.bin", "--times", times, "--json")
    assert json.loads(capsys.readouterr().out)["lost_ranges"] == [[300, 556]]


def test_one_time_per_byte_is_taken_too(tmp_path):
    np.save(tmp_path / "t.npy", np.arange(5.0))
    assert read_times(tmp_path / "t.npy", 5).tolist() == [[k, k] for k in range(5)]


@pytest.mark.parametrize(
    "text", ["", "0 1\n5 nan", "3 1\n5 2", "0 2\n5 1", "0 1\n99 2", "1 2 3\n4 5 6", "when,what", "0\n1\n2"]
)
def test_bad_arrival_times_are_refused_with_the_format(tmp_path, text):
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(UsageError, match="byte_offset,seconds"):
        read_times(tmp_path / "t.txt", 20)


def test_what_cannot_be_read_or_written_is_a_typed_error(tmp_path, chords):
    with pytest.raises(UsageError, match="cannot read"):
        read_bytes(tmp_path / "absent.bin")
    got = decode_bytes(find_device("chords").decoder(), chords.read_bytes())
    with pytest.raises(UsageError, match="npz"):
        save(got, tmp_path / "x.wav")
    with pytest.raises(EcgEdgeError, match="cannot write"):
        save(got, tmp_path / "absent" / "x.npz")
    with pytest.raises(UsageError, match="unknown device"):
        _verb("--as", "chord-uno", chords)


def test_wrong_device_names_the_way_out(chords):
    with pytest.raises(NotAnEcgStreamError, match="--as auto"):
        _verb("--as", "cyton", chords)


def test_more_leads_than_channels_and_bad_gains_are_refused():
    with pytest.raises(UsageError, match="1 channel"):
        find_device("healthypi4").decoder(("I", "II"))
    with pytest.raises(UsageError, match="gain"):
        find_device("olimex").decoder(gain=0.0)
    with pytest.raises(UsageError, match="microvolts"):
        find_device("healthypi6").decoder(gain=2.0)


def test_a_lead_named_anew_is_not_there_twice():
    assert find_device("olimex").decoder(("II",)).info.leads == ("II", "ch2", "ch3", "ch4", "ch5", "ch6")


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
def test_table_and_decoder_agree(device):
    decoder = device.decoder()
    assert decoder.name == device.name
    assert (decoder.info.fs, decoder.info.leads) == (device.fs, device.leads)
    assert device.decoder(fs=Fraction(77)).info.fs == 77
    assert device.boot_s >= 0


def test_device_names_and_aliases_are_unique():
    names = [label for d in DEVICES for label in (d.name, *d.aliases)]
    assert len(set(names)) == len(names)
    assert find_device("OpenBCI_Cyton").name == "cyton"
