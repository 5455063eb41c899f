"""Tables whose cells or times can be read in two ways: the right one, or a reason."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from ecg_edge.firmware_bridge.errors import RateUnknownError, RecordingError
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.recordings.text import clock_time, moment
from tests.support import stored_files

N = 3000
X = stored_files.twelve(12)[:N, :2]


def table(folder, times, head="time", rows=X, sep=",", heads=("I [mV]", "II [mV]"), cell="{:.4f}"):
    lines = [sep.join([head, *heads])]
    lines += [sep.join([str(t), *(cell.format(v) for v in row)]) for t, row in zip(times, rows, strict=False)]
    (folder / "r.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "r.csv"


@pytest.mark.parametrize("mark", [".", ","])
def test_points_between_thousands_are_refused_and_never_taken_for_fractions(tmp_path, mark):
    path = table(tmp_path, [f"{k / 250:.3f}" for k in range(N)], "time [s]")
    cells = [f"{1600 * v:,.0f}".replace(",", mark) for v in X[:, 1]]
    assert any(mark in c for c in cells)
    lines = ["time [s];II [uV]", *(f"{k / 250:.3f};{c}" for k, c in enumerate(cells))]
    path.write_text("\n".join(lines), "utf-8")
    with pytest.raises(RecordingError, match=r"line \d+, cell 2: '.*' (may be \d{4} or a fraction|is no number)"):
        open_recording(path)


def test_whole_numbers_among_fractions_are_read(tmp_path):
    path = table(tmp_path, [f"{k / 250:.3f}" for k in range(N)], "time [s]", 500 * X, cell="{:g}")
    assert open_recording(path).signals[0].fs == 250


def test_a_line_with_too_many_cells_is_refused_by_its_number(tmp_path):
    path = table(tmp_path, [f"{k / 250:.3f}" for k in range(N)], "time [s]")
    lines = path.read_text("utf-8").splitlines()
    lines[2000] = "8.000,0.5,0,035"
    path.write_text("\n".join(lines), "utf-8")
    with pytest.raises(RecordingError, match="line 2001: 4 cells, not 3"):
        open_recording(path)


@pytest.mark.parametrize("jitter_ms", [0.5, 1.1, 1.5, 1.9])
@pytest.mark.parametrize("seed", range(3))
def test_a_wavering_clock_has_no_gaps_and_its_own_rate(tmp_path, jitter_ms, seed):
    rng = np.random.default_rng(seed)
    times = [f"{k / 250 + rng.uniform(-jitter_ms, jitter_ms) / 1000:.5f}" for k in range(N)]
    found = open_recording(table(tmp_path, times, "time [s]"))
    assert float(found.signals[0].fs) == pytest.approx(250, abs=0.06) and found.signals[0].length == N
    assert not any("gap" in r for r in found.remarks)


def test_a_gap_in_a_wavering_clock_is_found(tmp_path):
    rng = np.random.default_rng(1)
    times = [f"{(k + 100 * (k >= 1500)) / 250 + rng.uniform(-0.0015, 0.0015):.5f}" for k in range(N)]
    found = open_recording(table(tmp_path, times, "time [s]"))
    assert float(found.signals[0].fs) == pytest.approx(250, abs=0.06)
    assert found.signals[0].length == N + 100 and "1 gap in the times: 100 samples missing" in found.remarks


def test_moments_in_one_number(tmp_path):
    found = open_recording(table(tmp_path, [f"202403041000{k / 250:09.6f}" for k in range(N)]))
    assert found.signals[0].fs == 250 and found.started == datetime(2024, 3, 4, 10)
    assert found.signals[0].length == N


@pytest.mark.parametrize(
    "text, at",
    [("02:00:01.5 PM", (14, 0, 1)), ("12:00:00 AM", (0, 0, 0)), ("12:05 p.m.", None), ("14:00:00 PM", (14, 0, 0))],
)
def test_halves_of_the_day(text, at):
    found = moment(f"2024-03-04 {text}")
    assert found is not None and found.date().isoformat() == "2024-03-04"
    assert at is None or (found.hour, found.minute, found.second) == at
    assert at is None or clock_time(text)[0].hour == at[0]


def test_tables_and_headers_with_halves_of_the_day(tmp_path):
    found = open_recording(table(tmp_path, [f"2024-03-25 02:00:{k / 250:09.6f} PM" for k in range(N)]))
    assert found.started == datetime(2024, 3, 25, 14) and found.signals[0].fs == 250
    path = stored_files.wfdb_record(tmp_path, "h", X)
    lines = path.read_text().splitlines()
    lines[0] = f"h 2 250 {N} 10:00:00 PM 25/03/2024"
    path.write_text("\n".join(lines) + "\n")
    assert open_recording(path).started == datetime(2024, 3, 25, 22)


@pytest.mark.parametrize("first", [0, 1])
def test_a_column_that_counts_is_no_clock(tmp_path, first):
    path = table(tmp_path, range(first, first + N))
    with pytest.raises(RateUnknownError, match="'time' counts rows") as e:
        open_recording(path)
    assert "--fs" in e.value.fix
    assert open_recording(path, 250).signals[0].fs == 250


@pytest.mark.parametrize("hours", [1, -1])
def test_summer_time_is_no_gap(tmp_path, hours):
    at = datetime(2020, 3, 29, 1, 59, 58)
    times = [
        (at + timedelta(seconds=k / 250, hours=hours * (k >= 500))).isoformat(" ", "microseconds") for k in range(N)
    ]
    found = open_recording(table(tmp_path, times))
    assert found.signals[0].length == N and found.signals[0].fs == 250
    assert any("one hour" in r for r in found.remarks)


def test_a_header_that_tells_of_fewer_records_than_there_are_says_so(tmp_path):
    path = stored_files.edf(tmp_path / "r.edf", [("EKG II", "mV", X[:, 1], 250)], seconds=1)
    data = bytearray(path.read_bytes())
    data[236:244] = b"5       "
    path.write_bytes(data)
    found = open_recording(path)
    assert found.signals[0].length == 1250 and any(
        "the header says 5 s, the file holds 12 s" in r for r in found.remarks
    )
