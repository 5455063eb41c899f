"""Nobody's head, record or header becomes another person's."""

from pathlib import Path

import numpy as np
import pytest

import ecg_edge as ee
from ecg_edge.device.cli.main import main
from ecg_edge.device.offline.twelve_leads import Wanted, reconstruct_recording
from ecg_edge.device.personal_calibration.file import read_calibration
from ecg_edge.device.personal_calibration.same_person import refuse_blank
from ecg_edge.firmware_bridge.errors import CalibrationError, UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart


def record(path: Path, patient: str = "", leads=LEADS, seed=3, twelve=None) -> Path:
    x = SyntheticHeart(250, seed=seed).read(5000) if twelve is None else twelve
    x = np.rint(x[:, [LEADS.index(lead) for lead in leads]] * 1000).astype("<i2")
    x.tofile(path.with_suffix(".dat"))
    lines = [f"{path.name}.dat 16 1000/mV 16 0 0 0 0 {lead}" for lead in leads]
    who = [f"# patient: {patient}"] if patient else []
    path.with_suffix(".hea").write_text("\n".join([f"{path.name} {len(leads)} 250 {len(x)}", *lines, *who]) + "\n")
    return path


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    for patient in ("A", "B", ""):
        record(folder / f"twelve{patient}", patient)
        record(folder / f"two{patient}", patient, ("I", "II"))
    assert calibrate(folder, "twelveA", "A", "a.cal") == 0
    return folder


def calibrate(folder, reference, patient, out, *more):
    return main(["calibrate", "--model", "i-ii-int8", "--reference", str(folder / reference), "--patient", patient,
                 "--out", str(folder / out), *more])  # fmt: skip


def offline(room, name, *more):
    out = room / f"out_{name}.csv"
    out.unlink(missing_ok=True)
    code = main(
        ["reconstruct", str(room / f"{name}.hea"), "--out", str(out), "--calibration", str(room / "a.cal"), *more]
    )
    assert out.exists() == (code == 0)
    return code


def replayed(room, name, *more):
    return main(["replay", str(room / name), "--fast", *more])


@pytest.mark.parametrize("more", [(), ("--patient", "A")])
def test_anothers_calibration_is_refused_whatever_the_user_says(room, capsys, more):
    assert offline(room, "twoB", *more) != 0
    assert "the recording is of patient B, the calibration of A" in capsys.readouterr().err
    assert replayed(room, "twoB", "--calibration", str(room / "a.cal"), *more) != 0
    assert "patient B" in capsys.readouterr().err


def test_ones_own_and_a_record_of_nobody_are_taken(room):
    assert offline(room, "twoA") == offline(room, "two") == offline(room, "two", "--patient", "A") == 0
    assert replayed(room, "two", "--calibration", str(room / "a.cal"), "--patient", "A") == 0


def test_a_replay_never_rewrites_the_patient_of_a_record(room, tmp_path, capsys):
    assert replayed(room, "twoB", "--patient", "A", "--out", str(tmp_path)) != 0
    assert "the recording is of patient B, not A" in capsys.readouterr().err and not list(tmp_path.iterdir())
    assert replayed(room, "twoB", "--patient", "B", "--out", str(tmp_path)) == 0
    assert all("patient: B" in p.read_text() for p in tmp_path.glob("*.hea"))


def test_the_library_refuses_too(room):
    person = read_calibration(room / "a.cal")
    with pytest.raises(CalibrationError, match="patient B"):
        reconstruct_recording(str(room / "twoB.hea"), Wanted(calibration=person))
    with (
        pytest.raises(CalibrationError, match="patient B"),
        ee.open_stream(f"replay:{room / 'twoB'}", calibration=person, fast=True) as blocks,
    ):
        next(blocks)
    with pytest.raises(CalibrationError, match="is of patient B, not A"):
        ee.calibrate("i-ii-int8", [room / "twelveB"], patient="A")
    assert ee.calibrate("i-ii-int8", [room / "twelveB"]).patient == "B"


def test_a_reference_of_another_patient_is_written_by_force_alone(room, tmp_path, capsys):
    out = str(tmp_path / "x.cal")
    assert calibrate(room, "twelveB", "A", out) != 0 and not Path(out).exists()
    assert "twelveB is of patient B, not A" in capsys.readouterr().err
    assert calibrate(room, "twelveB", "A", out, "--force") == 0


@pytest.mark.parametrize("patient", ["", "  ", "\t"])
def test_nobody_is_no_patient(room, tmp_path, patient):
    with pytest.raises(UsageError, match="names nobody"):
        refuse_blank(patient)
    assert calibrate(room, "twelve", patient, str(tmp_path / "x.cal")) == 2
    assert not list(tmp_path.iterdir())


def test_what_is_doubtful_is_written_by_force_alone(room, tmp_path, capsys):
    x = SyntheticHeart(250, seed=3).read(5000)
    x[:, 6:] = x[:, :5:-1]
    record(tmp_path / "turned", twelve=x)
    assert calibrate(tmp_path, "turned", "A", "x.cal") != 0 and not (tmp_path / "x.cal").exists()
    said = capsys.readouterr().err
    assert "doubtful, nothing written" in said and "--force" in said
    assert "look exchanged" not in said and "another order" in said
