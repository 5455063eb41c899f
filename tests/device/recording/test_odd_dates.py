"""A board without a clock, or with an absurd one, records; what is made of the record holds."""

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.device.recording.stored_recording import read_stored
from ecg_edge.firmware_bridge.clock import SystemClock


@pytest.mark.parametrize("year", [1, 1901, 1970, 1984, 2085, 9999])
def test_a_record_of_any_year_is_written_converted_and_printed(year, tmp_path, monkeypatch, capfd):
    pytest.importorskip("edfio")
    month = 1 if year == 1 else 6  # the first second of the calendar, and times that are in no other year
    monkeypatch.setattr(SystemClock, "now", lambda self: datetime(year, month, 1, 0, 0, 1, tzinfo=timezone.utc))
    run = ["run", "synthetic:", "--fast", "--seconds", "11", "--rotate", "10s", "--out", str(tmp_path), "--json"]
    assert main(run) == 0, capfd.readouterr().err
    record = json.loads(capfd.readouterr().out)["recording"]
    assert read_stored(record).started.year == year
    headers = sorted(Path(tmp_path).glob("*.hea"))
    assert len(headers) == 4
    for header in headers:
        assert main(["convert", str(header.with_suffix(""))]) == 0, capfd.readouterr().err
        made = read_stored(str(header.with_suffix(".edf")))
        if 1985 <= year <= 2084:
            assert made.started.year == year
        else:
            assert any(f"recorded {read_stored(str(header.with_suffix(''))).started:%Y}" in t for _, t in made.notes)
