"""Sinks share their blocks, streams skip channels, tables have names of their own."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import ecg_edge as ee
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

HEART = SyntheticHeart(250).read(2000)[:, :2]


class Keeper(ee.SinkBase):
    takes = (ee.LeadBlock, ee.SampleBlock)
    lossless = True

    def __init__(self):
        self.blocks, self.samples = [], []

    def leads(self, block):
        self.blocks.append(block.mv.copy())

    def native(self, block):
        self.samples.append(block.mv.copy())


class Vandal(Keeper):
    lossless = False

    def leads(self, block):
        block.mv[:] = 99

    def native(self, block):
        block.mv[:] = 99


@pytest.mark.parametrize("kind", [ee.LeadBlock, ee.SampleBlock])
def test_a_sink_that_writes_into_its_block_spoils_nothing(kind):
    vandal, keeper = Vandal(), Keeper()
    vandal.takes = (kind,)
    ee.run("synthetic:", [vandal, keeper], seconds=1, fast=True)
    assert max(np.abs(mv).max() for mv in keeper.blocks + keeper.samples) < 9


def test_what_a_sink_gets_cannot_be_written_and_a_copy_can():
    class Looks(ee.SinkBase):
        def leads(self, block):
            self.writeable = [a.flags.writeable for a in vars(block).values() if isinstance(a, np.ndarray)]
            block.mv.copy()[:] = 0

    looks = Looks()
    ee.run("synthetic:", [looks], seconds=1, fast=True)
    assert looks.writeable and not any(looks.writeable)


@pytest.mark.parametrize("leads", ["I,-", ("I", "-")])
def test_a_channel_is_skipped(leads):
    with ee.open_stream("synthetic:leads=II,V1", leads=leads, fast=True) as blocks:
        block = next(blocks)
    assert block.provenance[0] is ee.Provenance.MEASURED and blocks.model.spec.input_leads == ("I",)
    summary = ee.run("synthetic:leads=II,V1", [Keeper()], leads=leads, seconds=1, fast=True)
    assert summary.info.leads[0] == "I"
    with pytest.raises(ee.UsageError):
        ee.reconstruct(HEART, fs=250, leads=leads)  # an array's own columns are left out by slicing


def test_the_fix_for_blocks_across_an_electrode_off_works():
    block = ee.reconstruct(HEART, fs=250, leads=("I", "II"))
    off = replace(block.rows(100, 200), provenance=(ee.Provenance.RECONSTRUCTED, *block.provenance[1:]))
    blocks = [block.rows(0, 50), block.rows(50, 100), off, block.rows(200)]
    with pytest.raises(ee.UsageError, match="at row 100 the provenance of I changes") as e:
        ee.LeadBlock.join(blocks)
    code = e.value.fix.removeprefix("join each stretch: ")
    known = {"LeadBlock": ee.LeadBlock, "itertools": itertools, "blocks": blocks}
    parts = eval(code, known)  # noqa: S307 -- the fix as it is printed
    assert [(p.index, len(p)) for p in parts] == [(0, 100), (100, 100), (200, len(block) - 200)]


def test_blocks_are_joined_from_anything_iterable():
    block = ee.reconstruct(HEART, fs=250, leads=("I", "II"))
    assert ee.LeadBlock.join(block.rows(k, k + 100) for k in range(0, len(block), 100)) == block
    for wrong in ([], [1], block, 5, [block, np.zeros(3)]):
        with pytest.raises(ee.UsageError):
            ee.LeadBlock.join(wrong)
    with pytest.raises(ee.UsageError, match="row 300 follows where row 200 should"):
        ee.LeadBlock.join([block.rows(0, 200), block.rows(300)])
    with pytest.raises(ee.UsageError, match="rate changes from 100 to 50 Hz"):
        ee.LeadBlock.join([block, replace(block, fs=50)])


@pytest.mark.parametrize(("a", "b"), [(-10, -5), (-10, None), (None, 5), (-5000, 3), (10, 5), (790, 5000), (3, -3)])
def test_rows_are_those_of_a_slice(a, b):
    block = ee.reconstruct(HEART, fs=250, leads=("I", "II"))
    some = block.rows(a, b)
    np.testing.assert_array_equal(some.mv, block.mv[a:b])
    assert some.index == range(len(block))[a:b].start


@pytest.mark.parametrize("row", [1.5, "3"])
def test_a_row_is_a_whole_number(row):
    with pytest.raises(ee.UsageError, match="is no row"):
        ee.reconstruct(HEART, fs=250, leads=("I", "II")).rows(row, 9)


def test_a_table_that_contradicts_the_leads_is_refused():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(HEART, columns=["II", "I"])
    with pytest.raises(ee.UsageError, match="called II, I, but leads names I, II") as e:
        ee.reconstruct(table, fs=250, leads=("I", "II"))
    assert "table[['I', 'II']]" in e.value.fix
    right = ee.reconstruct(table[["I", "II"]], fs=250, leads=("I", "II"))
    assert right == ee.reconstruct(HEART[:, ::-1], fs=250, leads=("I", "II"))
    assert ee.reconstruct(table.rename(columns={"I": "a", "II": "b"}), fs=250, leads=("I", "II")) != right
    with pytest.raises(ee.UsageError, match="called V1"):
        ee.Reconstructor(fs=250, leads="I").feed(pd.Series(HEART[:, 0], name="V1"))
    with pytest.raises(ee.UsageError, match="called V6, V5"):
        ee.calibrate("i-ii-int8", [pd.DataFrame(np.zeros((500, 12)), columns=ee.LEADS[::-1])], fs=250)


def test_a_path_is_a_source(tmp_path):
    from pathlib import Path

    summary = ee.run("synthetic:", [ee.Recorder(tmp_path)], seconds=2, fast=True)
    with ee.open_stream(summary.recording.with_suffix(".hea"), fast=True) as blocks:
        assert next(blocks).index == 0 and blocks.url.startswith("replay:")
    with pytest.raises(ee.PortNotFoundError), ee.open_stream(Path("/dev/ttyNONE")):
        pass


def test_an_empty_block_measures_nothing(recwarn):
    assert ee.measure(ee.reconstruct(HEART, fs=250, leads=("I", "II")).rows(0, 0)) is None
    assert not recwarn.list
