"""What stands for the time before a recording repeats no loss of it."""

from fractions import Fraction

import numpy as np
import pytest

from ecg_edge.device.conditioning.lead_in import lead_in
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.sources.replay_source import read_recording
from tests.support import fakes, stored_files

FS = Fraction(250)


@pytest.mark.parametrize("lost", [slice(2000, 2750), slice(750, 760), slice(2500, 2501), slice(300, 5000)])
@pytest.mark.parametrize("seconds", [3, 20])
def test_a_later_loss_is_not_in_the_past(lost, seconds):
    mv = stored_files.beats(seconds)
    mv[lost, 0] = np.nan
    past = lead_in(mv, FS, 1250)
    assert past.shape == (1250, 2) and np.isfinite(past).all()


def test_a_lead_that_is_never_there_is_not_waited_for():
    mv = stored_files.beats(20)
    mv[:, 1] = np.nan
    assert np.isfinite(lead_in(mv, FS, 1250)[:, 0]).all()


def test_the_fallback_is_noted_when_it_begins(tmp_path):
    mv = stored_files.beats(20)
    mv[2000:2750, 0] = np.nan
    info, blocks = read_recording(str(stored_files.table(tmp_path / "r.csv", mv)))
    pipeline = Pipeline(load_model("i-ii-int8"), info, mains_hz=50, spare=load_model("any-int8"))
    _, notes = fakes.drain(pipeline, list(blocks))
    at = [n.index / 250 for n in notes if n.kind == "fallback"]
    assert len(at) == 2 and 8.0 <= at[0] <= 9.0 and at[1] > 11
