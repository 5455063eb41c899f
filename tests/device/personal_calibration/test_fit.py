import stat
from dataclasses import replace
from datetime import datetime, timezone
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.inference.load import load_model
from ecg_edge.device.lead_algebra import BASIS, measured
from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.personal_calibration.file import read_calibration, write_calibration
from ecg_edge.device.personal_calibration.fit import design, fit
from ecg_edge.device.personal_calibration.make import make, make_design
from ecg_edge.device.personal_calibration.reference import Reference, condition_reference, read_reference
from ecg_edge.device.personal_calibration.reference_checks import check
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.firmware_bridge.errors import CalibrationError
from ecg_edge.firmware_bridge.events import Channel, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from tests.support.tiny_model import tiny_model

NAMES = tuple(reversed([lead.upper() for lead in LEADS]))


def named(name):
    return Reference(name, Fraction(100), np.zeros((0, 12)))


def write_csv(path, x, names=NAMES, fs=250):
    rows = [",".join(["time", *(f"{n} (uV)" for n in names)])]
    order = [[lead.upper() for lead in LEADS].index(n) for n in names]
    rows += [",".join([f"{k / fs:.6f}", *(f"{1000 * v:.2f}" for v in row[order])]) for k, row in enumerate(x)]
    path.write_text("\n".join(rows) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def twelve():
    return SyntheticHeart(250, seed=3).read(3000)


def test_the_head_comes_nearer_on_samples_it_has_not_seen_and_streams_the_same(tmp_path, twelve):
    model = load_model("i-ii-int8")
    reference = read_reference(write_csv(tmp_path / "a.csv", twelve))
    d, doubts = make_design(model, reference, None)
    name = reference.name
    assert doubts == []
    c = make(model, fit(model.spec, [d]), "p", [named(name)], datetime(2026, 1, 2, tzinfo=timezone.utc))
    write_calibration(tmp_path / "p.calibration", c)
    assert stat.S_IMODE((tmp_path / "p.calibration").stat().st_mode) == 0o600
    again = read_calibration(tmp_path / "p.calibration")
    assert again.label == "reconstructed, calibrated 2026-01-02 from a"
    both = []
    heart = SyntheticHeart(100, seed=3)
    heart.read(2000)
    truth = heart.read(1000)
    for m in (model, again.apply(model, "p", "same")):
        out = StreamReconstructor(m).feed(truth[:, :2].astype(np.float32)).mv
        both.append(np.sqrt(((out[200:, 6:] - truth[200 : len(out), 6:]) ** 2).mean()))
    assert both[1] < 0.7 * both[0]


def test_another_patient_model_or_a_damaged_file_is_refused(tmp_path, twelve):
    model = tiny_model(tmp_path)
    x = twelve[::5, :].astype(np.float32)
    columns = [LEADS.index(lead) for lead in model.spec.target_leads]
    inputs = np.ascontiguousarray(x[:, [LEADS.index(lead) for lead in model.spec.input_leads]])
    found = fit(model.spec, [design(model, inputs, x[:, columns].astype(float))])
    c = make(model, found, "p", [named("r")], datetime(2026, 1, 2, tzinfo=timezone.utc))
    with pytest.raises(CalibrationError, match="another patient"):
        c.apply(model, "q")
    with pytest.raises(CalibrationError, match="another model"):
        replace(c, model_id="0").apply(model)
    path = tmp_path / "c"
    write_calibration(path, c)
    path.write_text(path.read_text()[:-200])
    with pytest.raises(CalibrationError, match="damaged"):
        read_calibration(path)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda x: x[:2000], "8.0 s long"),
        (lambda x: x * (np.arange(12) != 8), "V3 is flat"),
        (lambda x: x * np.where(np.arange(12) == 3, -1, 1), "contradict"),
    ],
)
def test_a_bad_reference_is_refused_with_the_reason(tmp_path, twelve, harm, reason):
    spec = tiny_model(tmp_path).spec
    reference = read_reference(write_csv(tmp_path / "r.csv", harm(twelve)))
    assert reference.fs == Fraction(250)
    with pytest.raises(CalibrationError, match=reason):
        check(reference, condition_reference(reference, spec, None), spec.fs)


def test_exchanged_arms_are_flagged(tmp_path, twelve):
    spec = tiny_model(tmp_path).spec
    swapped = twelve.copy()
    swapped[:, :6] = twelve[:, [0, 2, 1, 4, 3, 5]] * np.array([-1, 1, 1, 1, 1, 1])
    for x, expected in ((twelve, False), (swapped, True)):
        reference = read_reference(write_csv(tmp_path / "r.csv", x))
        found = check(reference, condition_reference(reference, spec, None), spec.fs)
        assert any("LA and RA" in f for f in found) is expected


def _calibration(model, x):
    spec = model.spec
    columns = [LEADS.index(lead) for lead in spec.target_leads]
    inputs = measured(x[:, [LEADS.index(lead) for lead in BASIS]], spec.input_leads)
    found = fit(spec, [design(model, inputs, x[:, columns].astype(float))])
    return make(model, found, "p", [named("r")], datetime(2026, 1, 2, tzinfo=timezone.utc))


@given(cuts=st.lists(st.integers(1, 400), min_size=1, max_size=12), placement=st.sampled_from(["same", "again"]))
@settings(max_examples=15, deadline=None)
def test_a_calibrated_stream_is_the_same_however_it_is_cut(cuts, placement):
    model = load_model("i-ii-int8")
    x = SyntheticHeart(100, seed=3).read(1600).astype(np.float32)
    m = _calibration(model, x).apply(model, "p", placement)
    whole = StreamReconstructor(m).feed(x[:, :2])
    stream = StreamReconstructor(m)
    at, parts = 0, []
    while at < len(x):
        for n in cuts:
            parts.append(stream.feed(x[at : at + n, :2]))
            at += n
    for name in ("mv", "sigma", "share"):
        assert np.concatenate([getattr(p, name) for p in parts]).tobytes() == getattr(whole, name).tobytes()


def test_moved_electrodes_bring_the_models_own_head_back_and_a_note_says_so():
    model = load_model("i-ii-int8")
    heart = SyntheticHeart(100, seed=3).read(6000)
    m = _calibration(model, heart[:1500].astype(np.float32)).apply(model, "p", "same")
    info = StreamInfo("test", Fraction(100), tuple(Channel(lead, 0.001) for lead in ("I", "II")))
    x = heart[1500:5500, :2].copy()
    x[2000:] = x[2000:] @ np.array([[-0.5, 4.0], [3.0, 0.5]])
    pipeline = Pipeline(m, info, mains_hz=None)
    seen = np.ones(x.shape, np.bool_)
    items = [
        *pipeline.feed(SampleBlock(0, np.rint(x * 1000).astype(np.int32), x.astype(np.float32), seen)),
        *pipeline.flush(),
    ]
    notes = [item for item in items if isinstance(item, Note)]
    assert [n.kind for n in notes] == ["calibration"]
    assert "does not fit" in notes[0].text and 2000 < notes[0].index < 3000
    share = np.concatenate([item.share for item in items if isinstance(item, LeadBlock)])
    assert share[300:1900].min() > 0.99 and share[-500:].max() == 0
    own = np.concatenate([b.mv for b in Pipeline(model, info, mains_hz=None).feed(
        SampleBlock(0, np.rint(x * 1000).astype(np.int32), x.astype(np.float32), seen))])  # fmt: skip
    ours = np.concatenate([item.mv for item in items if isinstance(item, LeadBlock)])
    assert np.array_equal(ours[3500:3900], own[3500:3900])
