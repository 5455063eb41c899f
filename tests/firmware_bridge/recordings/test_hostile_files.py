"""Whatever a file holds: samples, or an error of ours that names it; in bounded time and memory."""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.errors import EcgEdgeError
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from tests.support import stored_files

EXAMPLES = int(os.environ.get("ECG_EDGE_FUZZ_EXAMPLES", "200"))
FUZZ = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MV = stored_files.beats(2)
ODD = st.sampled_from(
    ["", "0", "-1", "1", "nan", "inf", "1e999", "1e-310", "999999999999999999999", "16x999999", "16:99999999999", "~",
     "1/0", "(", "250/", "mV", "/mV", "0(0)/mV", "-200(5)/uV", "é", "\x1b[31m", "../x", "/etc/passwd", "r.dat", "٣",
     "1_0", "24:00:00", "31/02/2020", "1000000000", "#", "b\0", "0x10", "١٢", "²"]
)  # fmt: skip


def is_read_or_refused(path, fs=None):
    """Open and read the first rows of all signals."""
    try:
        recording = open_recording(path, fs)
        for k in range(min(4, len(recording.signals))):
            stop = min(recording.signals[k].length, 5000)
            x = recording.values([k], 0, stop)
            assert x.shape == (stop, 1) and not np.isinf(x).any()
            assert recording.signals[k].fs > 0
    except EcgEdgeError as e:
        assert e.message and e.fix


@FUZZ
@given(st.data())
def test_wfdb_headers_with_odd_words(tmp_path, data):
    header = stored_files.wfdb_record(tmp_path, "r", MV, comments=["age: 60 sex: F"])
    lines = [line.split() for line in header.read_text("utf-8").splitlines()]
    for _ in range(data.draw(st.integers(1, 3))):
        line = data.draw(st.sampled_from(lines))
        if line:
            line[data.draw(st.integers(0, len(line) - 1))] = data.draw(ODD)
    header.write_bytes("\n".join(" ".join(line) for line in lines).encode("utf-8", "surrogatepass"))
    is_read_or_refused(header)


@FUZZ
@given(st.data())
def test_files_with_other_bytes(tmp_path, data):
    kind = data.draw(st.sampled_from(KINDS))
    path = made(tmp_path, kind)
    text = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, min(len(text), 2000) - 1) if len(text) else st.just(0))
        piece = data.draw(st.binary(max_size=9) | ODD.map(lambda s: s.encode("utf-8", "replace")))
        text[at : at + (len(piece) if data.draw(st.booleans()) else 0)] = piece
    if data.draw(st.booleans()):
        text = text[: data.draw(st.integers(0, len(text)))]
    path.write_bytes(text)
    is_read_or_refused(path)


KINDS = ("edf", "edf+d", "csv", "tsv", "hea")


def made(folder, kind):
    """A good file of a kind, to be spoilt."""
    pair = [("ECG I", "uV", MV[:, 0] * 1000, 250), ("ECG II", "uV", MV[:, 1] * 1000, 250)]
    if kind == "edf":
        return stored_files.edf(folder / "r.edf", pair)
    if kind == "edf+d":
        return stored_files.edf(folder / "d.edf", pair, kind="EDF+D", onsets=[0, 3])
    if kind == "hea":
        return stored_files.wfdb_record(folder, "r", MV)
    return stored_files.table(folder / f"t.{kind}", MV[:100], separator="," if kind == "csv" else "\t")


@FUZZ
@given(
    st.binary(max_size=600),
    st.sampled_from([".edf", ".bdf", ".csv", ".txt", ".bin", ".xml", ".json", ".npz", ".mat", ".dcm"]),
)
def test_any_bytes_under_any_name(tmp_path, data, suffix):
    (tmp_path / f"x{suffix}").write_bytes(data)
    is_read_or_refused(tmp_path / f"x{suffix}")


@pytest.mark.parametrize(
    ("line", "signal"),
    [
        ("x 2 1000000000 5000", None),
        ("x 1000000000 250 5000", None),
        ("x 2 250 5000", "x.dat 16x999999 1000/mV 16 0 0 0 0 I"),
        ("x 2 250 5000", "x.dat 16 1e-310/mV 16 0 0 0 0 I"),
        ("x 2 250 1000000000000", "x.dat 16 1000/mV 16 0 0 0 0 I"),
        ("x/1000000000 2 250 1000000000000", None),
    ],
)
@pytest.mark.parametrize("reader", ["replay", "convert", "simulate"])
def test_headers_that_ask_for_the_earth(tmp_path, line, signal, reader):
    from ecg_edge.device.recording.stored_recording import read_stored
    from ecg_edge.device.sources.replay_source import read_recording
    from ecg_edge.firmware_bridge.virtual_patch.recorded_signal import record_source

    wanted = (lambda k, lead: signal.rsplit(" ", 1)[0] + f" {lead}") if signal else None
    stored_files.wfdb_record(tmp_path, "x", MV, line=line, signal=wanted)
    try:
        if reader == "replay":
            next(read_recording(str(tmp_path / "x"))[1])
        elif reader == "convert":
            assert len(read_stored(str(tmp_path / "x")).counts) <= 5000
        else:
            record_source(str(tmp_path / "x"))
    except EcgEdgeError as e:
        assert e.fix
