"""A short soak: the harness finds what it is made to find."""

import json

import numpy as np
import pytest

from ecg_edge.benchmarks.cli.soak import page
from ecg_edge.benchmarks.live_path.soak import Plan, soak
from ecg_edge.benchmarks.live_path.soak_truth import FS, Cable, hold_against
from ecg_edge.device.cli.main import main

NOTHING = ["soak", "--hours", "0", "--boots", "0", "--live-minutes", "0", "--storm-hours", "0"]


@pytest.fixture(scope="module")
def soaked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("soak")
    return folder, soak(Plan("short", 60, 20, unplugs=1, boots=2), folder)


def test_every_sample_is_accounted_for_on_a_bad_cable(soaked):
    _, r = soaked
    assert all(r["checks"].values()), r["checks"]
    assert r["samples_in"] + r["samples_lost"] > 0.8 * 60 * FS
    assert r["notes"]["disconnect"] >= 3 and r["notes"]["restart"] == 1
    assert "1 plugs pulled, 2 boots" in page({"machine": {}, "model": "m", "soaks": [r]})


def test_the_comparison_notices_one_wrong_sample_and_one_missing_row(soaked):
    folder, _ = soaked
    (header,) = folder.glob("*_measured.hea")
    recording = str(header).removesuffix("_measured.hea")
    logs = [json.loads((folder / f"faults-{k}.json").read_text()) for k in (0, 1)]
    before = hold_against(recording, logs)
    assert before["wrong"] == before["misplaced"] == 0
    data = header.with_suffix(".dat")
    good = data.read_bytes()
    row = len(good) // before["rows"]
    at = next(k for k in range(1000, 5000) if good[k * row] not in (0, 255)) * row
    data.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
    assert hold_against(recording, logs)["wrong"] == 1
    data.write_bytes(good[: 1000 * row] + good[1001 * row :] + bytes(row))
    assert hold_against(recording, logs)["wrong"] > 100
    data.write_bytes(good)


@pytest.mark.parametrize("cut", range(1, 17))
def test_only_the_last_rows_before_a_pulled_plug_may_be_missing(cut):
    #        1: far from a plug; sent; missing
    sure = "1100000011100001"
    sent = "1111101100111101"
    gone = "0001001100001101"
    cable = Cable()
    rows = np.array([[c == "1" for c in line] for line in (sure, sent, gone)])
    for k in range(0, 16, cut):
        cable.feed(*rows[:, k : k + cut])
    # Row 3 is missing before row 4, which arrived; 6, 7 and 12, 13 went with the plug.
    assert (cable.misplaced, cable.unread) == (1, 4)


def test_a_boot_counts_from_the_frame_that_was_heard_first(soaked, tmp_path):
    folder, _ = soaked
    (header,) = folder.glob("*_measured.hea")
    recording = str(header).removesuffix("_measured.hea")
    logs = [json.loads((folder / f"faults-{k}.json").read_text()) for k in (0, 1)]
    data = header.with_suffix(".dat")
    good = data.read_bytes()
    row = len(good) // hold_against(recording, logs)["rows"]
    # Three frames were sent before the port was listened to; then no whole frames, which is another signal.
    for missed, wrong in ((30, False), (25, True)):
        data.write_bytes(good[missed * row :] + bytes(missed * row))
        assert (hold_against(recording, logs)["wrong"] > 2 * missed) == wrong
    data.write_bytes(good)


def test_nothing_to_soak_is_quickly_done_and_the_folder_is_made(capsys, tmp_path):
    out = tmp_path / "new" / "report"
    assert main([*NOTHING, "--out", str(out), "--json"]) == 0
    assert (out / "soak.md").is_file()
    assert json.loads(capsys.readouterr().out)["soaks"] == []


@pytest.mark.parametrize("verb", [NOTHING, ["bench"]])
def test_a_report_that_can_go_nowhere_is_told_before_the_work(capsys, tmp_path, verb):
    (tmp_path / "file").write_text("")
    assert main([*verb, "--out", str(tmp_path / "file" / "report")]) == 2
    assert "name another with --out" in capsys.readouterr().err
