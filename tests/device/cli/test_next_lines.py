"""A next line works as printed, and does the same to the same input."""

import itertools
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ecg_edge.device.cli.main import EXAMPLES, find_verbs, main, parse
from tests.support import stored_files


def next_of(capsys):
    line = next(x for x in capsys.readouterr().err.splitlines() if x.startswith("next: "))
    program, *words = shlex.split(line.removeprefix("next: ").split(" && ")[-1])  # a missing extra is installed first
    assert program == "ecg-edge"
    return words


def test_the_line_of_a_run_runs_the_same_again_and_records_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    how = ["--model", "i-int8", "--leads", "I", "--mains", "60"]
    assert main(["run", "synthetic:leads=II", *how, "--seconds", "1", "--fast"]) == 0
    words = next_of(capsys)
    assert all(word in words for word in how)
    assert main([*words, "--seconds", "1", "--fast"]) == 0
    words = next_of(capsys)
    assert words[1].startswith("replay:recordings/") and words[-2:] == ["--model", "i-int8"]
    words.remove("--monitor")
    assert main([*words, "--fast"]) == 0


@pytest.mark.parametrize("verb", ["report", "convert"])
def test_the_lines_of_a_page_and_an_edf_file_lead_to_each_other(verb, tmp_path, monkeypatch, capsys):
    pytest.importorskip("edfio")
    monkeypatch.chdir(tmp_path)
    main(["run", "synthetic:", "--seconds", "3", "--fast", "--out", "a b"])
    record = next_of(capsys)[1].removeprefix("replay:").removesuffix("_measured")
    assert main([verb, record]) == 0
    line = next(x for x in capsys.readouterr().err.splitlines() if x.startswith("next: "))
    words = shlex.split(line[line.index("ecg-edge") :])[1:]
    assert words[1] == record and main(words) == 0


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_line_of_what_cannot_be_read_again_measures_its_source(there, capsys):
    name = str(stored_files.table(there / "a b.csv", stored_files.beats(12)))
    assert main(["reconstruct", name, "--out", "twelve_leads.json"]) == 0
    words = next_of(capsys)
    assert words == ["measure", name] and main(words) == 0


def test_a_page_that_is_there_is_not_in_the_way_of_the_next_line(there, capsys):
    name = str(stored_files.table(there / "a b.csv", stored_files.beats(12)))
    for out in ("twelve.hea", "twelve.csv"):
        assert main(["reconstruct", name, "--out", out]) == 0
        assert main(next_of(capsys)) == 0
        capsys.readouterr()
    assert {p.name for p in there.glob("*.pdf")} == {"twelve.pdf", "twelve-2.pdf"}


def test_of_a_run_in_a_folder_what_was_measured_is_reconstructed_once(there, capsys):
    assert main(["run", "synthetic:", "--seconds", "5", "--fast", "--out", "rec"]) == 0
    capsys.readouterr()
    assert main(["reconstruct", "rec", "--out", "twelve"]) == 0
    said = capsys.readouterr()
    (measured,) = Path("rec").glob("*_measured.hea")
    assert [p.name for p in Path("twelve").glob("*.hea")] == [measured.name]
    assert f"left out, as the measured record beside it is read: {measured.name.replace('_measured', '')}" in said.err
    assert "1 recordings: 1 done" in said.out or "reconstructed V1" in said.out
    assert "next: ecg-edge report twelve/" in said.err


def test_a_run_without_a_recording_keeps_the_monitor_in_its_line(there, capsys):
    pytest.importorskip("websockets")
    assert main(["run", "synthetic:", "--seconds", "1", "--fast", "--monitor", "--port", "0"]) == 0
    assert "--monitor" in next_of(capsys)


def test_the_summary_names_channels_between_electrodes_as_measured(there, capsys):
    assert main(["run", "synthetic:leads=RA-V5,RA-V2", "--seconds", "3", "--fast", "--out", "rec"]) == 0
    said = capsys.readouterr().out
    assert next(x for x in said.splitlines() if x.startswith("measured")).split() == ["measured", "RA-V5", "RA-V2"]
    (header,) = Path("rec").glob("*Z.hea")
    assert "channels: RA-V5, RA-V2 (measured)" in header.read_text()
    (measured,) = Path("rec").glob("*_measured.hea")
    assert main(["measure", str(measured)]) != 0
    assert "form none of the twelve leads" in capsys.readouterr().err


