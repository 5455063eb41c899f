"""Data sets beside PTB-XL: whatever the names, order and units, twelve leads in mV, or a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecg_edge.device.cli.main import main
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.firmware_bridge.errors import DataFolderError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.train.data.datasets import open_dataset
from ecg_edge.train.data.prepare import prepare
from ecg_edge.train.data.wfdb_files import LUDB_MV_PER_COUNT

FS = 500


def truth(seconds: float = 12, fs: int = FS, seed: int = 0) -> np.ndarray:
    """Twelve leads that obey Einthoven and Goldberger, in mV, shape (n, 12) as LEADS."""
    t = np.arange(round(seconds * fs)) / fs
    rng = np.random.default_rng(seed)
    eight = np.stack([rng.uniform(0.3, 1) * np.sin(2 * np.pi * (1.2 * t + rng.uniform())) for _ in range(8)], axis=1)
    i, ii = eight[:, 0], eight[:, 1]
    limb = np.stack([i, ii, ii - i, -(i + ii) / 2, i - ii / 2, ii - i / 2], axis=1)
    return np.concatenate([limb, eight[:, 2:]], axis=1)


def write(folder: Path, name: str, x: np.ndarray, leads: list[str], unit: str = "mV", fs: int = FS, **more) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    n = x.shape[1]
    wfdb.wrsamp(
        name, fs, [unit] * n, leads, p_signal=x, fmt=["16"] * n, write_dir=str(folder),
        **{"adc_gain": [1000.0 if unit == "mV" else 1.0] * n, "baseline": [0] * n, **more},
    )  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECG_EDGE_CACHE", str(tmp_path / "cache"))


def test_names_order_and_units_do_not_matter(tmp_path: Path) -> None:
    x = truth()
    order = np.random.default_rng(1).permutation(12)
    write(tmp_path / "w", "plain", x, list(LEADS))
    write(tmp_path / "w", "odd", x[:, order] * 1000, [LEADS[k].upper() for k in order], "uV")
    data = open_dataset(f"wfdb:{tmp_path / 'w'}")
    for record in data.records:
        signal = data.read(record)
        assert signal.fs == FS
        np.testing.assert_allclose(signal.x, x, atol=6e-4)


def test_field_records_are_divided_by_their_names(tmp_path: Path) -> None:
    x = truth(10)
    names = ["C11_100", "C11_102", "C11_110", "C11_118", "C11_121", "C11_7", "8"]
    for name in names:
        write(tmp_path, name, x, list(LEADS))
    data = open_dataset(f"field:{tmp_path}")
    folds = {record.name: record.fold for record in data.records}
    assert folds == {
        "C11_100": 1, "C11_102": 1, "C11_110": 9, "C11_118": 9, "C11_121": 10, "C11_7": 10, "8": 1
    }  # fmt: skip
    judged = prepare(data, (10,), ConditioningSpec())
    assert sorted(judged.names) == ["C11_121", "C11_7"] and judged.x.shape == (2, 1000, 8)
    assert len(prepare(data, (9,), ConditioningSpec())) == 2


def test_what_cannot_serve_is_listed_with_the_reason(tmp_path: Path) -> None:
    x = truth()
    flat, broken, holes = x.copy(), x.copy(), x.copy()
    flat[:, 8] = 0
    broken[:, 2] += 0.3 * np.sin(np.arange(len(x)) / 50)
    holes[100:120, 4] = np.nan
    w = tmp_path / "w"
    write(w, "good", x, list(LEADS))
    write(w, "flat", flat, list(LEADS))
    write(w, "broken", broken, list(LEADS))
    write(w, "holes", holes, list(LEADS))
    write(w, "short", x[:1000], list(LEADS))
    write(w, "eleven", x[:, :11], list(LEADS[:11]))
    (w / "cut.hea").write_text((w / "good.hea").read_text().replace("good", "cut"))
    (w / "cut.dat").write_bytes((w / "good.dat").read_bytes()[:100])
    data = open_dataset(str(w))
    got = prepare(data, (10,), ConditioningSpec())
    why = {r.name: got.excluded.get(r.number, "") for r in data.records}
    assert got.names == ["good"] and got.x.shape == (1, 1000, 8)
    words = {
        "flat": "flat",
        "broken": "Einthoven",
        "holes": "missing",
        "short": "shorter",
        "eleven": "V6",
        "cut": "cut",
    }
    for name, word in words.items():
        assert word in why[name], (name, why[name])


def test_long_records_are_cut_after_conditioning(tmp_path: Path) -> None:
    write(tmp_path / "w", "long", truth(35), list(LEADS))
    got = prepare(open_dataset(f"wfdb:{tmp_path / 'w'}"), (10,), ConditioningSpec())
    assert got.names == ["long", "long@10s", "long@20s"]
    assert np.abs(got.x[1, :100].mean(axis=0)).max() < 0.2


def test_ludb_is_read_from_its_counts(tmp_path: Path) -> None:
    x = truth()
    counts = np.round(x / LUDB_MV_PER_COUNT)
    gains = [float(np.ptp(counts[:, k])) for k in range(12)]
    write(
        tmp_path / "l",
        "1",
        counts / gains,
        [lead.lower() for lead in LEADS],
        adc_gain=gains,
        comments=["<diagnoses>:", "Rhythm: Sinus rhythm."],
    )
    data = open_dataset(f"ludb:{tmp_path / 'l'}")
    np.testing.assert_allclose(data.read(data.records[0]).x, x, atol=1.1e-3)


def test_training_folds_are_not_invented(tmp_path: Path) -> None:
    write(tmp_path / "w", "r", truth(), list(LEADS))
    with pytest.raises(DataFolderError, match="testing only"):
        prepare(open_dataset(f"wfdb:{tmp_path / 'w'}"), (1, 2), ConditioningSpec())
    with pytest.raises(DataFolderError, match="not a folder"):
        open_dataset(f"wfdb:{tmp_path / 'nothing'}")


def test_info_and_evaluate_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "w", "r", truth(), list(LEADS))
    assert main(["data", "info", f"wfdb:{tmp_path / 'w'}", "--screen"]) == 0
    out = capsys.readouterr().out
    assert "1 of 1 records" in out and "500 Hz" in out and "0 cannot serve" in out
    assert main(["evaluate", "i-ii-int8", "--data", f"wfdb:{tmp_path / 'w'}"]) == 0
    assert "1 record of" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["ptbdb", "ludb", "cinc"])
def test_a_folder_is_no_data_set_because_somebody_says_so(tmp_path: Path, kind: str) -> None:
    write(tmp_path / "w", "00001_lr", truth(), list(LEADS))
    with pytest.raises(DataFolderError, match=f"00001_lr has nothing that marks a record of {kind}") as caught:
        open_dataset(f"{kind}:{tmp_path / 'w'}")
    assert "wfdb:" in caught.value.fix


def test_marks_of_their_makers_are_known(tmp_path: Path) -> None:
    for kind, comments in (("ptbdb", ["Reason for admission: n/a"]), ("ludb", ["<diagnoses>:"]), ("cinc", ["Dx: 1"])):
        write(tmp_path / kind, "r", truth(), list(LEADS), comments=comments)
        assert open_dataset(f"{kind}:{tmp_path / kind}").kind == kind
        write(tmp_path / kind, "s", truth(), list(LEADS))  # one foreign record among them
        with pytest.raises(DataFolderError, match="s has nothing"):
            open_dataset(f"{kind}:{tmp_path / kind}")
    write(tmp_path / "p" / "patient001", "r", truth(), list(LEADS))
    assert open_dataset(f"ptbdb:{tmp_path / 'p'}").records[0].patient == "patient001"


def test_records_are_not_counted_as_patients(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "ab":
        write(tmp_path / "w", name, truth(), list(LEADS))
    assert main(["data", "info", f"wfdb:{tmp_path / 'w'}"]) == 0
    assert "patients unknown" in capsys.readouterr().out
    assert main(["evaluate", "i-ii-int8", "--data", f"wfdb:{tmp_path / 'w'}"]) == 0
    said = capsys.readouterr().out
    assert "2 records of wfdb, patients unknown" in said
    write(tmp_path / "w", "c", truth(), list(LEADS), comments=["patient: P7"])
    assert main(["data", "info", f"wfdb:{tmp_path / 'w'}"]) == 0
    assert "1 patients known" in capsys.readouterr().out


@pytest.mark.data
def test_ptb_records_at_1000_hz_with_fifteen_leads(real_data: Path) -> None:
    data = open_dataset(str(real_data / "ptbdb"))
    assert data.kind == "ptbdb" and len(data.records) == 2
    assert len({r.patient for r in data.records}) == 1
    got = prepare(data, (10,), ConditioningSpec())
    assert got.x.shape[1:] == (1000, 8) and len(got) >= 10 and not got.excluded


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    write(folder, "a", truth(), list(LEADS))
    (folder / "ptbxl_database.csv").write_text("ecg_id\n")
    for kind in ("ptbdb", "wfdb", "cinc", "ludb"):
        with pytest.raises(DataFolderError, match=f"holds ptb-xl, not {kind}") as caught:
            open_dataset(f"{kind}:{folder}")
        assert f"ptb-xl:{folder}" in caught.value.fix
    (folder / "ptbxl_database.csv").unlink()
    assert open_dataset(f"wfdb:{folder}").kind == "wfdb"
