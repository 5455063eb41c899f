"""Which worker runs which bed, and what happens when a worker dies."""

import pytest

from ecg_edge.device.gateway.supervisor import BEGINS_S, HANGS_S
from tests.support.fake_workers import House, patch

BEDS = [patch(f"bed-{k}") for k in range(4)]


def test_beds_are_shared_and_no_worker_starts_for_nothing():
    house = House(workers=3)
    house.use(*BEDS[:2])
    assert [set(w.running()) for w in house.workers] == [{"bed-0"}, {"bed-1"}]
    house.use(*BEDS)
    assert sorted(len(w.running()) for w in house.workers) == [1, 1, 2]
    assert set(house.board.placed) == {b.name for b in BEDS}


def test_a_dead_worker_is_started_at_once_and_its_beds_say_why():
    house = House()
    house.use(*BEDS)
    first, second = house.workers
    first.say("bed-0", "header")
    house.step(30)
    house.clock.advance(1)
    first.kill()
    house.step()
    assert len(house.workers) == 3 and set(house.workers[2].running()) == {"bed-0", "bed-2"}
    [note] = house.workers[2].running()["bed-0"]["opening"]
    assert "signal SIGKILL" in note and "samples after 00:00:30 UTC are missing" in note
    assert "samples after its start" in house.workers[2].running()["bed-2"]["opening"][0]
    assert set(second.running()) == {"bed-1", "bed-3"} and len(second.orders) == 2, "the others are not touched"
    assert ("bed-0", "restarting", note) in house.board.states and "worker 1 ended" in house.said[-1]


def test_a_worker_that_dies_again_and_again_waits_longer_each_time():
    house = House(workers=1)
    house.use(BEDS[0])
    waits = []
    for _ in range(7):
        house.workers[-1].kill()
        n, waited = len(house.workers), 0.0
        house.step()
        while len(house.workers) == n:
            house.step(0.5)
            waited += 0.5
        waits.append(waited)
    assert waits[0] == 0 and waits == sorted(waits) and waits[-1] == 5
    house.step(20)  # it has lived
    house.workers[-1].kill()
    n = len(house.workers)
    house.step()
    assert len(house.workers) == n + 1


def test_what_a_dead_worker_said_last_does_not_count_for_the_new_one():
    house = House(workers=1)
    house.use(BEDS[0])
    old = house.workers[0]
    old.kill()
    old.end("bed-0", error="late", fix="", exit=1)
    house.step()
    assert house.states() == {"bed-0": "running"} and not house.supervisor.outcomes


def test_a_worker_that_hangs_is_ended():
    house = House(workers=1)
    house.use(BEDS[0])
    house.step(BEGINS_S - 1, silent=True)
    assert not house.workers[0].killed, "a busy board takes its time to start one"
    for _ in range(10):
        house.step(HANGS_S)
    assert not house.workers[0].killed
    house.step(HANGS_S + 1, silent=True)
    assert house.workers[0].killed
    house.step()
    assert len(house.workers) == 2


def test_a_changed_patch_runs_anew_and_a_removed_one_ends():
    house = House(workers=1)
    house.use(*BEDS[:3])
    worker = house.workers[0]
    changed = patch("bed-1", out="elsewhere")
    house.use(BEDS[0], changed)
    assert [o["bed"] for o in worker.orders if o["do"] == "stop"] == ["bed-2", "bed-1"]
    worker.end("bed-1", summary={"error": None})
    worker.end("bed-2", summary={"error": None})
    house.step()
    assert worker.running()["bed-1"]["patch"]["out"] == "elsewhere" and house.board.removed == ["bed-2"]
    assert house.states() == {"bed-0": "running", "bed-1": "running"}
    assert sum(o["do"] == "start" and o["patch"]["name"] == "bed-0" for o in worker.orders) == 1


def test_limits_change_without_a_new_run():
    house = House(workers=1)
    house.use(BEDS[0])
    n = len(house.workers[0].orders)
    house.use(patch("bed-0", rate_low=40.0, silence=30.0))
    assert len(house.workers[0].orders) == n and house.board.placed["bed-0"].rate_low == 40


def test_a_bed_that_is_removed_while_its_worker_is_dead_does_not_come_back():
    house = House(workers=1)
    house.use(*BEDS[:2])
    house.workers[0].kill()
    house.use(BEDS[0])
    house.step()
    assert set(house.workers[-1].running()) == {"bed-0"} and house.states() == {"bed-0": "running"}


def test_a_spare_worker_takes_the_place_of_one_that_dies():
    house = House(workers=1, spare=True)
    house.use(patch("bed-0", model="i-ii-int8"))
    house.step(5)
    assert len(house.workers) == 1, "the beds come first"
    house.step(6)
    first, spare = house.workers
    assert spare.orders == [{"do": "warm", "models": ["any-int8", "i-ii-int8"]}]
    first.kill()
    house.step()
    assert house.workers == [first, spare] and set(spare.running()) == {"bed-0"}
    spare.say("bed-0", "header")
    house.step(11)
    assert house.board.heard == [("bed-0", "header", "{}")] and len(house.workers) == 3, "there is a spare again"
    house.workers[2].kill()
    house.step(5)
    assert len(house.workers) == 3
    house.step(6)
    assert len(house.workers) == 4, "a spare that dies is replaced, not at once"
    spare.kill()
    house.step()
    assert set(house.workers[3].running()) == {"bed-0"}
    house.supervisor.close(
        lambda s: [w.kill() for w in house.workers if w.orders[-1] == {"do": "end"} and not w.killed]
    )


@pytest.mark.parametrize("again_s", [None, 10.0])
def test_a_run_that_fails_is_tried_again_where_the_ward_stays(again_s):
    house = House(workers=1, again_s=again_s)
    house.use(*BEDS[:2])
    house.workers[0].end("bed-0", error="no such port", fix="plug it in", exit=1)
    house.step()
    assert ("bed-0", "ended", "no such port") in house.board.states
    assert house.supervisor.outcomes["bed-0"]["fix"] == "plug it in" and not house.supervisor.idle
    house.step(9.0)
    starts = lambda: sum(o["do"] == "start" for o in house.workers[0].orders)  # noqa: E731
    assert starts() == 2
    house.step(2.0)
    assert starts() == (2 if again_s is None else 3)


def test_the_end_waits_for_recordings_and_kills_who_does_not_end():
    house = House()
    house.use(*BEDS)
    good, bad = house.workers

    def wait(seconds):
        house.clock.advance(seconds)
        if good.orders[-1] == {"do": "end"} and not good.killed:
            good.end("bed-0", summary={"error": None})
            good.end("bed-2", summary={"error": None})
            good.kill()

    house.supervisor.close(wait)
    assert bad.killed and len(house.workers) == 2, "nothing is started again at the end"
    outcomes = house.supervisor.outcomes
    assert outcomes["bed-0"] == {"summary": {"error": None}} and "worker ended" in outcomes["bed-1"]["error"]