@pytest.mark.parametrize("verb", sorted(EXAMPLES))
def test_the_help_of_every_verb_shows_a_command_that_it_reads(verb, capsys):
    with pytest.raises(SystemExit):
        main([verb, "-h"])
    said = " ".join(capsys.readouterr().out.split())
    assert f"example: ecg-edge {verb} {EXAMPLES[verb]}".strip() in said
    parse(shlex.split(f"{verb} {EXAMPLES[verb]}"))


def test_every_verb_has_an_example():
    ours = {name for name, entry in find_verbs().items() if entry.value.startswith("ecg_edge.")}
    assert ours <= set(EXAMPLES)


def test_the_line_of_reconstruct_and_of_measure_prints_the_page(there, capsys):
    name = str(stored_files.table(there / "a b.csv", stored_files.beats(12)))
    assert main(["reconstruct", name, "--out", "a b.hea"]) == 1
    assert "name it a_b.hea" in capsys.readouterr().err
    assert main(["reconstruct", name, "--out", "twelve_leads.hea"]) == 0
    words = next_of(capsys)
    assert words == ["report", "twelve_leads.hea"] and main(words) == 0
    assert (there / "twelve_leads.pdf").is_file()
    capsys.readouterr()
    assert main(["measure", "twelve_leads.hea"]) == 0
    assert main([*next_of(capsys), "--force"]) == 0


def test_the_line_of_decode_writes_the_samples(there, capsys):
    capture = Path(__file__).parents[2] / "firmware_bridge" / "fuzz" / "corpus" / "cyton.clean.bin"
    (there / "a b.bin").write_bytes(capture.read_bytes())
    assert main(["decode", "--as", "cyton", "a b.bin"]) == 0
    words = next_of(capsys)
    assert main(words) == 0 and (there / words[-1]).is_file()


def test_the_lines_of_info_run_the_model(capsys):
    assert main(["info"]) == 0
    words = next_of(capsys)
    assert main([w.replace("MODEL", "i-int8") for w in words]) == 0
    words = next_of(capsys)
    assert words == ["run", "synthetic:leads=I", "--model", "i-int8", "--monitor"]
    assert main([*words[:-1], "--fast", "--seconds", "1"]) == 0


@pytest.mark.parametrize("model", ["i-ii-v2-v5-int8", "any-int8", "any-electrode-int8"])
@pytest.mark.parametrize("verb", ["info", "verify"])
def test_the_line_of_every_kind_of_model_needs_no_device(verb, model, capsys):
    assert main([verb, model]) == 0
    words = [w for w in next_of(capsys) if w != "--monitor"]
    assert main([*words, "--fast", "--seconds", "1"]) == 0


def test_the_line_of_a_calibrated_run_is_calibrated_as_well(there, capsys):
    record = there / "rec"
    leads = "I,II,V1,V2,V3,V4,V5,V6"
    assert main(["run", f"synthetic:leads={leads}", "--fast", "--seconds", "15", "--out", str(record)]) == 0
    reference = next(record.glob("*_measured.hea"))  # of eight leads: the rest is algebra
    how = ["--model", "i-ii-int8", "--patient", "P 7"]
    assert main(["calibrate", *how, "--reference", str(reference), "--out", "p7.calibration"]) == 0
    line = [x for x in capsys.readouterr().err.splitlines() if x.startswith("next: ")][-1]
    words = [w.replace("SOURCE", "synthetic:") for w in shlex.split(line.removeprefix("next: "))[1:]]
    assert main([*words, "--fast", "--seconds", "3"]) == 0
    again = next_of(capsys)
    pairs = dict(itertools.pairwise(again))
    assert (pairs["--calibration"], pairs["--placement"], pairs["--patient"]) == ("p7.calibration", "same", "P 7")
    assert main([*again, "--fast", "--seconds", "3"]) == 0


def test_the_line_of_recover_plays_the_record(there, capsys):
    assert main(["run", "synthetic:", "--seconds", "3", "--fast", "--out", "a b"]) == 0
    record = next_of(capsys)[1].removeprefix("replay:")
    assert main(["doctor", "--recover", record]) == 0
    assert main([*next_of(capsys), "--fast"]) == 0


