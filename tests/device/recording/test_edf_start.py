"""A start between two seconds survives EDF, and every reader takes the file."""

from datetime import datetime, timezone
from fractions import Fraction

import numpy as np
import pyedflib
import pytest

from ecg_edge.device.recording.edf_writer import write_edf
from ecg_edge.device.recording.stored_recording import Signal, Stored, read_stored


@pytest.mark.parametrize("us", [0, 1, 215466, 848444, 999999])
def test_a_fraction_of_a_second_is_kept_and_no_reader_refuses_the_file(us, tmp_path):
    start = datetime(2026, 11, 29, 12, 0, 5, us, tzinfo=timezone.utc)
    counts = (np.arange(1000)[:, None] % 50).astype(np.int32)
    stored = Stored("x", Fraction(100), start, 0, (Signal("I", "measured", 1000, 0),), counts, counts > -1, (), ())
    write_edf(stored, tmp_path / "x.edf")
    with pyedflib.EdfReader(str(tmp_path / "x.edf")) as edf:
        assert edf.getStartdatetime().replace(microsecond=0) == start.replace(tzinfo=None, microsecond=0)
    again = read_stored(str(tmp_path / "x.edf"))
    assert again.started == start and not [n for n in again.notes if "started" in n[1]]
