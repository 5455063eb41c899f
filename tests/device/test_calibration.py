import stat
from dataclasses import replace
from datetime import datetime, timezone
from fractions import Fraction

import numpy as np
import pytest

from ecg_edge.device.calibrate_verb import make, read_design
from ecg_edge.device.calibration import design, fit
from ecg_edge.device.calibration_file import CalibrationError, read_calibration, write_calibration
from ecg_edge.device.model import load_model
from ecg_edge.device.reference import condition_reference, read_reference
from ecg_edge.device.reference_checks import check
from ecg_edge.device.stream import StreamReconstructor
from ecg_edge.firmware_bridge.samples import LEADS
from ecg_edge.firmware_bridge.synthetic import SyntheticHeart
from tests.device.tiny_model import tiny_model

NAMES = tuple(reversed([lead.upper() for lead in LEADS]))


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
    d, name, _ = read_design(model, write_csv(tmp_path / "a.csv", twelve), None)
    c = make(model, fit(model.spec, [d]), "p", (name,), datetime(2026, 1, 2, tzinfo=timezone.utc))
    write_calibration(tmp_path / "p.calibration", c)
    assert stat.S_IMODE((tmp_path / "p.calibration").stat().st_mode) == 0o600
    again = read_calibration(tmp_path / "p.calibration")
    assert again.label == "reconstructed, calibrated 2026-01-02 from a"
    both = []
    heart = SyntheticHeart(100, seed=3)
    heart.read(2000)
    truth = heart.read(1000)
    for m in (model, again.apply(model, "p")):
        out = StreamReconstructor(m.backend).feed(truth[:, :2].astype(np.float32)).mv
        both.append(np.sqrt(((out[200:, 6:] - truth[200 : len(out), 6:]) ** 2).mean()))
    assert both[1] < 0.7 * both[0]


def test_another_patient_model_or_a_damaged_file_is_refused(tmp_path, twelve):
    model = tiny_model(tmp_path)
    x = twelve[::5, :].astype(np.float32)
    columns = [LEADS.index(lead) for lead in model.spec.target_leads]
    inputs = np.ascontiguousarray(x[:, [LEADS.index(lead) for lead in model.spec.input_leads]])
    found = fit(model.spec, [design(model.backend, inputs, x[:, columns].astype(float))])
    c = make(model, found, "p", ("r",), datetime(2026, 1, 2, tzinfo=timezone.utc))
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
