"""`evaluate` and `results` from end to end: a shipped model on synthetic hearts, the report, the page."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ecg_edge.export.targets import Target
from ecg_edge.firmware_bridge.errors import BudgetError, CheckpointError, DataFolderError, LeadMismatchError, UsageError
from ecg_edge.train.cli.evaluate import EVALUATE
from ecg_edge.train.cli.results import RESULTS
from ecg_edge.train.evaluation import estimators
from ecg_edge.train.evaluation.evaluate import evaluate
from ecg_edge.train.evaluation.measure import literature_band
from ecg_edge.train.network.offline_unet import OfflineUNet
from ecg_edge.train.network.unet import NetSpec, UNet
from ecg_edge.train.pages import models_table, report, results_tables
from ecg_edge.train.pages import results_page as results
from tests.support import stored_files
from tests.support.nets import SMALL, exporter_of, lively, noise

CHEST = ["V1", "V2", "V3", "V4", "V5", "V6"]


def call(verb: Any, *args: str) -> int:
    parser = argparse.ArgumentParser()
    verb.configure(parser)
    return int(verb.run(parser.parse_args(args)))


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An fp32 and an int8 file made from one (random) network, side by side."""
    exporter = exporter_of(lively(NetSpec(("I", "II"), **SMALL)))  # type: ignore[arg-type]
    exporter = exporter.for_eight_bits(np.stack([noise(400, 2, s) for s in range(4)]))
    quant = exporter.eight.quantisation
    folder = tmp_path_factory.mktemp("twins")
    targets = [Target("onnx", "fp32"), Target("onnx", "int8")]
    return {
        t.precision: exporter.write(folder / t.file_name("i-ii"), t, exporter.describe(t, quant, {}, {}), quant)
        for t in targets
    }


