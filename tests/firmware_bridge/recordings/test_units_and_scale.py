"""A millivolt is a millivolt: units, gains, rates and rails of every reader."""

from fractions import Fraction

import numpy as np
import pytest

from ecg_edge.firmware_bridge.errors import RecordingError
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.units import mv_per
from tests.support import stored_files

MV = stored_files.beats()
UNITS = {"mV": 1, "uV": 1e3, "\u00b5V": 1e3, "\u03bcV": 1e3, "microvolts": 1e3, "V": 1e-3, "Volts": 1e-3, "nV": 1e6}


def peak(path, lead="II"):
    recording = open_recording(path)
    return float(np.nanmax(recording.mv([recording.leads()[lead]])))


@pytest.mark.parametrize("unit", [u for u in UNITS if u != "nV"])
def test_every_unit_of_voltage_in_wfdb(tmp_path, unit):
    gain = 30000 / UNITS[unit] / 2
    assert peak(stored_files.wfdb_record(tmp_path, "r", MV * UNITS[unit], gain=gain, unit=unit)) == pytest.approx(
        1, 0.01
    )


def test_a_unit_in_latin_1_is_the_same(tmp_path):
    header = stored_files.wfdb_record(tmp_path, "r", MV * 1000, gain=10, unit="\u00b5V")
    header.write_bytes(header.read_text("utf-8").encode("latin-1"))
    assert peak(header) == pytest.approx(1, 0.01)


@pytest.mark.parametrize("unit", ["uV", "\xb5V", "mV", "V"])
def test_every_unit_of_voltage_in_edf(tmp_path, unit):
    # 16 bits over ten thousand units hold no ECG in V, and one in mV to 0.15 mV.
    if unit == "V":
        assert mv_per(unit) == 1000
        return
    signals = [(f"ECG {lead}", unit, x * UNITS[unit], 250) for lead, x in zip(("I", "II"), MV.T, strict=True)]
    assert peak(stored_files.edf(tmp_path / "r.edf", signals)) == pytest.approx(1, abs=0.16)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("form", ["{lead} [{unit}]", "{lead} ({unit})", "{lead}_{unit}"])
def test_every_unit_of_voltage_in_a_table(tmp_path, unit, form):
    if len(unit) > 5 and "_" in form:
        return
    heads = ["time", *(form.format(lead=x, unit=unit) for x in ("I", "II"))]
    assert peak(stored_files.table(tmp_path / "r.csv", MV, heads=heads, scale=UNITS[unit])) == pytest.approx(1, 0.01)


@pytest.mark.parametrize("unit", ["adu", "mmHg", "pm", "counts", "%"])
def test_a_lead_in_no_unit_of_voltage_is_refused_by_name(tmp_path, unit):
    recording = open_recording(stored_files.wfdb_record(tmp_path, "r", MV, unit=unit))
    with pytest.raises(RecordingError, match=f"'II' is in '{unit}'"):
        recording.mv([1])


def test_no_gain_is_said(tmp_path):
    header = stored_files.wfdb_record(
        tmp_path, "r", MV, gain=200, signal=lambda k, lead: f"r.dat 16 0 16 0 0 0 0 {lead}"
    )
    recording = open_recording(header)
    assert peak(header) == pytest.approx(1, 0.01)
    assert recording.remarks == tuple(f"{x}: uncalibrated: 200 counts/mV assumed" for x in ("I", "II"))


def test_signals_of_several_rates_are_read_at_their_own(tmp_path):
    x, pressure = np.rint(MV[:2500] * 1000).astype("<i2"), np.arange(500).astype("<i2")
    frames = [
        np.concatenate([x[5 * k : 5 * k + 5, 0], x[5 * k : 5 * k + 5, 1], pressure[k : k + 1]]) for k in range(500)
    ]
    (tmp_path / "r.dat").write_bytes(np.concatenate(frames).tobytes())
    lines = [
        "r 3 50 500",
        *(f"r.dat 16x5 1000/mV 16 0 0 0 0 {x}" for x in ("I", "II")),
        "r.dat 16 10/mmHg 12 0 0 0 0 ABP",
    ]
    (tmp_path / "r.hea").write_text("\n".join(lines) + "\n")
    recording = open_recording(tmp_path / "r")
    assert [s.fs for s in recording.signals] == [250, 250, 50]
    np.testing.assert_array_equal(recording.values([0, 1]), x / 1000)
    np.testing.assert_array_equal(recording.values([2])[:, 0], pressure / 10)
    with pytest.raises(RecordingError, match="II at 250 Hz; ABP at 50 Hz"):
        recording.values([1, 2])


@pytest.mark.parametrize("text", ["511.422", "129.97", "360.002", "500/1000(0)", "1e3"])
def test_awkward_rates_are_exact(tmp_path, text):
    header = stored_files.wfdb_record(tmp_path, "r", MV, line=f"r 2 {text} {len(MV)}")
    assert open_recording(header).signals[0].fs == Fraction(text.split("/")[0])


@pytest.mark.parametrize("bits", [0, 8, 12, 16])
def test_the_headers_resolution_is_no_rail(tmp_path, bits):
    signal = lambda k, lead: f"r.dat 16 1000/mV {bits} 0 0 0 0 {lead}"  # noqa: E731
    recording = open_recording(stored_files.wfdb_record(tmp_path, "r", MV, signal=signal))
    assert recording.signals[0].bits == 16 and np.isfinite(recording.mv([0, 1])).all()


def test_a_lead_twice_is_refused_and_names_both_places(tmp_path):
    recording = open_recording(stored_files.wfdb_record(tmp_path, "r", MV, leads=("DII", "II")))
    with pytest.raises(RecordingError, match="holds II twice: signals 1 and 2"):
        recording.leads()


def test_a_pressure_is_no_lead_whatever_it_is_called(tmp_path):
    """It keeps its unit and is left out by name; no unit of voltage is asked for."""
    mv = np.hstack([MV, 80 + 40 * MV[:, :1]])
    unit = {"I": "mV", "II": "mV", "V1": "mmHg"}

    def line(k, lead):
        return f"r.dat 16 100(0)/{unit[lead]} 16 0 0 0 0 {lead}"

    header = stored_files.wfdb_record(tmp_path, "r", mv, 250, ("I", "II", "V1"), gain=100, signal=line)
    recording = open_recording(header)
    assert set(recording.leads()) == {"I", "II"} and recording.signals[2].unit == "mmHg"
    assert any("V1: in mmHg" in text for text in recording.remarks)
    with pytest.raises(RecordingError, match="'V1' is in 'mmHg'") as caught:
        recording.mv([2])
    assert "--unit" not in caught.value.fix


def test_the_unit_given_stands_for_one_that_is_unknown(tmp_path):
    recording = open_recording(stored_files.wfdb_record(tmp_path, "r", MV, unit="adu")).with_unit("0.5uV")
    assert recording.mv([1]).max() == pytest.approx(0.5 * MV[:, 1].max(), rel=0.01)  # 1000 counts of 0.5 µV
