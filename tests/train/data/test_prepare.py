"""PTB-XL as it lies on disk: read, screened, conditioned, cached; and folders that are something else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.errors import DataFolderError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.train.data import ptbxl as loader
from ecg_edge.train.data.prepare import cache_folder, prepare
from ecg_edge.train.runs.run_folder import data_root
from tests.support.ptbxl_folder import heart, write_folder, write_record

SPEC = ConditioningSpec()


def test_a_record_reads_back_in_canonical_order(ptbxl: Path) -> None:
    entry = loader.read_database(ptbxl)[0]
    np.testing.assert_allclose(loader.read_record(entry.path), heart(1), atol=6e-4)
    assert entry.patient == "1000"


def test_folds_and_limit(ptbxl: Path) -> None:
    entries = loader.read_database(ptbxl)
    assert {e.fold for e in loader.select(entries, (9, 10))} == {9, 10}
    assert len(loader.select(entries, (1, 2), 5)) == 5
    with pytest.raises(DataFolderError, match="no record of fold 3"):
        loader.select(entries, (3,))


def test_prepared_records_went_through_the_devices_chain(ptbxl: Path) -> None:
    data = prepare(ptbxl, (9,), SPEC)
    assert data.x.shape == (6, 1000, 8)
    first = loader.select(loader.read_database(ptbxl), (9,))[0]
    raw = loader.read_record(first.path)[:, [LEADS.index(lead) for lead in BASIS]]
    np.testing.assert_array_equal(data.x[0], Conditioner(100, 100, 8, SPEC).feed(raw))


def test_the_cache_is_used_and_keyed_by_conditioning(ptbxl: Path) -> None:
    a = prepare(ptbxl, (10,), SPEC)
    before = set(cache_folder().iterdir())
    b = prepare(ptbxl, (10,), SPEC)
    assert set(cache_folder().iterdir()) == before
    np.testing.assert_array_equal(a.x, b.x)
    c = prepare(ptbxl, (10,), ConditioningSpec(highpass_hz=0.0625))  # no other test uses it
    assert len(set(cache_folder().iterdir())) == len(before) + 1
    assert np.abs(a.x - c.x).max() > 0.01


@pytest.mark.parametrize("changed", [("resampler", "_CUTOFF", 0.3), ("resampler", "_HALF_WIDTH", 3)])
def test_records_of_another_filter_are_not_taken_from_the_cache(
    ptbxl: Path, monkeypatch: pytest.MonkeyPatch, changed: tuple[str, str, float]
) -> None:
    """A change of the chain's code must reach the records, though no number of the spec says so."""
    before = prepare(ptbxl, (10,), SPEC, fs=50).x
    module, name, value = changed
    monkeypatch.setattr(f"ecg_edge.device.conditioning.{module}.{name}", value)
    after = prepare(ptbxl, (10,), SPEC, fs=50).x
    fresh = Conditioner(100, 50, 8, SPEC).feed(
        loader.read_record(loader.select(loader.read_database(ptbxl), (10,))[0].path)[
            :, [LEADS.index(lead) for lead in BASIS]
        ]
    )
    np.testing.assert_array_equal(after[0], fresh)
    assert np.abs(after - before).max() > 0.001


def test_a_half_built_cache_is_built_again(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "p", {10: 2})
    prepare(root, (10,), SPEC)
    folder = max(cache_folder().iterdir(), key=lambda p: p.stat().st_mtime_ns)
    (folder / "index.json").unlink()
    (folder / "x.npy").write_bytes(b"half")
    assert len(prepare(root, (10,), SPEC)) == 2
    assert not list(folder.glob("*.part*"))


def test_unusable_records_are_listed_not_repaired(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "p", {10: 6})
    broken = heart(2)
    broken[:, 2] += 0.05
    write_record(root, 2, broken)
    flat = heart(3)
    flat[:, 8] = 0
    write_record(root, 3, flat)
    write_record(root, 4, heart(4)[:, :11])
    (root / "records100/00000/00005_lr.dat").write_bytes(b"xx")
    write_record(root, 6, heart(6)[:900])
    data = prepare(root, (10,), SPEC)
    assert data.ids == [1]
    assert set(data.excluded) == {2, 3, 4, 5, 6}
    assert "Einthoven's law by 0.05" in data.excluded[2]
    assert data.excluded[3] == "flat lead V3"
    assert "lacks lead V6" in data.excluded[4]
    assert "cannot read" in data.excluded[5]
    assert data.excluded[6] == "900 samples instead of 1000"


def test_every_record_screened_out(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "p", {10: 1})
    write_record(root, 1, np.zeros((1000, 12)) + np.arange(1000)[:, None] * 1e-3)
    with pytest.raises(DataFolderError, match="screened out"):
        prepare(root, (10,), SPEC)


def test_folders_that_are_not_ptbxl(ptbxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataFolderError, match="not a PTB-XL folder"):
        loader.read_database(tmp_path)
    shutil.copytree(ptbxl, tmp_path / "copy")
    table = tmp_path / "copy" / "ptbxl_database.csv"
    text = table.read_text()
    table.write_text(text.replace("strat_fold", "fold"))
    with pytest.raises(DataFolderError, match="no column strat_fold"):
        loader.read_database(tmp_path / "copy")
    table.write_text(text.replace("\n1,", "\nx1,", 1))
    with pytest.raises(DataFolderError, match="bad row"):
        loader.read_database(tmp_path / "copy")
    monkeypatch.delenv("ECG_EDGE_DATA", raising=False)
    with pytest.raises(DataFolderError, match="ECG_EDGE_DATA"):
        data_root(None)
    (tmp_path / "all").mkdir()
    shutil.copytree(ptbxl, tmp_path / "all" / "ptb-xl")
    monkeypatch.setenv("ECG_EDGE_DATA", str(tmp_path / "all"))
    assert data_root(None) == tmp_path / "all" / "ptb-xl"


@pytest.mark.parametrize(("fs", "message"), [(500, "500 Hz, not 100")])
def test_wrong_rate(tmp_path: Path, fs: int, message: str) -> None:
    write_record(tmp_path, 1, heart(1), fs)
    with pytest.raises(DataFolderError, match=message):
        loader.read_record(tmp_path / "records100/00000/00001_lr")


def test_nan_is_refused(tmp_path: Path) -> None:
    x = heart(1)
    x[5, 3] = np.nan
    write_record(tmp_path, 1, x)
    with pytest.raises(DataFolderError, match="missing samples"):
        loader.read_record(tmp_path / "records100/00000/00001_lr")


def test_index_of_the_cache_is_readable_json(ptbxl: Path) -> None:
    prepare(ptbxl, (10,), SPEC)
    indexes = [json.loads(p.read_text()) for p in cache_folder().glob("*/index.json")]
    assert any(len(i["ids"]) == 5 for i in indexes)
