"""What was lost is counted alike by a decoder and by a run."""

import pytest

from ecg_edge.firmware_bridge.tally import MAX_RANGES, Counts, Losses, Tally


@pytest.mark.parametrize("kind", [Tally, Counts])
def test_adjacent_losses_are_joined(kind: type[Losses]) -> None:
    t = kind()
    t.lose(3, 5)
    t.lose(5, 6)
    t.lose(9, 9)
    t.lose(10, 11)
    assert (t.lost, t.lost_ranges) == (4, [(3, 6), (10, 11)])


def test_a_bad_cable_for_a_day_costs_no_memory() -> None:
    t = Tally()
    for k in range(MAX_RANGES + 5):
        t.lose(2 * k, 2 * k + 1)
    assert (t.lost, len(t.lost_ranges)) == (MAX_RANGES + 5, MAX_RANGES)
