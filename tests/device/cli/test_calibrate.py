"""The verb `calibrate`, live references, and a calibration that comes while the run goes on."""

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.inference.shipped import shipped_files
from ecg_edge.device.lead_algebra import BASIS, measured
from ecg_edge.device.live.live_reference import record_reference
from ecg_edge.device.live.run_settings import Models, RunSettings
from ecg_edge.device.live.runner import Runner
from ecg_edge.device.personal_calibration.file import read_calibration, write_calibration
from ecg_edge.device.personal_calibration.file_watch import CalibrationWatch
from ecg_edge.device.personal_calibration.fit import design, fit
from ecg_edge.device.personal_calibration.reference import condition_reference, read_reference
from ecg_edge.device.personal_calibration.reference_checks import check
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.device.sinks.sink_thread import SinkThread
from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.errors import CalibrationError
from ecg_edge.firmware_bridge.events import Gap
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from tests.device.personal_calibration.test_fit import _calibration, write_csv
from tests.support import fakes

NAMES = sorted(p.name for p in shipped_files())


@pytest.fixture
def reference(tmp_path):
    def write(seed, name="r"):
        return write_csv(tmp_path / f"{name}.csv", SyntheticHeart(250, seed=seed).read(3000))

    return write


def calibrate(out, *references, patient="p", model="i-ii-int8", more=()):
    files = [x for r in references for x in ("--reference", r)]
    return main(["calibrate", "--model", model, *files, "--patient", patient, "--out", str(out), "--json", *more])


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_model_comes_nearer_to_a_person(name):
    whole = load_model(name)
    model = for_leads(whole, ("RA-V2", "RA-V5") if whole.spec.any_electrode else ("I", "II"))
    spec = model.spec
    x = SyntheticHeart(100, seed=5).read(2400).astype(np.float32)
    seen = measured(x[:, [LEADS.index(lead) for lead in BASIS]], spec.input_leads)
    hidden = [LEADS.index(lead) for lead in spec.target_leads]
    errors = []
    for m in (model, _calibration(model, x[:1200]).apply(model, "p", "same")):
        out = StreamReconstructor(m).feed(seen[1200:])
        errors.append(np.sqrt(((out.mv[200:, hidden] - x[1400 : 1200 + len(out), hidden]) ** 2).mean()))
    assert errors[1] < 0.7 * errors[0]


def test_both_formats_of_a_model_give_the_same_head():
    x = SyntheticHeart(100, seed=5).read(1200).astype(np.float32)
    heads = []
    for suffix in ("onnx", "tflite"):
        model = load_model(f"i-ii-int8.{suffix}")
        heads.append(fit(model.spec, [design(model, x[:, :2], x[:, 6:].astype(float))]))
    assert np.abs(heads[0].mean - heads[1].mean).max() < 0.02
    assert np.abs(heads[0].again - heads[1].again).max() < 0.02


def test_an_any_lead_model_needs_to_know_the_leads(tmp_path, reference, capsys):
    out = tmp_path / "p.calibration"
    assert calibrate(out, reference(3), model="any-int8") == 2
    assert "--leads I,II" in capsys.readouterr().err
    assert calibrate(out, reference(3), model="any-int8", more=("--leads", "I,V4,V6")) == 1
    assert "moments" in capsys.readouterr().err
    assert calibrate(out, reference(3), model="any-int8", more=("--leads", "I,II")) == 0
    assert read_calibration(out).input_leads == ("I", "II")


def test_a_reference_of_another_person_among_several_is_flagged(tmp_path, reference, capsys):
    mine = [reference(3, "a"), write_csv(tmp_path / "b.csv", SyntheticHeart(250, seed=3).read(9000)[5000:8000])]
    assert calibrate(tmp_path / "p.calibration", *mine) == 0
    assert json.loads(capsys.readouterr().out)["flags"] == []
    turned = SyntheticHeart(250, seed=3).read(3000)
    turned[:, 6:] = -turned[:, 6:]  # another chest altogether
    other = write_csv(tmp_path / "other.csv", turned)
    before = (tmp_path / "p.calibration").read_bytes()
    assert calibrate(tmp_path / "q.calibration", *mine, other) == 1
    assert "another person" in json.loads(capsys.readouterr().out)["error"]
    assert calibrate(tmp_path / "p.calibration", other) == 1  # beside what is known already
    doc = json.loads(capsys.readouterr().out)
    assert "p.calibration held" in doc["error"] and "--force" in doc["fix"]
    assert not (tmp_path / "q.calibration").exists() and (tmp_path / "p.calibration").read_bytes() == before
    assert calibrate(tmp_path / "q.calibration", *mine, other, more=("--force",)) == 0
    assert any(f.startswith("other: another person") for f in json.loads(capsys.readouterr().out)["flags"])
    assert calibrate(tmp_path / "p.calibration", other, more=("--force",)) == 0
    assert (tmp_path / "p.calibration").read_bytes() != before


