import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.virtual_patch.faults import FaultDice, FaultLog, Faults, parse_faults


def test_all_faults_are_parsed():
    assert parse_faults("drop=1%, corrupt=0.1%,dup=0.02,stall=10s/500ms,unplug=30/5") == Faults(
        drop=0.01, corrupt=0.001, dup=0.02, stall=(10.0, 0.5), unplug=(30.0, 5.0)
    )
    assert parse_faults("") == Faults()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("flood=1%", "unknown fault 'flood'"),
        ("drop", "bad fault 'drop'"),
        ("drop=101%", "0 to 100 %"),
        ("drop=-0.1", "0 to 100 %"),
        ("drop=nan", "0 to 100 %"),
        ("drop=1%,drop=2%", "named twice"),
        ("stall=5", "T/D"),
        ("stall=0/1", "T/D"),
        ("stall=5/x", "T/D"),
        ("stall=5/inf", "T/D"),
        ("stall=5/5", "shorter"),
        ("unplug=nan/1", "T/D"),
    ],
)
def test_bad_faults_say_what_is_wrong_and_how_to_mend_it(text, words):
    with pytest.raises(UsageError, match=words) as caught:
        parse_faults(text)
    assert caught.value.fix and caught.value.exit_code == 2


def test_when_the_link_stalls_and_when_it_is_unplugged():
    faults = parse_faults("stall=10/2,unplug=30/5")
    assert [t for t in range(40) if faults.stalled(t)] == [10, 11, 20, 21, 30, 31]
    assert [t for t in range(40) if faults.unplugged(t)] == [30, 31, 32, 33, 34]
    assert not Faults().stalled(1) and not Faults().unplugged(1)


def test_fates_are_repeatable_as_frequent_as_asked_and_independent():
    faults = parse_faults("drop=10%,dup=5%")
    fates = roll(faults, 3)
    assert fates == roll(faults, 3) != roll(faults, 4)
    assert 900 < fates.count("drop") < 1100 and 350 < fates.count("dup") < 550
    with_more = roll(parse_faults("drop=10%,dup=5%,corrupt=20%"), 3)
    assert [f == "drop" for f in with_more] == [f == "drop" for f in fates]


def roll(faults, seed, n=10_000):
    dice = FaultDice(faults, seed)
    return [dice.fate() for _ in range(n)]


@given(st.binary(min_size=10, max_size=60).filter(lambda b: 0 not in b), st.integers(0, 100))
def test_damage_changes_one_to_three_bytes_and_never_the_end(body, seed):
    wire = body + b"\0"
    damaged = FaultDice(Faults(), seed).damage(wire)
    assert len(damaged) == len(wire) and damaged[-1] == 0
    assert 1 <= sum(a != b for a, b in zip(wire, damaged, strict=True)) <= 3


@given(
    st.lists(
        st.tuples(st.sampled_from(["drop", "corrupt", "dup"]), st.integers(0, 200), st.integers(0, 20)),
        max_size=20,
    ),
    st.integers(0, 100),
    st.integers(100, 250),
)
def test_lost_ranges_are_the_union_of_what_was_noted(notes, first, stop):
    log, truth = FaultLog(), set()
    for kind, start, n in notes:
        log.add(kind, start, start + n)
        truth |= set(range(start, start + n)) if kind != "dup" else set()
    assert [i for a, b in log.lost() for i in range(a, b)] == sorted(truth)
    inside = [i for a, b in log.lost_between(first, stop) for i in range(a, b)]
    assert inside == sorted(i - first for i in truth if first <= i < stop)
    assert log.count("drop") == sum(n for kind, _, n in notes if kind == "drop")


def test_the_log_joins_neighbours_and_is_json():
    log = FaultLog()
    log.add("drop", 0, 5)
    log.add("drop", 5, 10)
    log.add("corrupt", 10, 15)
    log.add("dup", 20, 25)
    assert json.loads(json.dumps(log.document())) == {
        "lost": [[0, 15]],
        "samples_by_kind": {"corrupt": 5, "drop": 10, "dup": 5},
        "events": [
            {"kind": "drop", "start": 0, "stop": 10},
            {"kind": "corrupt", "start": 10, "stop": 15},
            {"kind": "dup", "start": 20, "stop": 25},
        ],
    }


def test_frames_of_a_few_bytes_can_be_damaged_and_keep_their_last():
    dice = FaultDice(parse_faults("corrupt=100%"))
    damaged = [dice.damage(b"7\r\n") for _ in range(50)]
    assert all(len(d) == 3 and d[2:] == b"\n" and d != b"7\r\n" for d in damaged)
