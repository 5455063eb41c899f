"""What is made of a recording: EDF+ in readers not ours, a page, and a replay."""

import json
import re
from datetime import datetime
from fractions import Fraction

import mne
import numpy as np
import pyedflib
import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.device.recording.edf_writer import data_records, write_edf
from ecg_edge.device.recording.page_content import page_content
from ecg_edge.device.recording.stored_recording import Signal, Stored, read_stored
from ecg_edge.firmware_bridge.errors import LeadMismatchError, RecordingError
from ecg_edge.firmware_bridge.events import Gap
from ecg_edge.firmware_bridge.lead_names import LEADS
from tests.device.recording.test_recorder import record
from tests.support import fakes

mne.set_log_level("error")


@pytest.fixture(scope="module")
def recording(model, tmp_path_factory):
    """Twelve seconds at 250 Hz with a second lost and a lead off for a while."""
    counts = fakes.walk(3000)
    off = np.ones((1000, 2), bool)
    off[:250, 1] = False
    events = [fakes.block(counts[:1000]), Gap(1000, 1250), fakes.block(counts[1250:2000], 1250),
              fakes.block(counts[2000:], 2000, off)]  # fmt: skip
    return str(record(model, tmp_path_factory.mktemp("rec"), events))


@pytest.mark.parametrize("which", ["", "_measured"])
def test_edf_holds_what_the_record_holds_in_two_other_readers(recording, tmp_path, capsys, which):
    out = tmp_path / "x.edf"
    assert main(["convert", recording + which, "--out", str(out), "--patient", "P 7", "--json"]) == 0
    d = json.loads(capsys.readouterr().out)
    stored = read_stored(recording + which)
    want, n = np.nan_to_num(stored.mv), len(stored.counts)
    labels = [f"ECG {s.lead}" + (" (recon)" if s.provenance == "reconstructed" else "") for s in stored.signals]
    assert d["seconds"] == pytest.approx(n / float(stored.fs))
    with pyedflib.EdfReader(str(out)) as edf:
        assert edf.getPatientCode() == "P 7" and edf.getStartdatetime() == datetime(2025, 3, 1, 12, 0, 5)
        assert edf.getSignalLabels() == labels
        assert {edf.getPhysicalDimension(k) for k in range(edf.signals_in_file)} == {"mV"}
        onsets, lengths, texts = edf.readAnnotations()
        for k, s in enumerate(stored.signals):
            x = edf.readSignal(k)[:n]
            assert np.abs(x - want[:, k])[stored.valid[:, k]].max() <= 0.5 / s.gain
            assert (edf.readSignal(k, digital=True)[:n][~stored.valid[:, k]] == -32768).all()
            assert ("estimate" in edf.getTransducer(k)) == (s.provenance == "reconstructed")
    blank = [(o, e) for o, e, t in zip(onsets, lengths, texts, strict=True) if t.startswith("no valid signal")]
    assert blank and sum(e for _, e in blank) == pytest.approx((~stored.valid).any(axis=1).sum() / float(stored.fs))
    assert any("gap" in t for t in texts) and "start of recording" in texts
    raw = mne.io.read_raw_edf(out, preload=True)
    assert raw.info["sfreq"] == float(stored.fs) and raw.ch_names == labels
    x = 1e3 * raw.get_data()[:, :n].T
    assert np.abs(x - want)[stored.valid].max() <= 0.51 / min(s.gain for s in stored.signals)
    assert len(raw.annotations) == len(texts)


def test_an_edf_file_is_not_replaced_unasked(recording, tmp_path, capsys):
    out = tmp_path / "x.edf"
    out.write_text("mine")
    assert main(["convert", recording, "--out", str(out)]) == 2
    assert out.read_text() == "mine" and "--force" in capsys.readouterr().err
    assert main(["convert", recording, "--out", str(out), "--force"]) == 0


@pytest.mark.parametrize("fs", ["100", "250", "32768/131", "255711/500", "12997/100", "360002/1000", "100003/991"])
def test_data_records_of_whole_samples(fs):
    length, (n,) = data_records([Fraction(fs)])
    assert Fraction(1, 2) <= length <= 60 and len(f"{float(length):g}") <= 8
    assert abs(n / length / Fraction(fs) - 1) <= 1e-8
    if fs in ("100", "250"):
        assert (length, n) == (Fraction(1, 2), Fraction(fs) / 2)