def test_a_file_that_is_no_calibration_is_not_replaced_unasked(tmp_path, reference, capsys):
    out = tmp_path / "reference.hea"
    out.write_text("mine")
    assert calibrate(out, reference(3)) == 1 and out.read_text() == "mine"
    assert "--force" in capsys.readouterr().out
    assert calibrate(out, reference(3), more=("--force",)) == 0 and read_calibration(out).patient


def test_a_calibration_that_is_not_there_is_refused_unless_it_is_waited_for(tmp_path, capsys):
    run = ["run", "synthetic:", "--fast", "--seconds", "1", "--model", "i-ii-int8", "--json"]
    assert main([*run, "--calibration", str(tmp_path / "typo")]) == 1
    assert "--calibration-later" in json.loads(capsys.readouterr().out)["fix"]
    assert main([*run, "--calibration", str(tmp_path / "typo"), "--calibration-later"]) == 0


def test_another_patients_file_is_not_overwritten(tmp_path, reference, capsys):
    out = tmp_path / "p.calibration"
    assert calibrate(out, reference(3)) == 0
    before = out.read_bytes()
    assert calibrate(out, reference(3), patient="q") == 1
    assert "of patient p, not q" in capsys.readouterr().err and out.read_bytes() == before
    out.write_text("{}")
    assert calibrate(out, reference(3), patient="q") == 1 and out.read_text() == "{}"
    assert calibrate(out, reference(3), patient="q", more=("--force",)) == 0
    assert "replaced unread" in capsys.readouterr().err


def live(x, gap=None, leads=BASIS, ends=True):
    columns = [LEADS.index(lead) for lead in leads]
    counts = np.rint(x[:, columns] / fakes.LSB).astype(np.int32)
    lists = [[fakes.info(leads)], *([fakes.block(counts[k : k + 25], k)] for k in range(0, len(counts), 25))]
    if gap is not None:
        lists[gap] = [Gap(25 * (gap - 1), 25 * gap)]
    return fakes.ListSource(lists)


def test_a_live_reference_begins_anew_after_a_loss():
    x = SyntheticHeart(250, seed=3).read(4000)
    source = live(x, gap=41)
    found = record_reference(source, ManualClock(), 10)
    assert source.stopped and found.fs == 250 and found.name.startswith("fake ")
    assert np.abs(found.mv - x[1025:3525]).max() < 0.002  # twelve leads, though eight were measured


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (lambda x: live(x[:1000]), "no 10 s without"),
        (lambda x: live(x, leads=("I", "II", "V1")), "also needs V2, V3"),
    ],
)
def test_a_live_reference_that_cannot_be_had_says_why(source, reason):
    source = source(SyntheticHeart(250, seed=3).read(4000))
    with pytest.raises(CalibrationError, match=reason):
        record_reference(source, ManualClock(), 10)
    assert source.stopped


def run_with_a_file(model, path, at, what):
    """A run of ten seconds during which the file is written at second `at`."""
    x = SyntheticHeart(100, seed=3).read(1000)[:, :2]
    counts = np.rint(x / fakes.LSB).astype(np.int32)
    clock = ManualClock()

    class Source(fakes.ListSource):
        def get(self, timeout=None):
            clock.advance(0.1)
            if clock.monotonic() - begun >= at and not path.exists():
                what(path)
            return super().get(timeout)

    begun = clock.monotonic()
    lists = [[fakes.info(fs=100)], *([fakes.block(counts[k : k + 10], k)] for k in range(0, 1000, 10))]
    sink = fakes.ListSink()
    models = Models(lambda leads: model, calibration=CalibrationWatch(path, "p", "same"))
    Runner(Source(lists), models, [SinkThread(sink)], RunSettings(mains_hz=None), clock=clock).run()
    return sink


def test_a_calibration_that_comes_while_the_run_goes_on_is_taken_up(tmp_path):
    model = load_model("i-ii-int8")
    c = _calibration(model, SyntheticHeart(100, seed=3).read(1500).astype(np.float32))
    never = run_with_a_file(model, tmp_path / "never", 99, lambda path: None)
    sink = run_with_a_file(model, tmp_path / "c", 5.0, lambda path: write_calibration(path, c))
    (note,) = sink.notes
    assert note.kind == "calibration" and note.text == c.label and 480 <= note.index <= 620
    assert sink.header.calibration == "" and sink.statuses[-1].calibration == c.label
    own, mine = (fakes.join(s.blocks)[1]["mv"] for s in (never, sink))
    at = note.index - model.spec.lookahead - model.spec.hop
    assert np.array_equal(own[:at], mine[:at])
    late = slice(note.index + model.spec.hop, None)
    assert np.abs(own[late, :6] - mine[late, :6]).max() == 0  # measured and derived leads are what they were
    assert np.abs(own[late, 6:] - mine[late, 6:]).max() > 0.1


