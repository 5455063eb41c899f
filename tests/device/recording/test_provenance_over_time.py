"""Electrodes come off and back on: whatever is kept says of every sample what the pipeline said at that instant."""

from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ecg_edge.device.cli.main import main
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.lead_algebra import Provenance, provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.lead_columns import LeadColumns, ProvenanceTally
from ecg_edge.device.page.compose import compose
from ecg_edge.device.page.options import PageOptions
from ecg_edge.device.personal_calibration.reference import read_reference
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.recording.edf_writer import write_edf
from ecg_edge.device.recording.page_content import page_content
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.recording.stored_recording import Signal, Stored, read_groups, read_stored
from ecg_edge.device.sinks.sink import RunHeader
from ecg_edge.device.sources.replay_source import read_recording
from ecg_edge.firmware_bridge.errors import CalibrationError, RecordingError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from tests.device.recording.test_recorder import STARTED
from tests.support import fakes

N, BLOCK, FS = 4000, 25, 250
KINDS = tuple(p.value for p in Provenance)


@lru_cache
def both():
    return load_model("i-ii-int8"), load_model("any-int8")


@lru_cache
def heart():
    return np.rint(SyntheticHeart(FS, ("I", "II"), seed=3).read(N) / fakes.LSB).astype(np.int32)


def events(counts, off):
    there = np.ones(counts.shape, bool)
    for start, length, lead in off:
        there[start : start + length, lead] = False
    return [
        fakes.block(np.where(there[k : k + BLOCK], counts[k : k + BLOCK], 0), k, there[k : k + BLOCK])
        for k in range(0, len(counts), BLOCK)
    ]


def run(models, folder, stream):
    """Path of the recording, and what the pipeline said: values, lead by lead and provenance by provenance."""
    pipeline = Pipeline(models[0], fakes.info(), mains_hz=None, spare=models[1])
    recorder = Recorder(folder)
    recorder.open(
        RunHeader(
            fakes.info(), "tests:", models[0].spec, "m", "0" * 64, pipeline.provenance, STARTED, pipeline.latency_terms
        )
    )
    blocks = []
    for event in [*stream, None]:
        if event is not None:
            recorder.native(event)
        for item in pipeline.feed(event) if event is not None else pipeline.flush():
            if isinstance(item, LeadBlock):
                recorder.leads(item)
                blocks.append(item)
            else:
                recorder.note(item)
    recorder.close()
    return recorder.path, blocks


def said(blocks):
    """mV per lead and kind, NaN where the pipeline did not call the lead that."""
    n = sum(len(b) for b in blocks)
    out = {(lead, kind): np.full(n, np.nan) for lead in LEADS for kind in KINDS}
    for b in blocks:
        for k, lead in enumerate(LEADS):
            rows = np.where(b.valid[:, k], b.mv[:, k], np.nan)
            out[lead, b.provenance[k].value][b.index : b.index + len(b)] = rows
    return out


def kept(stored):
    n = len(stored.counts)
    out = {(lead, kind): np.full(n, np.nan) for lead in LEADS for kind in KINDS}
    for k, s in enumerate(stored.signals):
        out[s.lead, s.provenance] = stored.mv[:, k]
    return out


def same(found, want, tolerance=0.00051):
    for key, x in want.items():
        assert (np.isnan(found[key]) == np.isnan(x)).all(), key
        assert np.nanmax(np.abs(found[key] - x), initial=0) <= tolerance, key


@given(
    off=st.lists(st.tuples(st.integers(0, N - 1), st.integers(1, 1200), st.integers(0, 1)), max_size=6),
    at=st.integers(0, 500),
)
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would take minutes
)
def test_what_is_kept_is_what_was_said(tmp_path_factory, off, at):
    models, counts = both(), heart()
    folder = tmp_path_factory.mktemp("storm")
    stream = events(counts, off)
    path, blocks = run(models, folder, stream)
    want = said(blocks)
    stored = read_stored(str(path))
    same(kept(stored), want)

    edf = path.with_suffix(".edf")
    write_edf(read_groups(str(path))[0], edf)
    exported = read_stored(str(edf))
    same(kept(exported), want)
    assert len({s.label for s in _signals(edf)}) == len(exported.signals)

    stretch = read_stored(str(path), at, at + 1000)
    page = page_content(stretch)
    for lead in LEADS:
        drawn = {strip.kind: strip.mv for strip in page.leads[lead]}
        for kind in KINDS:
            part = want[lead, kind][at : at + 1000]
            found = drawn.get(kind, np.full(len(part), np.nan))
            assert (np.isnan(found) == np.isnan(part)).all()
            assert np.nanmax(np.abs(found - part), initial=0) <= 0.00051

    # What is called measured is what was sent: natively to the count, conditioned as without a spare.
    measured = read_stored(f"{path}_measured")
    assert (measured.counts == counts[: len(measured.counts)])[measured.valid].all()
    alone, _ = fakes.drain(Pipeline(models[0], fakes.info(), mains_hz=None), stream)
    _, rows = fakes.join(alone)
    for lead in ("I", "II"):
        k, x = LEADS.index(lead), kept(stored)[lead, "measured"]
        there = np.isfinite(x)
        assert rows["valid"][there, k].all()
        assert np.nanmax(np.abs(rows["mv"][:, k] - x), initial=0) <= 0.00051

    tally = ProvenanceTally()
    for b in blocks:
        tally.add(b)
    for lead, parts in tally.rows().items():
        assert parts == {p: n for p in Provenance if (n := int(np.isfinite(want[lead, p.value]).sum()))}


def _signals(edf):
    from ecg_edge.firmware_bridge.recordings.open_recording import open_recording

    return open_recording(str(edf)).signals


