"""Folders of records over cores and over a cluster: the same bytes, and one bad record never ends it."""

import json
import os
import signal

import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.device.offline.many_records import RecordPlan, try_record
from ecg_edge.device.offline.spread_records import over_cluster, over_cores, usual_processes
from ecg_edge.firmware_bridge.errors import PortNotFoundError
from tests.support import stored_files
from tests.support.deadly_records import deadly

PLAN = RecordPlan(model="i-ii-int8")
NAMES = [f"r{k}" for k in range(6)]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "in"
    made.mkdir()
    for k, name in enumerate(NAMES):
        about = {"line": f"{name} 2 250 {250 * (4 + k)} 10:00:00 05/03/2019", "comments": [f"patient: {k}"]}
        stored_files.wfdb_record(made, name, stored_files.beats(4 + k, 250), 250, **about)
    return made


def jobs(folder, out, *more):
    return [(str(folder / f"{n}.hea"), str(out / f"{n}.hea")) for n in (*NAMES, *more)]


def contents(out):
    return {p.name: p.read_bytes() for p in out.iterdir() if p.suffix in (".hea", ".dat", ".atr")}


def states(found):
    return {d["record"].rpartition("/")[2].removesuffix(".hea"): d["state"] for d in found}


def test_two_processes_write_the_bytes_of_one_and_do_nothing_twice(folder, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    assert set(states(over_cores(PLAN, jobs(folder, one), 1)).values()) == {"done"}
    (folder / "bad.hea").write_text("bad 2 250 100\nbad.dat 16 200\n")
    found = states(over_cores(PLAN, jobs(folder, two, "bad"), 2))
    assert found == dict.fromkeys(NAMES, "done") | {"bad": "refused"}
    assert contents(one) == contents(two) and len(contents(one)) == 3 * len(NAMES)
    before = {p: p.stat().st_mtime_ns for p in two.iterdir()}
    assert set(states(over_cores(PLAN, jobs(folder, two), 2)).values()) == {"there already"}
    assert before == {p: p.stat().st_mtime_ns for p in two.iterdir()}


def test_a_record_that_kills_its_process_is_refused_and_the_others_are_done(folder, tmp_path):
    for name in ("deadly", "shaky"):
        about = {"line": f"{name} 2 250 1000", "comments": []}
        stored_files.wfdb_record(folder, name, stored_files.beats(4, 250), 250, **about)
    words = jobs(folder, tmp_path / "out", "shaky")
    words.insert(2, (str(folder / "deadly.hea"), str(tmp_path / "out" / "deadly.hea")))
    found = list(over_cores(PLAN, words, 2, deadly))
    assert states(found) == dict.fromkeys(NAMES, "done") | {"deadly": "refused", "shaky": "done"}
    assert len(found) == len(words), "each once"
    [refused] = [d for d in found if d["state"] == "refused"]
    assert "died" in refused["error"] and refused["fix"]


def test_the_command_goes_on_where_it_was(folder, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["reconstruct", str(folder), "--out", str(out), "--model", "i-ii-int8", "--json"]
    assert main([*words, "--workers", "2"]) == 0
    for file in out.glob("r3.*"):
        file.unlink()
    capsys.readouterr()
    assert main(words) == 0
    doc = json.loads(capsys.readouterr().out)
    assert doc["done"] == 1 and doc["there already"] == len(NAMES) - 1
    assert [d["record"] for d in doc["recordings"]] == sorted(d["record"] for d in doc["recordings"])
    assert main([*words, "--workers", "0"]) == 2


def test_a_process_is_worth_its_start_for_eight_records():
    cores = len(os.sched_getaffinity(0))
    assert [usual_processes(n) for n in (0, 1, 15)] == [1, 1, 1] and usual_processes(10**6) == cores


def test_no_scheduler_is_an_error_with_a_fix(folder, tmp_path):
    pytest.importorskip("distributed")
    with pytest.raises(PortNotFoundError, match="no Dask scheduler"):
        list(over_cluster(PLAN, jobs(folder, tmp_path), "what://127.0.0.1:1"))


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_writes_the_same_bytes_though_a_worker_is_killed(folder, tmp_path):
    distributed = pytest.importorskip("distributed")
    one, many = tmp_path / "one", tmp_path / "many"
    for name in ("bad",):
        (folder / f"{name}.hea").write_text("bad 2 250 100\nbad.dat 16 200\n")
    list(over_cores(PLAN, jobs(folder, one), 1))
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        found = over_cluster(PLAN, jobs(folder, many, "bad"), cluster.scheduler_address, try_record)
        first = next(found)
        os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
        assert states([first, *found]) == dict.fromkeys(NAMES, "done") | {"bad": "refused"}
    assert contents(one) == contents(many)