def test_a_calibration_that_cannot_be_used_changes_nothing_but_says_so(tmp_path):
    model = load_model("i-ii-int8")
    c = _calibration(model, SyntheticHeart(100, seed=3).read(1500).astype(np.float32))
    never = run_with_a_file(model, tmp_path / "never", 99, lambda path: None)
    for k, (spoil, reason) in enumerate(
        [
            (lambda path: write_calibration(path, replace(c, patient="q")), "another patient"),
            (lambda path: path.write_text("{"), "damaged"),
        ]
    ):
        sink = run_with_a_file(model, tmp_path / str(k), 5.0, spoil)
        assert [n.kind for n in sink.notes] == ["calibration"]
        assert sink.notes[0].text.startswith("not used: ") and reason in sink.notes[0].text
        assert fakes.join(sink.blocks)[1]["mv"].tobytes() == fakes.join(never.blocks)[1]["mv"].tobytes()


def test_an_old_calibration_is_told(tmp_path, capsys):
    model = load_model("i-ii-int8")
    c = _calibration(model, SyntheticHeart(100, seed=3).read(1500).astype(np.float32))
    run = ["run", "synthetic:", "--fast", "--seconds", "1", "--model", "i-ii-int8", "--patient", "p", "--calibration"]
    for name, made, told in (
        ("old", "2020-01-01T00:00:00+00:00", True),
        ("new", datetime.now(timezone.utc).isoformat(), False),
    ):
        write_calibration(tmp_path / name, replace(c, made=made))
        assert main([*run, str(tmp_path / name)]) == 0
        assert ("days old" in capsys.readouterr().err) is told


@pytest.fixture
def record(data_folder):
    """A real twelve-lead record, as its path."""
    return str(data_folder / "ptb-xl/records100/00000/00009_lr")


@pytest.mark.data
def test_a_real_record_is_accepted_and_what_is_done_to_it_is_seen(tmp_path, record, capsys):
    out = tmp_path / "p.calibration"
    assert calibrate(out, record) == 0
    d = json.loads(capsys.readouterr().out)
    assert d["flags"] == [] and all(e["rmse_after_mv"] < e["rmse_before_mv"] for e in d["expected"].values())
    r = read_reference(record)
    spec = load_model("i-ii-int8").spec
    arms, chest, flat = r.mv.copy(), r.mv.copy(), r.mv.copy()
    arms[:, :6] = r.mv[:, [0, 2, 1, 4, 3, 5]] * np.array([-1, 1, 1, 1, 1, 1])
    chest[:, [6, 7]] = r.mv[:, [7, 6]]
    flat[:, 8] = 0.0
    seen = {}
    for name, mv in (("arms", arms), ("chest", chest)):
        other = replace(r, mv=mv)
        seen[name] = check(other, condition_reference(other, spec, None), spec.fs)
    assert any("LA and RA" in f for f in seen["arms"]) and any("V1 and V2" in f for f in seen["chest"])
    for mv, reason in (
        (flat, "V3 is flat"),
        (r.mv[:700], "7.0 s long"),
        (r.mv[:, [1, 0, *range(2, 12)]], "contradict"),
    ):
        other = replace(r, mv=mv)
        with pytest.raises(CalibrationError, match=reason):
            check(other, condition_reference(other, spec, None), spec.fs)


@pytest.mark.data
def test_a_real_record_cut_off_in_the_middle_is_refused(tmp_path, record):
    for suffix in (".hea", ".dat"):
        (tmp_path / f"00009_lr{suffix}").write_bytes(Path(record + suffix).read_bytes())
    data = tmp_path / "00009_lr.dat"
    data.write_bytes(data.read_bytes()[:9000])
    spec = load_model("i-ii-int8").spec
    reference = read_reference(str(tmp_path / "00009_lr"))
    with pytest.raises(CalibrationError, match=r"3\.8 s long"):
        check(reference, condition_reference(reference, spec, None), spec.fs)


def test_a_reference_that_is_cut_is_stated_in_the_summary_and_in_the_file(tmp_path, reference, monkeypatch, capsys):
    monkeypatch.setattr("ecg_edge.device.personal_calibration.reference._MAX_S", 10)
    assert calibrate(tmp_path / "p", reference(1)) == 0
    out = capsys.readouterr()
    said = "r: only the first 10 s of 12 s are used"
    assert json.loads(out.out)["notes"] == [said] and said in out.err
    assert read_calibration(tmp_path / "p").notes == (said,)