def test_data_records_for_several_rates_at_once():
    length, (a, b) = data_records([Fraction(500), Fraction(1, 1)])
    assert (length, a, b) == (1, 500, 1)


def test_a_rate_edf_cannot_hold_is_refused():
    with pytest.raises(RecordingError, match="exactly"):
        data_records([Fraction(1, 997), Fraction(500)])


def test_large_counts_are_scaled_into_sixteen_bits(tmp_path):
    counts = np.array([[-8_000_000], [0], [8_000_000], [123]] * 25, np.int32)
    stored = Stored("big", Fraction(100), None, 0, (Signal("I", "", 1e5, 0),), counts, np.ones((100, 1), bool), (), ())
    write_edf(stored, tmp_path / "big.edf")
    with pyedflib.EdfReader(str(tmp_path / "big.edf")) as edf:
        assert np.abs(edf.readSignal(0) - counts[:, 0] / 1e5).max() <= 0.5 * 80 / 32767 + 1e-9


def test_a_page_at_true_scale(recording, tmp_path, capsys):
    out = tmp_path / "page.pdf"
    assert main(["report", recording, "--out", str(out), "--patient", "P7", "--at", "1", "--json"]) == 0
    data = out.read_bytes()
    box = [float(x) for x in re.search(rb"/MediaBox \[\s*([\d. ]+?)\s*\]", data)[1].split()]
    assert box == pytest.approx([0, 0, 297 / 25.4 * 72, 210 / 25.4 * 72], abs=0.5)
    assert json.loads(capsys.readouterr().out)["from_s"] == 1
    assert main(["report", recording, "--out", str(tmp_path / "page.png")]) == 0
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert main(["report", recording, "--out", str(out)]) == 2 and out.read_bytes() == data
    assert "--force" in capsys.readouterr().err
    assert main(["report", recording, "--out", str(out), "--force"]) == 0
    capsys.readouterr()
    assert main(["report", recording, "--out", str(tmp_path / "page.doc")]) == 2
    assert main(["report", recording, "--out", str(out), "--at", "99"]) == 2
    assert "outside" in capsys.readouterr().err
    assert main(["report", recording + "_measured", "--out", str(tmp_path / "two.pdf")]) == 0


def test_a_page_holds_what_the_recording_says(recording):
    content = page_content(read_stored(recording, 100, 1100), "P7")
    mv = read_stored(recording, 100, 1100).mv
    assert content.identifier == "P7" and content.fs == 100 and content.rhythm in ("I", "II")
    for k, lead in enumerate(LEADS):
        assert np.array_equal(content.leads[lead][0].mv, mv[:, k], equal_nan=True)
    assert [content.leads[x][0].kind for x in ("II", "III", "V3")] == ["measured", "derived", "reconstructed"]
    assert (
        content.filters == "0.5–40 Hz, no notch (figures: phase undone)"
        and content.device
        and "LL" in content.electrodes
    )
    assert "UTC" in content.when


def test_what_is_missing_is_told(tmp_path):
    with pytest.raises(RecordingError, match="missing"):
        read_stored(str(tmp_path / "nothing"))
    stored = Stored(
        "x",
        Fraction(100),
        None,
        0,
        (Signal("resp", "", 1, 0),),
        np.zeros((9, 1), np.int32),
        np.ones((9, 1), bool),
        (),
        (),
    )
    with pytest.raises(LeadMismatchError, match="none of the twelve"):
        page_content(stored)


def test_replay_plays_the_measured_record(recording, model, tmp_path, capsys):
    command = ["replay", recording, "--fast", "--model", str(model.path), "--out", str(tmp_path), "--json"]
    assert main(command) == 0
    d = json.loads(capsys.readouterr().out)
    assert d["source"] == f"replay:{recording}_measured" and d["samples_out"] == 1200
    # The same samples through the same path: the same rows, once both are warm.
    one, two = read_stored(recording), read_stored(d["recording"])
    assert np.abs(one.mv - two.mv)[250:300].max() <= 0.0021  # the high-pass forgets slowly
    assert not one.valid[:20, 6:].any() and two.valid[:20].all()  # a stored recording is given a past
