"""Start, notes and person go from file to file, in whatever order the formats follow each other."""

import json
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction

import numpy as np
import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.device.offline.write_recording import write_recording
from ecg_edge.device.recording.stored_recording import Signal, Stored
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.recordings.recording import Person
from tests.support import stored_files

MV = stored_files.beats(20)
UTC = datetime(2024, 3, 1, 9, 0, 0, 500000, timezone.utc)
PERSON = Person("P-7", "Zoë Müller", "female", date(1970, 2, 28), "54")


CHAINS = [("csv", "edf", "hea", "csv"), ("csv", "csv", "csv"), ("edf", "edf", "edf"), ("hea", "hea"),
          ("edf", "parquet", "csv"), ("hea", "csv", "edf"), ("parquet", "hea", "edf", "parquet")]  # fmt: skip


def stored(started=UTC):
    signals = tuple(Signal(lead, "measured", 1000, 0) for lead in ("I", "II"))
    notes = ((1000, "the patient was moved, 2 times"), (2500, "lead I: loose"))
    counts = np.rint(MV * 1000).astype(np.int32)
    return Stored("r", Fraction(250), started, 0, signals, counts, counts < 9999, notes, ("device: X, 5 V",), PERSON)


def convert(source, out):
    assert main(["convert", str(source), "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize("chain", CHAINS,
                         ids="-".join)  # fmt: skip
@pytest.mark.parametrize("started", [UTC, datetime(2024, 3, 1, 9)])
def test_a_chain_keeps_start_notes_and_person(chain, started, tmp_path):
    for extra in {"parquet": ["pyarrow"], "edf": ["edfio"]}.keys() & set(chain):
        pytest.importorskip({"parquet": "pyarrow", "edf": "edfio"}[extra])
    kind = {"hea": "wfdb"}.get(chain[0], chain[0])
    at = tmp_path / f"a0.{chain[0]}"
    write_recording(stored(started), at, kind)
    for k, suffix in enumerate(chain[1:], 1):
        at = convert(at, tmp_path / f"a{k}.{suffix}")
    made = open_recording(at)
    assert made.started == started and made.person == PERSON
    said = {text: float(when) for when, text in made.notes if when}
    assert said == {"the patient was moved, 2 times": 4.0, "lead I: loose": 10.0}
    everything = [*made.comments, *(text for _, text in made.notes)]
    assert sum("device: X, 5 V" in text for text in everything) == 1
    assert not any("started" in text or text.startswith("note at") for text in everything)
    assert {s.provenance for s in made.signals} == {"measured"}


def test_a_piece_cut_out_of_our_table_starts_later(tmp_path):
    write_recording(stored(), tmp_path / "a.csv", "csv")
    lines = (tmp_path / "a.csv").read_text("utf-8").splitlines()
    head = next(k for k, line in enumerate(lines) if line.startswith("time"))
    (tmp_path / "b.csv").write_text("\n".join([*lines[: head + 1], *lines[head + 1 + 1500 :]]), "utf-8")
    made = open_recording(convert(tmp_path / "b.csv", tmp_path / "c.csv"))
    assert made.started == UTC + timedelta(seconds=6)
    assert [(float(at), text) for at, text in made.notes] == [(4.0, "lead I: loose")]


@pytest.mark.parametrize(("unit", "scale"), [("ms", 1e3), ("s", 1), ("us", 1e6), ("", 1e3)])
def test_a_clock_that_counts_from_1970_is_the_start(unit, scale, tmp_path):
    first = UTC.timestamp()
    lines = [f"time{'_' * bool(unit)}{unit},I_mV,II_mV"]
    lines += [f"{(first + k / 250) * scale:.4f},{a:.4f},{b:.4f}" for k, (a, b) in enumerate(MV)]
    (tmp_path / "r.csv").write_text("\n".join(lines))
    for path in (tmp_path / "r.csv", convert(tmp_path / "r.csv", tmp_path / "o.csv")):
        made = open_recording(path)
        assert abs(made.started - UTC) < timedelta(milliseconds=1) and made.signals[0].fs == 250


def test_times_that_begin_later_are_no_date(tmp_path, capsys):
    lines = ["time_s,I_mV,II_mV", *(f"{1000 + k / 250:.3f},{a:.4f},{b:.4f}" for k, (a, b) in enumerate(MV))]
    (tmp_path / "r.csv").write_text("\n".join(lines))
    assert main(["info", str(tmp_path / "r.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["seconds"] == 20
    assert open_recording(tmp_path / "r.csv").started is None
