"""A record made live is measured as the signal it was made of, not as its high-pass shaped it."""

import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.device.recording.live_phase import live_conditioning, upright_mv
from ecg_edge.device.recording.measure_stored import measure_stored
from ecg_edge.device.recording.stored_recording import read_stored


@pytest.fixture(scope="module")
def made_live(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    assert main(["run", "synthetic:", "--fast", "--seconds", "16", "--out", str(folder)]) == 0
    (measured,) = folder.glob("*_measured.hea")
    return str(measured.with_suffix("")), str(measured.with_suffix("")).removesuffix("_measured")


def test_intervals_and_st_of_the_twelve_leads_are_those_of_the_measured_record(made_live):
    truth, found = (measure_stored(read_stored(name)) for name in made_live)
    for name in ("pr", "qrs", "qt"):
        assert getattr(found, name).value == pytest.approx(getattr(truth, name).value, abs=14), name
    for lead in ("I", "II"):
        for at in ("st_j", "st_j60"):
            assert found.amplitudes[lead][at].value == pytest.approx(truth.amplitudes[lead][at].value, abs=0.03)


def test_only_late_rows_behind_a_high_pass_are_changed(made_live):
    measured, twelve = (read_stored(name) for name in made_live)
    assert live_conditioning(measured) is None and upright_mv(measured) is not None
    assert live_conditioning(twelve).highpass_hz == 0.5
    change = upright_mv(twelve)[200:, 1] - twelve.mv[200:, 1]
    assert 0.03 < abs(change).max() < 0.2