@pytest.fixture(scope="module")
def made(ptbxl: Path, twins: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a report and the document, of the shipped int8 model on five synthetic hearts."""
    out = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECG_EDGE_CACHE", str(tmp_path_factory.mktemp("cache3")))
        where = ["--out", str(out), "--json-out", str(out / "docs" / "i-ii-int8.fold10.json")]
        against = ["--against", str(twins["fp32"])]
        assert call(EVALUATE, "i-ii-int8", "--data", str(ptbxl), "--resamples", "50", *against, *where) == 0
    return out, json.loads((out / "report.json").read_text())


def test_the_document_holds_every_figure(made: tuple[Path, dict[str, Any]]) -> None:
    doc = made[1]
    assert doc["records"] == doc["windows"] == 5 and doc["left_out"] == {}
    for part in (
        "leads",
        "amplitude.r",
        "amplitude.t",
        "interval.leads",
        "r_peaks",
        "against.leads",
        "literature_band.leads",
    ):
        place = doc
        for key in part.split("."):
            place = place[key]
        assert list(place) == CHEST, part
    assert list(doc["st"]["truth"]) == ["0.5 Hz", "0.05 Hz"]
    assert all(list(leads) == CHEST for leads in doc["st"]["truth"].values())
    assert list(doc["superclasses"]) == ["NORM"]
    assert doc["superclasses"]["NORM"]["mean"]["r"] == pytest.approx(doc["mean"]["r"])
    assert doc["delineation"]["by"].startswith("NeuroKit2")
    assert 0 < doc["against"]["leads"]["V3"]["rms_uv"] < doc["against"]["leads"]["V3"]["max_uv"]
    assert 0 < doc["interval"]["leads"]["V1"]["coverage"] < 1


def test_the_report_is_written_and_links_its_plots(made: tuple[Path, dict[str, Any]]) -> None:
    folder = made[0]
    text = (folder / "report.md").read_text()
    plots = sorted(p.name for p in folder.glob("*.png"))
    assert plots == ["coverage.png", "r-amplitude.png", "r.png", "st.png"]
    assert all((folder / p).read_bytes().startswith(b"\x89PNG") and f"({p})" in text for p in plots)
    for title in ("Accuracy per lead", "regression to the mean", "ST at J+60 ms", "R-peak timing", "90% interval"):
        assert title in text
    assert json.loads((folder / "docs" / "i-ii-int8.fold10.json").read_text()) == made[1]


def test_what_is_left_out_is_named_with_the_way_to_get_it(ptbxl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "neurokit2", None)
    subject = estimators.from_model("i-ii-int8")
    doc = evaluate(subject, ptbxl, limit=2, resamples=10).doc
    assert "amplitude" not in doc and "st" not in doc and "r_peaks" not in doc
    assert "ecg-edge[evaluate]" in doc["left_out"]["amplitudes, ST levels, R-peak times"]
    assert "--against" in doc["left_out"]["difference to fp32"]


def test_records_are_what_the_folder_holds_and_windows_are_counted_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECG_EDGE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "set").mkdir()
    for name, seconds in (("a", 32), ("b", 12)):
        stored_files.wfdb_record(tmp_path / "set", name, stored_files.twelve(seconds), leads=stored_files.TWELVE)
    where = ["--data", f"wfdb:{tmp_path / 'set'}", "--no-delineation"]
    assert call(EVALUATE, "i-ii-int8", *where, "--json-out", str(tmp_path / "d.json")) == 0
    said, doc = capsys.readouterr().out, json.loads((tmp_path / "d.json").read_text())
    assert (doc["records"], doc["windows"]) == (2, 4) and "2 records in 4 windows of 10 s" in said
    assert "records" not in doc["baselines"]["zero"] and doc["baselines"]["zero"]["windows"] == 4


def test_a_twin_must_read_the_same_leads(twins: dict[str, Path]) -> None:
    assert estimators.twin_of(estimators.from_model("i-ii-int8")) is None
    subject = estimators.from_model(str(twins["int8"]))
    twin = estimators.twin_of(subject)
    assert twin is not None and twin.identity["precision"] == "fp32"
    assert estimators.twin_of(twin) is None
    with pytest.raises(LeadMismatchError, match="compare files made from one run"):
        estimators.check_same_leads(subject, estimators.from_model("i-int8"))


def test_a_model_is_no_different_from_itself(ptbxl: Path) -> None:
    subject = estimators.from_model("i-ii-int8")
    doc = evaluate(subject, ptbxl, limit=1, twin=subject, delineate=False).doc
    assert all(row == {"rms_uv": 0.0, "max_uv": 0.0} for row in doc["against"]["leads"].values())
    assert doc["left_out"]["amplitudes, ST levels, R-peak times"] == "--no-delineation"


def test_the_literature_band_keeps_the_qrs_and_drops_the_drift() -> None:
    from scipy import signal

    sos, t = literature_band(100), np.arange(2000) / 100
    assert sos is not None and literature_band(80) is None
    for hz, kept in ((10.0, 1.0), (0.1, 0.0)):
        x = np.sin(2 * np.pi * hz * t)
        y = signal.sosfiltfilt(sos, x)[500:1500]
        np.testing.assert_allclose(y, kept * x[500:1500], atol=0.02)


def test_the_seeds_design_as_a_baseline(small: NetSpec, ptbxl: Path, tmp_path: Path) -> None:
    spec = replace(small, lookahead=0)
    torch.manual_seed(0)
    net = OfflineUNet(spec).eval()
    state = {"net": spec.to_dict(), "spec": {}, "epoch": 1}
    torch.save({**state, "average": net.state_dict()}, tmp_path / "best.pt")
    estimate = estimators.offline_unet_of(tmp_path, ("I", "II"))
    x = np.random.default_rng(0).normal(size=(160, 2)).astype(np.float32)
    with torch.no_grad():
        want = net(torch.from_numpy(x.T[None]))[0].numpy()[0].T
    np.testing.assert_allclose(estimate(x), want, atol=1e-6)
    doc = evaluate(
        estimators.from_model("i-ii-int8"), ptbxl, limit=1, baselines={"offline U-Net": estimate}, delineate=False
    ).doc
    assert list(doc["baselines"]) == ["zero", "ridge 1", "ridge 31", "offline U-Net"]
    with pytest.raises(LeadMismatchError):
        estimators.offline_unet_of(tmp_path, ("I",))
    torch.save({**state, "average": UNet(small).state_dict()}, tmp_path / "best.pt")
    with pytest.raises(CheckpointError, match="not an offline U-Net"):
        estimators.offline_unet_of(tmp_path, ("I", "II"))


def study_row(configuration: str, design: str) -> dict[str, Any]:
    ascending = enumerate(("V1", "V6", "V2", "V4", "V5", "V3"), 1)
    leads = {lead: {"r": 0.9, "rmse_mv": 0.1, "mse_mv2": 0.01 * k} for k, lead in ascending}
    figures = {"leads": leads, "mean": {"r": 0.9, "rmse_mv": 0.1}}
    about = {"inputs": configuration.split("+"), "records": {"train": 9}, "epochs": 4}
    return {"configuration": configuration, "design": design, "figures": figures, **about}


def test_the_page_and_its_check(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    docs = tmp_path / "results"
    docs.mkdir()
    model = made[1]
    old = {k: model[k] for k in ("model", "records", "leads", "mean", "baselines", "inputs")}  # of an earlier version
    (docs / "i-ii-int8.fold10.json").write_text(json.dumps(model))
    (docs / "older.fold10.json").write_text(json.dumps({**old, "model": "older", "inputs": ["I"]}))
    (docs / "i-ii-int8.ptbdb.json").write_text(json.dumps({**model, "data": "ptbdb", "fold": None, "patients": 1}))
    (docs / "cost.json").write_text(json.dumps({"formats": []}))
    summary = {"study": "gradowski2025", "rows": [study_row("I+II", "ours"), study_row("I+II", "offline U-Net")]}
    (docs / "gradowski2025.json").write_text(json.dumps(summary))
    (docs / "lookahead-40.json").write_text(json.dumps(study_row("40 ms", "ours")))
    (docs / "gradowski2025.png").write_bytes(b"\x89PNG")
    page = tmp_path / "results.md"
    args = ["--from", str(docs), "--out", str(page)]
    with pytest.raises(BudgetError, match="ecg-edge results"):
        call(RESULTS, *args, "--check")
    assert call(RESULTS, *args) == 0
    assert call(RESULTS, *args, "--check") == 0
    text = page.read_text()
    for part in ("`older`", "## `i-ii-int8` in detail", "| 40 ms | ours |", "MorphRec", "5 (1 patient)"):
        assert part in text, part
    assert "- offline U-Net, I+II: V1 and V6 come back best, V3 comes back worst" in text
    assert "results/gradowski2025.png" in text
    assert "docs/results/MODEL.ludb.json" in text
    assert "older` in detail" not in text


def test_records_left_out_are_listed(made: tuple[Path, dict[str, Any]]) -> None:
    doc = {**made[1], "excluded": {"17": "flat lead V3"}, "left_out": {"coverage": "no interval"}}
    text = report.plain(doc)
    assert "Records left out: 17 (flat lead V3)." in text and "Left out: coverage (no interval)." in text


def test_the_page_needs_a_model_and_sound_documents(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="no result of a model"):
        results.load(tmp_path)
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(DataFolderError, match="damaged"):
        results.load(tmp_path)


def test_the_aim_of_the_variance_ratio_is_judged(made: tuple[Path, dict[str, Any]]) -> None:
    rows = {lead: {"variance_ratio": 0.9, "slope": 0.9} for lead in ("V1", "V3")}
    doc = {"inputs": ["I", "II", "V2"], "amplitude": {"r": rows}}
    table = results_tables.regression_to_the_mean([doc], "r")
    assert table is not None and table.note.endswith("met.")
    rows["V3"]["variance_ratio"] = 0.8
    table = results_tables.regression_to_the_mean([doc], "r")
    assert table is not None and table.note.endswith("missed in V3 0.80.")
    assert results_tables.regression_to_the_mean([{"inputs": ["I"]}], "r") is None


def test_the_committed_page_is_what_the_committed_documents_give() -> None:
    root = Path(__file__).resolve().parents[3]
    docs = root / "docs"
    pages = ("--out", str(docs / "results.md"), "--readme", str(root / "README.md"))
    assert call(RESULTS, "--from", str(docs / "results"), *pages, "--check") == 0


def test_the_table_of_models_is_renewed_between_its_marks(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- models: begin -->\nold\n<!-- models: end -->\nafter\n")
    table = models_table.models_table([made[1]], {})
    new = models_table.paged(page.read_text(), table)
    assert new.startswith("before\n") and new.endswith("after\n") and "old" not in new
    assert f"{made[1]['mean']['r']:.3f}" in new and "| – |" in new
    with pytest.raises(UsageError, match="no place"):
        models_table.paged("nothing", table)
