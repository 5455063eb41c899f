"""A stored recording becomes a file of twelve leads: the same figures as `reconstruct`, aligned, complete."""

import csv
import json
from datetime import datetime

import numpy as np
import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.lead_algebra import BASIS, measured
from ecg_edge.device.reconstruction.offline import reconstruct
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from tests.support import stored_files

ABOUT = {"line": "r 2 500 6000 10:00:00 05/03/2019", "comments": ["patient: Müller 7", "age: 60", "sex: F"]}
GUESSED = ("V1", "V2", "V3", "V4", "V5", "V6")


@pytest.fixture
def two(tmp_path):
    mv = stored_files.beats(12, 500)
    stored_files.wfdb_record(tmp_path, "r", mv, 500, **ABOUT)
    return tmp_path / "r.hea"


def every_lead(recording):
    """Column of each lead, estimates included; the intervals beside them are no leads."""
    return {s.lead.lead: k for k, s in enumerate(recording.signals) if s.lead.lead}


def run(capsys, *words):
    code = main(["reconstruct", *map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize("suffix", [".hea", ".edf", ".csv"])
@pytest.mark.parametrize("fs", [None, "input", "250"])
def test_same_as_the_arrays_with_time_person_and_provenance(two, tmp_path, capsys, suffix, fs):
    if suffix == ".edf":
        pytest.importorskip("edfio")
    out = tmp_path / f"twelve{suffix}"
    code, document = run(capsys, two, "--out", out, *(["--fs", fs] if fs else []))
    assert code == 0 and document["leads"]["measured"] == ["I", "II"] and document["seconds"] == 12
    rate = {None: None, "input": 500, "250": 250}[fs]
    want = reconstruct(open_recording(two).mv([0, 1]), fs=500, leads=("I", "II"), out_fs=rate)
    got = open_recording(out)
    leads = every_lead(got)
    assert {s.fs for s in got.signals} == {want.fs}
    np.testing.assert_allclose(got.mv([leads[x] for x in LEADS])[: len(want)], want.mv, atol=6e-4)
    assert [got.signals[leads[x]].provenance for x in LEADS] == [p.value for p in want.provenance]
    bands = [next(k for k, s in enumerate(got.signals) if s.label.endswith(f"interval {x}")) for x in GUESSED]
    columns = [LEADS.index(x) for x in GUESSED]
    np.testing.assert_allclose(got.values(bands)[: len(want)], want.interval[:, columns], atol=6e-4)
    assert got.started == datetime(2019, 3, 5, 10)
    said = " ".join([*got.comments, *(text for _, text in got.notes), got.person.identifier, got.person.name])
    assert "age: 60" in said and "M" in said and "ller 7" in said.replace("_", " ") and "not for diagnosis" in said


def test_estimates_of_a_file_are_no_input(two, tmp_path, capsys):
    out = tmp_path / "twelve.csv"
    run(capsys, two, "--out", out)
    again = tmp_path / "again.csv"
    _, document = run(capsys, out, "--out", again)
    assert document["model"].startswith("i-ii-int8") and document["leads"]["measured"] == ["I", "II"]


def test_leads_can_be_chosen_and_what_is_measured_is_not_estimated(tmp_path, capsys):
    stored_files.wfdb_record(tmp_path, "t", stored_files.twelve(12, 500), 500, stored_files.TWELVE)
    _, document = run(capsys, tmp_path / "t", "--out", tmp_path / "o.csv", "--leads", "I,II")
    assert document["leads"]["measured"] == ["I", "II"]
    code, document = run(capsys, tmp_path / "t", "--out", tmp_path / "p.csv", "--model", "i-ii-int8")
    assert code == 0 and document["leads"]["measured"] == list(LEADS) and not document["remarks"]


def test_a_file_that_is_there_stays_unless_forced(two, tmp_path, capsys):
    out = tmp_path / "o.csv"
    out.write_text("mine")
    assert main(["reconstruct", str(two), "--out", str(out)]) == 2 and out.read_text() == "mine"
    assert "--force" in capsys.readouterr().err
    assert main(["reconstruct", str(two), "--out", str(out), "--force"]) == 0 and out.read_text() != "mine"


def test_a_recording_too_short_to_settle_has_no_estimates(tmp_path, capsys):
    stored_files.wfdb_record(tmp_path, "s", stored_files.beats(1, 500), 500)
    run(capsys, tmp_path / "s", "--out", tmp_path / "o.csv")
    got = open_recording(tmp_path / "o.csv")
    leads = every_lead(got)
    assert np.isnan(got.mv([leads["V2"]])).all() and np.isfinite(got.mv([leads["II"]])).all()


def test_a_folder_is_done_once_and_goes_on_where_it_stopped(two, tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "sub").mkdir(parents=True)
    stored_files.wfdb_record(folder, "a", stored_files.beats(12, 500), 500)
    stored_files.table(folder / "sub" / "b.csv", stored_files.beats(12, 250))
    (folder / "c.csv").write_text("no table")
    code, document = run(capsys, folder, "--out", out, "--format", "csv")
    assert code == 1 and (document["done"], document["refused"]) == (2, 1)
    assert sorted(p.name for p in out.rglob("*") if p.is_file()) == ["a.csv", "b.csv"]
    (folder / "c.csv").unlink()
    code, document = run(capsys, folder, "--out", out, "--format", "csv")
    assert code == 0 and document["there already"] == 2 and "done" not in document


def test_a_table_without_units_needs_one(tmp_path, capsys):
    mv = stored_files.beats(12, 250)
    stored_files.table(tmp_path / "raw.csv", mv, 250, ("timestamp [ms]", "I", "II"), scale=1 / 0.00038, tick=1000)
    code, document = run(capsys, tmp_path / "raw.csv", "--out", tmp_path / "a.csv")
    assert code == 1 and "--unit" in document["fix"]
    code, document = run(capsys, tmp_path / "raw.csv", "--out", tmp_path / "a.csv", "--unit", "0.38uV")
    assert code == 0 and any("0.38uV as given" in r for r in document["remarks"])
    want = reconstruct(mv, fs=250, leads=("I", "II"))
    got = open_recording(tmp_path / "a.csv")
    np.testing.assert_allclose(got.mv([every_lead(got)["II"]])[: len(want), 0], want.lead("II"), atol=2e-3)
    code, document = run(capsys, tmp_path / "raw.csv", "--out", tmp_path / "b.csv", "--unit", "counts")
    assert code == 1 and "no unit of voltage" in document["error"]


@pytest.mark.data
def test_twelve_records_of_ptb_xl_stripped_to_two_leads(data_folder, tmp_path, capsys):
    pytest.importorskip("edfio")
    model = load_model("i-ii-int8")
    with (data_folder / "ptb-xl/ptbxl_database.csv").open(newline="") as f:
        names = [r["filename_lr"] for r in csv.DictReader(f) if r["strat_fold"] == "10"]
    there = [n for n in names if (data_folder / "ptb-xl" / f"{n}.hea").is_file()]
    from ecg_edge.device.recording.edf_writer import write_edf
    from ecg_edge.device.recording.stored_recording import read_stored

    for name in there[:: max(1, len(there) // 12)][:12]:
        whole = open_recording(data_folder / "ptb-xl" / name)
        x = whole.mv([whole.leads()[lead] for lead in LEADS])
        stored_files.wfdb_record(tmp_path, "two", x[:, :2], 100, line="two 2 100 1000 10:00:00 05/03/2019")
        write_edf(read_stored(str(tmp_path / "two")), tmp_path / "two.edf")
        words = ("--mains", "off", "--force", "--model", "i-ii-int8")
        run(capsys, tmp_path / "two.edf", "--out", tmp_path / "twelve.edf", *words)
        got = open_recording(tmp_path / "twelve.edf")
        y = got.mv([every_lead(got)[lead] for lead in LEADS])
        want = reconstruct(x[:, :2], fs=100, leads=("I", "II"), model=model, mains_hz=None)
        np.testing.assert_allclose(y, want.mv, atol=2e-3)
        assert got.started == datetime(2019, 3, 5, 10)
        shifts = [np.corrcoef(np.roll(y[200:800, 1], k), x[200:800, 1])[0, 1] for k in range(-20, 21)]
        assert np.argmax(shifts) == 20, name


@pytest.mark.parametrize("name", ["out_nan.csv.hea", "a.b.hea", "a b.hea"])
@pytest.mark.parametrize("verb", ["reconstruct", "convert"])
def test_a_record_name_that_wfdb_forbids_is_refused_before_any_work(two, tmp_path, capsys, verb, name):
    out = tmp_path / "o" / name
    assert main([verb, str(two), "--out", str(out)]) == 1
    said = capsys.readouterr().err
    plain = out.with_name(name.removesuffix(".hea").replace(".", "_").replace(" ", "_") + ".hea")
    assert f"name it {plain}" in said and not out.parent.exists()
    assert main([verb, str(two), "--out", str(plain)]) == 0 and plain.is_file()


def test_names_with_dots_in_a_folder_become_names_that_wfdb_allows(tmp_path, capsys):
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a.b", "a_b"):
        stored_files.wfdb_record(source, name, stored_files.beats(12, 250), 250)
    assert main(["reconstruct", str(source), "--out", str(tmp_path / "o"), "--workers", "1"]) == 0
    made = sorted(p.name for p in (tmp_path / "o").glob("*.hea"))
    assert len(made) == 2 and not any("." in name.removesuffix(".hea") for name in made)
    assert all(open_recording(tmp_path / "o" / name).name == name.removesuffix(".hea") for name in made)


@pytest.mark.parametrize("cells", ["nan,nan", "1e400,-1e400", ","])
@pytest.mark.parametrize("verb", ["reconstruct", "convert", "measure"])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_table_without_a_number_is_refused(tmp_path, capsys, cells, verb):
    rows = [f"{k / 250},{cells}" for k in range(2500)]
    (tmp_path / "t.csv").write_text("\n".join(["time [s],I [mV],II [mV]", *rows]) + "\n")
    out = [] if verb == "measure" else ["--out", str(tmp_path / "o.hea")]
    assert main([verb, str(tmp_path / "t.csv"), *out]) == 1
    assert "fix:" in capsys.readouterr().err and not (tmp_path / "o.hea").exists()


def test_a_lead_without_a_sample_is_named_and_what_is_left_can_be_asked_for(tmp_path, capsys):
    def late(k, lead):
        return f"r.dat 16{':999999999' if lead == 'I' else ''} 1000(0)/mV 16 0 0 0 0 {lead}"

    stored_files.wfdb_record(tmp_path, "r", stored_files.beats(12, 250), 250, signal=late)
    code, document = run(capsys, tmp_path / "r", "--out", tmp_path / "o.hea")
    assert code == 1 and "lead I has no sample" in document["error"] and "--leads II" in document["fix"]
    code, document = run(capsys, tmp_path / "r", "--out", tmp_path / "o.hea", "--leads", "II")
    assert code == 0


def test_a_pressure_called_v1_does_not_refuse_the_record(tmp_path, capsys):
    unit = {"I": "mV", "II": "mV", "V1": "mmHg"}
    mv = stored_files.beats(12, 250)
    mv = np.hstack([mv, 8 + 4 * mv[:, :1]])

    def line(k, lead):
        return f"r.dat 16 1000(0)/{unit[lead]} 16 0 0 0 0 {lead}"

    stored_files.wfdb_record(tmp_path, "r", mv, 250, tuple(unit), signal=line)
    code, document = run(capsys, tmp_path / "r", "--out", tmp_path / "o.csv")
    assert code == 0 and any("V1: in mmHg" in text for text in document["remarks"])
    assert "V1" in document["leads"]["reconstructed"]
    assert main(["measure", str(tmp_path / "r")]) == 0


@pytest.mark.parametrize("suffix", [".hea", ".edf", ".csv"])
def test_a_gap_has_a_note_of_its_own_time_and_length(tmp_path, capsys, suffix):
    if suffix == ".edf":
        pytest.importorskip("edfio")
    mv = stored_files.beats(14, 250)
    mv[750:1250] = np.nan
    mv[2000:2250, 0] = np.nan
    stored_files.table(tmp_path / "two.csv", mv)
    out = tmp_path / f"twelve{suffix}"
    code, _ = run(capsys, tmp_path / "two.csv", "--out", out)
    assert code == 0
    want = [(3.0, "all leads: 2.00 s of samples are missing"), (8.0, "lead I: 1.00 s of samples are missing")]
    if suffix == ".csv":
        assert all(f"{at:.2f}" in out.read_text() and text in out.read_text() for at, text in want)
        return
    notes = [(float(at), text) for at, text in open_recording(str(out)).notes]
    for at, text in want:
        assert any(text in said and abs(when - at) < 0.02 for when, said in notes), notes


def test_a_table_full_of_holes_does_not_drown_in_notes(tmp_path, capsys):
    mv = stored_files.beats(20, 250)
    mv[::8] = np.nan
    stored_files.table(tmp_path / "two.csv", mv)
    out = tmp_path / "twelve.hea"
    assert run(capsys, tmp_path / "two.csv", "--out", out)[0] in (0, 1)
    if out.is_file():
        notes = [text for _, text in open_recording(str(out)).notes]
        assert len(notes) < 230 and any("further gaps" in text for text in notes)


def test_nothing_is_left_out_at_the_start_for_a_later_gap(tmp_path, capsys):
    mv = stored_files.beats(20, 250)
    mv[2000:2750] = np.nan
    stored_files.table(tmp_path / "gap.csv", mv)
    code, _ = run(capsys, tmp_path / "gap.csv", "--out", tmp_path / "o.hea")
    made = open_recording(tmp_path / "o.hea")
    assert code == 0 and np.isfinite(made.mv([made.column("V1")])[:700]).all()
    at = [float(at) for at, text in made.notes if text.startswith("settling")]
    assert len(at) == 1 and 7.5 < at[0] <= 8.0


@pytest.mark.data
def test_figures_of_files_are_those_of_evaluate(data_folder, tmp_path, capsys, monkeypatch):
    pytest.importorskip("edfio")
    from ecg_edge.device.recording.edf_writer import write_edf
    from ecg_edge.device.recording.stored_recording import read_stored
    from ecg_edge.train.data.prepare import prepare
    from ecg_edge.train.evaluation import metrics, scoring

    # Evaluation begins cold and keeps the high-pass's phase. A file has a lead-in and its phase is undone, in the truth
    # as in the estimate, which leaves the size of an error as it is. By 5 s the high-pass has forgotten its start.
    monkeypatch.setattr(scoring, "SCORED_FROM_S", 5.0)
    monkeypatch.setenv("ECG_EDGE_CACHE", str(tmp_path / "cache"))
    model = load_model("i-ii-int8")
    targets = model.spec.target_leads
    data = prepare(data_folder / "ptb-xl", (10,), model.spec.conditioning, 12)
    want = scoring.score(data, ("I", "II"), targets, 100, scoring.streamed(model), "evaluate")
    estimate, parts = scoring.streamed(model), []
    for number, record in zip(data.ids, data.x, strict=True):
        whole = open_recording(data_folder / f"ptb-xl/records100/{number // 1000:02d}000/{number:05d}_lr")
        x = whole.mv([whole.leads()[lead] for lead in BASIS])
        stored_files.wfdb_record(tmp_path, "two", x[:, :2], 100, line="two 2 100 1000 10:00:00 05/03/2019")
        write_edf(read_stored(str(tmp_path / "two")), tmp_path / "two.edf")
        words = ("--mains", "off", "--force", "--model", "i-ii-int8")
        run(capsys, tmp_path / "two.edf", "--out", tmp_path / "twelve.edf", *words)
        got = open_recording(tmp_path / "twelve.edf")
        assert got.started == datetime(2019, 3, 5, 10)
        y = got.mv([every_lead(got)[lead] for lead in targets])
        n = len(estimate(measured(record, ("I", "II"))))  # evaluation ends before the last rows' look-ahead is there
        truth = reconstruct(x, fs=100, leads=BASIS, model=model, mains_hz=None).mv[:, [LEADS.index(t) for t in targets]]
        parts.append(metrics.figures(truth[None, 500:n], y[None, 500:n], targets))
    found = metrics.concatenate(parts)
    ours, theirs = found.summary()["mean"], want.summary()["mean"]
    assert ours["rmse_mv"] == pytest.approx(theirs["rmse_mv"], abs=0.002)
    assert ours["r"] == pytest.approx(theirs["r"], abs=0.005)
    # A record that wanders at its end differs: undoing the phase needs what comes after.
    assert np.median(np.abs(np.sqrt(found.mse_mv2) - np.sqrt(want.mse_mv2))) < 0.001
