"""Records carried in pieces, a plan, a whole run on them in processes of its own, weights in archives."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.errors import DataFolderError, UsageError
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.gpu import carry, pieces, plan
from ecg_edge.train.gpu.archives import gather
from ecg_edge.train.gpu.run import Run
from ecg_edge.train.runs.checkpoints import load_network

THIN = ("channels=4,4,4,8", "n_features=4", "dilations=1", "batch=2", "epochs=1")


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 300.0, 32767.0]))
@settings(max_examples=20, deadline=None)
def test_counts_survive_the_squeeze(seed: int, height: float) -> None:
    rng = np.random.default_rng(seed)
    x = np.rint(rng.uniform(-height, height, (2, 8, 50))).astype(np.int16)
    assert (pieces.expand(*pieces.squeeze(x), x.shape) == x).all()


def test_pieces_join_to_what_was_packed(parts: tuple[Prepared, Prepared], tmp_path: Path) -> None:
    train, validation = parts
    whole = pieces.pack(train, validation, train, tmp_path / "one", 50)
    assert len(whole) == 1
    many = pieces.pack(train, validation, train, tmp_path / "many", 1e-6)
    said: list[str] = []
    for piece in (*many, many[0]):
        pieces.join(piece, tmp_path / "work", 1, said.append)
    rows = pieces.read(tmp_path / "work")
    n, v = len(train), len(validation)
    assert rows.there.all()
    assert rows.x.shape == (2 * n + v, 8, 1000)
    np.testing.assert_allclose(rows.x[:n] * pieces.STEP_MV, train.x.transpose(0, 2, 1), atol=0.0021)
    np.testing.assert_allclose(rows.x[n + v :] * pieces.STEP_MV, train.x.transpose(0, 2, 1), atol=0.0021)
    assert rows.validation.nonzero()[0].tolist() == list(range(n, n + v))
    assert rows.field.nonzero()[0].tolist() == list(range(n + v, 2 * n + v))
    assert rows.labels[:n].any()


def test_what_is_no_piece_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="no piece"):
        pieces.join(tmp_path, tmp_path / "work", 1, print)
    with pytest.raises(DataFolderError, match="no records"):
        pieces.read(tmp_path)


def test_the_shipped_plan_reads_and_teachers_are_done_before_students_end() -> None:
    rows = {w.name: w for w in plan.read(plan.PLAN)}
    assert rows["i-ii-judged"].start > rows["i-ii-wide"].stop
    laid = plan.entries(plan.read(plan.PLAN), 100, 300)
    assert all(100 <= e.start_s < e.stop_s <= 300 for e in laid)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no plan"),
        ("[]", "no list"),
        ('[{"recipe": "i-ii"}]', "no network"),
        ('[{"name": "a", "begin": 1}]', "no network"),
        ('[{"name": "a", "start": 0.5, "stop": 0.5}]', "no time"),
        ('[{"name": "a"}, {"name": "a"}]', "twice"),
    ],
)
def test_what_is_no_plan_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(UsageError, match=said):
        plan.read(tmp_path / "plan.json")


def test_archives_hold_the_most_valuable_within_their_size(tmp_path: Path) -> None:
    files = []
    for k, size in enumerate((4000, 9000, 4000, 60_000, 100)):
        files.append(tmp_path / f"{k}.pt")
        files[-1].write_bytes(bytes(size))
    said: list[str] = []
    made = gather(files, tmp_path, tmp_path / "out", said.append, most_files=2, most_mb=0.0335)
    names = []
    for path in made:
        assert path.stat().st_size <= 33_500
        with tarfile.open(path) as tar:
            names += tar.getnames()
    assert sorted(names) == ["0.pt", "1.pt", "2.pt", "4.pt"]
    assert [line for line in said if "3.pt" in line] == said


def test_a_run_trains_a_plan_and_hands_back_weights(parts: tuple[Prepared, Prepared], tmp_path: Path) -> None:
    piece = pieces.pack(*parts, None, tmp_path / "pieces", 50)
    networks = [
        plan.Window("wide", "ra-v5-wide", 0.0, 0.5),
        plan.Window("pair", "ra-v5", 0.1, 1.0, ("diagnosis=0.0",), ("wide",)),
    ]
    said: list[str] = []
    run = Run(networks, 2.0, piece, tmp_path / "work", tmp_path / "out", False, THIN, 8, said.append)
    assert run.go() == 0, "\n".join(said)
    with tarfile.open(tmp_path / "out" / "weights-1.tar") as tar:
        tar.extractall(tmp_path / "back", filter="data")
    for name in ("wide", "pair"):
        assert load_network(tmp_path / "back" / "runs" / name).spec.input_leads == ("RA-V5",)
        rows = (tmp_path / "back" / "runs" / name / "history.jsonl").read_text().splitlines()
        assert np.isfinite(json.loads(rows[-1])["loss"])
    assert (tmp_path / "back" / "runs" / "judge" / "judge.pt").is_file()
    assert "2 of 2 networks" in said[-1]


def test_code_is_carried_whole_and_small(tmp_path: Path) -> None:
    path = carry.code(tmp_path)
    with tarfile.open(path) as tar:
        names = tar.getnames()
    assert path.stat().st_size < 2e6
    assert {"ecg_edge/__init__.py", "ecg_edge/train/gpu/hands.py", "ecg_edge/train/recipes/i-ii.yaml"} <= set(names)
    assert not any(name.endswith(".onnx") for name in names)
    assert len(names) == len(set(names))
