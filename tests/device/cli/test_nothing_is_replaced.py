"""No verb replaces a file that is there without --force, and none the recording it reads, with it or without."""

import numpy as np
import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart


def record(path, leads=LEADS, data=""):
    x = np.rint(SyntheticHeart(250, seed=3).read(3000)[:, : len(leads)] * 1000).astype("<i2")
    file = data or f"{path.name}.dat"
    x.tofile(path.with_name(file))
    lines = [f"{file} 16 1000/mV 16 0 0 0 0 {lead}" for lead in leads]
    path.with_suffix(".hea").write_text("\n".join([f"{path.name} {len(leads)} 250 {len(x)}", *lines]) + "\n")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "r")
    record(tmp_path / "s", data="signals.bin")
    return tmp_path


@pytest.mark.parametrize("verb", ["convert", "reconstruct"])
@pytest.mark.parametrize("there", ["z.dat", "z.atr", "z.hea"])
def test_any_file_of_a_record_that_is_there_is_kept(here, capsys, verb, there):
    (here / there).write_text("mine")
    assert main([verb, "r.hea", "--out", "z.hea"]) == 2
    assert f"{there} is there already" in capsys.readouterr().err
    assert (here / there).read_text() == "mine" and len(list(here.glob("z.*"))) == 1
    assert main([verb, "r.hea", "--out", "z.hea", "--force"]) == 0
    assert (here / there).read_bytes() != b"mine" and len(list(here.glob("z.*"))) == 3


def test_a_folder_of_records_keeps_them_too(here, capsys):
    (here / "out").mkdir()
    (here / "in").mkdir()
    record(here / "in" / "r")
    (here / "out" / "r.dat").write_text("mine")
    assert main(["reconstruct", "in", "--out", "out", "--workers", "1"]) == 1
    assert (here / "out" / "r.dat").read_text() == "mine" and "r.dat is there already" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["r.hea", "r.dat", "s.hea", "signals.bin"])
def test_a_reference_is_never_replaced_by_its_calibration(here, capsys, out):
    before = {p.name: p.read_bytes() for p in here.iterdir()}
    name = "s" if out[0] == "s" else "r"
    argv = ["calibrate", "--model", "i-ii-int8", "--reference", name, "--patient", "P", "--out", out, "--force"]
    assert main(argv) == 2
    assert f"{out} is the recording itself" in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in here.iterdir()} == before


@pytest.mark.parametrize(("verb", "out"), [("convert", "r.hea"), ("reconstruct", "r.hea")])
def test_a_recording_is_never_replaced_by_what_is_made_of_it(here, capsys, verb, out):
    before = {p.name: p.read_bytes() for p in here.iterdir()}
    for name in ("r", "r.hea", "r.dat"):
        assert main([verb, name, "--out", out, "--force"]) == 2
        assert "is the recording itself" in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in here.iterdir()} == before


def test_further_sheets_of_a_page_are_kept(here, capsys):
    (here / "p.png").write_text("mine")
    assert main(["report", "r.hea", "--out", "p.png"]) == 2 and (here / "p.png").read_text() == "mine"


def test_a_capture_and_a_drawing_are_kept(here, capsys):
    (here / "c.csv").write_text("mine")
    assert main(["decode", "c.csv", "--as", "ecglink", "--out", "c.csv", "--force"]) == 2
    assert "the capture itself" in capsys.readouterr().err and (here / "c.csv").read_text() == "mine"
    assert main(["doctor", "--placement", "RA,V2,V5", "--out", "c.csv"]) == 2
    assert (here / "c.csv").read_text() == "mine"
    assert main(["doctor", "--placement", "RA,V2,V5", "--out", "c.csv", "--force"]) == 0
