"""A gateway's own settings, and the file that is followed."""

import json
import os

import pytest

from ecg_edge.device.gateway.gateway_file import FileWatch, read_gateway
from ecg_edge.device.gateway.run_gateway import Gateway, usual_workers
from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.errors import UsageError
from tests.support.fake_workers import FakeWorker

GOOD = """
workers = 2
control = "{folder}/control.sock"
[ward]
port = 0
[[patch]]
name = "bed-7"
source = "synthetic:"
rate-low = 40
"""


@pytest.fixture
def write(tmp_path):
    path = tmp_path / "ward.toml"

    def write(text):
        path.write_text(text.replace("{folder}", str(tmp_path)))
        return path

    return write


def test_it_holds_workers_control_and_ward(write, tmp_path):
    found = read_gateway(write(GOOD))
    assert (found.workers, found.control, found.ward.port) == (2, f"{tmp_path}/control.sock", 0)
    assert found.patches[0].rate_low == 40
    assert read_gateway(write("[ward]\n")).patches == ()


def test_all_that_is_wrong_is_reported_together(write):
    text = (
        'workers = -1\ncontrol = 5\n[ward]\nport = "x"\nfoo = 1\nallow-host = "a"\n[[patch]]\nsource="x"\nsilence=0\n'
    )
    with pytest.raises(UsageError) as e:
        read_gateway(write(text))
    for reason in ("workers must be", "control must be", "ward: port", "setting foo", "allow-host", "silence must be"):
        assert reason in e.value.message
    with pytest.raises(UsageError, match="below rate-high"):
        read_gateway(write("[[patch]]\nsource='x'\nrate-low=90\nrate-high=60\n"))


def test_a_change_is_seen_once_a_second_and_once(write):
    path, clock = write(GOOD), ManualClock()
    watch = FileWatch(path, clock)
    clock.advance(5)
    assert not watch.changed()
    write(GOOD + "# more\n")
    assert not watch.changed(), "it has just looked"
    clock.advance(1)
    assert watch.changed() and not watch.changed()
    path.unlink()
    clock.advance(1)
    assert not watch.changed(), "an editor that replaces it leaves a moment without"
    write(GOOD)
    clock.advance(1)
    assert watch.changed()


@pytest.fixture
def gateway(write, tmp_path):
    pytest.importorskip("websockets")
    workers, said, clock = [], [], ManualClock()

    def spawn(take):
        workers.append(FakeWorker(take, len(workers)))
        return workers[-1]

    made = Gateway(write(GOOD), None, clock, said.append, spawn)
    made.workers, made.said, made.clock = workers, said, clock
    made.supervisor.set_patches(read_gateway(tmp_path / "ward.toml").patches)
    made.turn()
    yield made
    made.close()


def beds(gateway):
    return {b["name"] for b in gateway.answer({"do": "status"})["beds"]}


def test_beds_are_added_and_removed_while_it_runs(gateway, write):
    gateway.answer({"do": "add", "patch": {"name": "bed-9", "source": "synthetic:seed=9"}})
    assert beds(gateway) == {"bed-7", "bed-9"}
    with pytest.raises(UsageError, match="named twice"):
        gateway.answer({"do": "add", "patch": {"name": "bed-9", "source": "synthetic:seed=3"}})
    with pytest.raises(UsageError, match="unknown setting foo"):
        gateway.answer({"do": "add", "patch": {"name": "bed-1", "source": "synthetic:seed=1", "foo": 1}})
    assert beds(gateway) == {"bed-7", "bed-9"}
    gateway.answer({"do": "remove", "name": "bed-7"})
    gateway.workers[0].end("bed-7", summary={"error": None})
    gateway.turn()
    assert beds(gateway) == {"bed-9"}
    for wrong in ({"do": "remove", "name": "bed-7"}, {"do": "what"}, {}):
        with pytest.raises(UsageError):
            gateway.answer(wrong)


def test_the_file_is_followed_and_a_broken_one_changes_nothing(gateway, write):
    gateway.answer({"do": "add", "patch": {"name": "bed-9", "source": "synthetic:seed=9"}})
    write(GOOD + "[[patch]]\nname = 'bed-8'\nsource = 'synthetic:seed=8'\n")
    gateway.clock.advance(1)
    gateway.turn()
    assert beds(gateway) == {"bed-7", "bed-8", "bed-9"}, "a bed that was added by hand stays"
    write("[[patch]\n")
    gateway.clock.advance(1)
    gateway.turn()
    assert beds(gateway) == {"bed-7", "bed-8", "bed-9"} and "is not used" in gateway.said[-1]
    write(GOOD.replace("port = 0", "port = 1"))
    gateway.clock.advance(1)
    gateway.turn()
    assert "at the next start" in gateway.said[-2]


def test_the_socket_is_its_owners_alone_and_answers(gateway, tmp_path, capsys):
    import threading

    from ecg_edge.device.cli.main import main

    path = tmp_path / "control.sock"
    assert oct(path.stat().st_mode)[-3:] == "600"
    got = []
    words = ["gateway", "status", "--socket", str(path), "--json"]
    asking = threading.Thread(target=lambda: got.append(main(words)))
    asking.start()
    while asking.is_alive():
        asking.join(0.01)
        gateway.turn()
    doc = json.loads(capsys.readouterr().out)
    assert got == [0] and doc["beds"][0]["name"] == "bed-7" and doc["beds"][0]["state"] == "running"


def test_no_gateway_and_wrong_words(tmp_path, capsys):
    from ecg_edge.device.cli.main import main

    nowhere = ["--socket", str(tmp_path / "none.sock")]
    assert main(["gateway", "status", *nowhere]) == 1 and "no gateway answers" in capsys.readouterr().err
    for words in (["add"], ["remove"], ["status", "bed-7"], ["add", "bed-1", "source"], ["remove", "a", "b=c"]):
        assert main(["gateway", *words, *nowhere]) == 2, words
    assert main(["run", "synthetic:", "--workers", "2"]) == 2


def test_one_worker_a_core_and_never_more_than_patches():
    cores = len(os.sched_getaffinity(0))
    assert (usual_workers(1), usual_workers(10**6), usual_workers(0)) == (1, cores, 1)