def test_the_line_of_simulate_runs_the_virtual_patch(there, capsys):
    words = [
        sys.executable,
        "-c",
        "import sys; from ecg_edge.device.cli.main import main; sys.exit(main(sys.argv[1:]))",
    ]
    how = ["--as", "cyton", "--leads", "I,II"]
    with subprocess.Popen(
        [*words, "simulate", *how], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as patch:
        line = next(x for x in patch.stderr if x.startswith("next: "))
        program, *run = shlex.split(line.removeprefix("next: "))
        assert program == "ecg-edge" and run[1] == patch.stdout.readline().strip() and run[2:] == how
        status = main([*run, "--seconds", "1"])
        patch.terminate()
    assert status == 0


def test_without_a_port_the_line_is_the_demo(monkeypatch, capsys):
    monkeypatch.setattr("ecg_edge.firmware_bridge.ports.transport.list_ports", list)
    assert main(["ports"]) == 0
    words = next_of(capsys)
    assert words == ["demo"] and main([*words, "--headless", "--seconds", "1"]) == 0


def test_the_line_of_service_names_a_verb_there_is(capsys):
    assert main(["service", "--", "synthetic:"]) == 0
    line = next(x for x in capsys.readouterr().err.splitlines() if x.startswith("next: "))
    verb = line[line.index("ecg-edge ") :].split()[1]
    assert verb == "doctor" and verb in find_verbs()


@pytest.mark.parametrize("verb", ["report", "convert"])
def test_a_file_that_is_no_wfdb_keeps_its_ending_in_the_line(verb, there, capsys):
    pytest.importorskip("edfio")
    two = stored_files.table(there / "two.csv", stored_files.beats(12)).name
    assert main(["reconstruct", two, "--out", "a b.csv"]) == 0
    capsys.readouterr()
    assert main([verb, "a b.csv"]) == 0
    line = next(x for x in capsys.readouterr().err.splitlines() if x.startswith("next: "))
    words = shlex.split(line[line.index("ecg-edge") :])[1:]
    assert words[1] == "a b.csv" and main([*words, "--out", "other.pdf" if verb == "convert" else "other.edf"]) == 0


def test_a_line_that_needs_an_extra_installs_it_first(there, monkeypatch, capsys):
    monkeypatch.setattr("ecg_edge.firmware_bridge.extras.find_spec", lambda name: None)
    main(["run", "synthetic:", "--seconds", "1", "--fast", "--out", "r"])
    line = next(x for x in capsys.readouterr().err.splitlines() if x.startswith("next: "))
    assert line.startswith('next: pip install "ecg-edge[web]" && ecg-edge run replay:') and "--monitor" in line


def test_a_value_that_begins_with_a_minus_is_printed_as_argparse_reads_it(there, capsys):
    name = str(stored_files.table(there / "a.csv", stored_files.beats(12)))
    assert main(["run", f"replay:{name}", "--leads=-,II", "--model", "ii-int8", "--seconds", "1", "--fast"]) == 0
    words = next_of(capsys)
    assert "--leads=-,II" in words
    assert main([*words, "--seconds", "1", "--fast"]) == 0


def test_a_patch_between_electrodes_is_calibrated_and_runs_with_it(there, capsys):
    eight = "I,II,V1,V2,V3,V4,V5,V6"
    assert main(["run", f"synthetic:leads={eight}", "--fast", "--seconds", "15", "--out", "rec"]) == 0
    how = ["--model", "any-electrode-int8", "--leads", "RA-V5,RA-V2", "--patient", "7", "--out", "p7.calibration"]
    assert main(["calibrate", *how, "--reference", str(next(Path("rec").glob("*_measured.hea"))), "--json"]) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    expected = document["leads"] if "leads" in document else document["expected"]
    assert len(expected) == 8 and all(e["rmse_after_mv"] < e["rmse_before_mv"] for e in expected.values())
    words = ["run", "synthetic:leads=RA-V5,RA-V2", "--calibration", "p7.calibration", "--fast", "--seconds", "3"]
    assert main([*words, "--model", "any-electrode-int8", "--placement", "same"]) == 0