@pytest.fixture(scope="module")
def lost_ii(tmp_path_factory):
    return run(both(), tmp_path_factory.mktemp("lost"), events(heart(), [(1000, 2000, 1)]))[0]


def test_a_lead_that_was_estimated_for_a_while_lies_in_two_columns(lost_ii):
    stored = read_stored(str(lost_ii))
    ii = {stored.signals[k].provenance: stored.valid[:, k] for k in stored.columns("II")}
    assert list(ii) == ["measured", "reconstructed"] and not (ii["measured"] & ii["reconstructed"]).any()
    assert not ii["measured"][410:1190].any() and ii["reconstructed"][500:1190].all()
    assert [s.provenance for s in stored.signals[:3]] == ["measured", "measured", "derived"]


def test_the_rhythm_strip_is_what_is_measured(lost_ii):
    assert page_content(read_stored(str(lost_ii), 0, 390)).rhythm == "II"
    assert page_content(read_stored(str(lost_ii), 450, 1150)).rhythm == "I"


def test_a_record_that_does_not_say_is_not_called_measured(tmp_path):
    names = tuple(Signal(lead, "", 1000, 0) for lead in LEADS)
    stored = Stored(
        "x", Fraction(100), None, 0, names, np.ones((1000, 12), np.int32), np.ones((1000, 12), bool), (), ()
    )
    content = page_content(stored)
    assert {strip.kind for lead in LEADS for strip in content.leads[lead]} == {""}
    (sheet,) = compose(content, PageOptions())
    words = [t.words for t in sheet.texts]
    assert sum("not stated" in w for w in words) > 12 and "measured" not in words


def test_an_estimate_is_never_played_as_a_measurement(lost_ii):
    info, blocks = read_recording(str(lost_ii))
    assert info.leads == ("I", "II")
    played = np.concatenate([np.where(b.valid, b.mv, np.nan) for b in blocks])
    want = kept(read_stored(str(lost_ii)))
    for k, lead in enumerate(info.leads):
        np.testing.assert_allclose(played[:, k], want[lead, "measured"], atol=0.0006)
    assert any("V6" in r for r in info.origin.remarks)


def test_estimates_are_no_reference(lost_ii):
    with pytest.raises(CalibrationError, match=r"V1 \(only an estimate\)"):
        read_reference(str(lost_ii))


def test_a_record_of_estimates_alone_cannot_be_played(tmp_path):
    (tmp_path / "x.hea").write_text("x 1 100 2\nx.dat 16 1000/mV 16 0 0 0 0 V1 (reconstructed)\n")
    (tmp_path / "x.dat").write_bytes(b"\1\0\2\0")
    with pytest.raises(RecordingError, match="no measured lead"):
        read_recording(str(tmp_path / "x"))


def test_three_measured_limb_leads_can_become_algebra_of_each_other():
    columns = LeadColumns(provenance(("I", "II", "III"))).columns
    assert ("I", Provenance.DERIVED) in columns and ("I", Provenance.RECONSTRUCTED) in columns
    assert ("aVR", Provenance.RECONSTRUCTED) in columns and len(set(columns)) == len(columns)
    assert [lead for lead, _ in columns[:12]] == list(LEADS)
    assert len(LeadColumns(provenance(("I",))).columns) == 13


def test_blocks_whose_provenance_has_no_column_are_invalid():
    usual = provenance(("I", "II"))
    n = 3
    block = LeadBlock(0, np.ones((n, 12), np.float32), (Provenance.MEASURED,) * 12, np.ones((n, 12), bool),
                      np.zeros(n, bool), np.zeros((n, 12), np.float32))  # fmt: skip
    _, valid = LeadColumns(usual).spread(block)
    assert valid[:, :2].all() and not valid[:, 2:].any()


def test_a_table_made_of_a_recording_keeps_what_is_estimated(tmp_path):
    """`convert` to CSV and back: no lead that was an estimate is read as measured."""
    assert main(["run", "synthetic:", "--seconds", "6", "--fast", "--out", str(tmp_path)]) == 0
    [header] = [p for p in tmp_path.glob("*.hea") if not p.stem.endswith("_measured")]
    table = tmp_path / "c.csv"
    assert main(["convert", str(header.with_suffix("")), "--out", str(table)]) == 0
    said = {s.lead.lead: s.provenance for s in open_recording(str(table)).signals if s.lead.lead}
    assert {lead for lead, kind in said.items() if kind == "reconstructed"} == {"V1", "V2", "V3", "V4", "V5", "V6"}
    assert {lead for lead, kind in said.items() if kind == "measured"} == {"I", "II"}


@pytest.mark.parametrize("wider", [False, True])
def test_a_table_names_a_lead_that_was_estimated_for_a_while_apart(tmp_path, wider):
    """The second column of lead I has its provenance in its name, and every verb reads the table."""
    path = run(both(), tmp_path, events(heart(), [(1500, 1000, 0)]))[0]
    table = tmp_path / "c.csv"
    assert main(["convert", str(path), "--out", str(table)]) == 0
    head = next(line for line in table.read_text().splitlines() if line.startswith("time"))
    names = head.split(",")
    assert "I [mV]" in names and "I (reconstructed) [mV]" in names and len(set(names)) == len(names)
    if wider:  # another program's spelling
        table.write_text(table.read_text().replace("(reconstructed) [mV]", "(Reconstructed) (mV)"))
    want, got = read_stored(str(path)), read_stored(str(table))
    assert [(s.lead, s.provenance) for s in got.signals] == [(s.lead, s.provenance) for s in want.signals]
    np.testing.assert_allclose(got.mv, want.mv, atol=6e-4)
    assert main(["measure", str(table), "--at", "0"]) == 0
    assert main(["reconstruct", str(table), "--out", str(tmp_path / "r.csv")]) == 0
