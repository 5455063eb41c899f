"""Spellings of units, leads, rates and tables that none of the files at hand has: the value, or a typed error."""

import numpy as np
import pytest

from ecg_edge.firmware_bridge.errors import RateUnknownError
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from tests.support import stored_files

LEADS = stored_files.TWELVE
ROWS = stored_files.twelve(4)


def words_for_a_unit(folder):
    labels = [f"lead-{x.lower()}" for x in LEADS]
    return stored_files.wfdb_record(folder, "r", ROWS * 1000, fs="250/125(10)", leads=labels, gain=2, unit="microvolt")


def a_row_of_units(folder):
    head = ["# device X", "# Sampling rate: 250 Hz", "\t".join(LEADS), "\t".join(["uV"] * 12)]
    text = "\n".join([*head, *("\t".join(f"{1000 * v:.1f}" for v in row) for row in ROWS)])
    (folder / "r.tsv").write_text(text, "utf-8")
    return folder / "r.tsv"


def times_since_1970(folder):
    lines = [",".join([str(1_700_000_000_000 + 4 * k), *(f"{v:.4f}" for v in row)]) for k, row in enumerate(ROWS)]
    (folder / "r.csv").write_text("\n".join(["timestamp," + ",".join(LEADS), *lines]), "utf-8")
    return folder / "r.csv"


def another_quantity_beside(folder):
    signals = [(f"EKG {x}", "mV", ROWS[:, k], 250) for k, x in enumerate(LEADS)]
    return stored_files.edf(folder / "r.edf", [*signals, ("SpO2", "%", np.full(4, 97.0), 1)], seconds=2)


@pytest.mark.parametrize("made", [words_for_a_unit, a_row_of_units, times_since_1970, another_quantity_beside])
def test_every_lead_has_its_rate_and_its_millivolts(tmp_path, made):
    recording = open_recording(made(tmp_path))
    columns = recording.leads()
    assert set(columns) == set(LEADS)
    for k, lead in enumerate(LEADS):
        signal = recording.signals[columns[lead]]
        x = recording.values([columns[lead]], 0, signal.length)[:, 0] * recording.scale(columns[lead])
        assert signal.fs == 250
        np.testing.assert_allclose(x, ROWS[: len(x), k], atol=0.16 if made is another_quantity_beside else 0.001)


def test_times_of_the_day_with_a_decimal_comma_ask_for_the_rate(tmp_path):
    lines = ['"Zeit";' + ";".join(f'"{x} (mV)"' for x in LEADS)]
    for k, row in enumerate(ROWS):
        cells = ";".join(f"{v:.4f}".replace(".", ",") for v in row)
        lines.append(f'"00:00:0{4 * k // 1000},{4 * k % 1000:03d}";{cells}')
    (tmp_path / "r.csv").write_text("\r\n".join(lines), "utf-16")
    with pytest.raises(RateUnknownError) as e:
        open_recording(tmp_path / "r.csv")
    assert "--fs" in e.value.fix
    recording = open_recording(tmp_path / "r.csv", 250)
    k = recording.leads()["II"]
    np.testing.assert_allclose(recording.values([k], 0, 900)[:, 0], ROWS[:900, 1], atol=1e-3)


@pytest.mark.parametrize("word", ["Abl. ", "Ableitung ", "Derivação ", "Afleiding ", "Avledning "])
def test_leads_are_named_in_more_languages(tmp_path, word):
    head = ";".join(["Zeit (s)", *(f"{word}{x} (µV)" for x in LEADS)])
    rows = (";".join(f"{v:.3f}".replace(".", ",") for v in (k / 250, *(1000 * row))) for k, row in enumerate(ROWS))
    (tmp_path / "r.csv").write_text("\r\n".join([head, *rows]), "latin-1")
    recording = open_recording(tmp_path / "r.csv")
    columns = recording.leads()
    assert set(columns) == set(LEADS)
    np.testing.assert_allclose(recording.mv([columns["II"]])[:, 0], ROWS[:, 1], atol=1e-3)


def test_samples_in_a_structure_of_matlab_are_read(tmp_path):
    from scipy.io import savemat

    savemat(tmp_path / "A0001.mat", {"ECG": {"data": ROWS.T, "sex": "Female", "age": np.array([[60.0]])}})
    with pytest.raises(RateUnknownError):
        open_recording(tmp_path / "A0001.mat")
    recording = open_recording(tmp_path / "A0001.mat", 250)
    assert len(recording.signals) == 12
    np.testing.assert_array_equal(recording.values(range(12), 0, len(ROWS)), ROWS)
