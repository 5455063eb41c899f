"""A siege of some seconds: every sort of attacker comes, and the recording and its viewers lose nothing."""

import pytest

from ecg_edge.benchmarks.live_path.siege.__main__ import besiege
from ecg_edge.benchmarks.live_path.siege.attackers import ATTACKS
from ecg_edge.benchmarks.live_path.siege.places import FRIENDLY, HOSTILE, address


def test_addresses_of_friends_and_enemies_are_of_two_networks():
    assert [address(HOSTILE, 0), address(FRIENDLY, 256)] == ["127.1.0.0", "127.2.1.0"]


def test_a_short_siege_costs_the_recording_nothing():
    pytest.importorskip("websockets")
    found = besiege(2 * len(ATTACKS), 5, addresses=4)
    assert (found["exit"], found["samples_in"], found["samples_lost"]) == (0, 1250, 0), found
    assert found["attacks"]["tried"] > 0 and min(found["honest"]["rows"]) > 0, found
    assert not found["honest"]["errors"] and not any(found["honest"]["missing"]), found
