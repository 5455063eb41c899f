"""Who is served next, and who is refused; the clock is the test's."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.listeners.allowance import Allowance
from ecg_edge.device.listeners.fair_queue import HALF_S, HEAD_START, FairQueue, neighbourhood

ADDRESSES = st.integers(0, 5).map("10.0.0.{}".format)
EVENTS = st.lists(st.one_of(ADDRESSES, st.sampled_from(["serve", "refuse"]), st.floats(0.01, 90)), max_size=150)


def play(events, queue, now):
    """Let clients join, be served and be refused while time goes on; return what became of each."""
    joined, served, refused = [], [], []
    for event in events:
        if isinstance(event, float):
            now[0] += event
        elif event == "serve":
            served += [queue.serve()] if queue else []
        elif event == "refuse":
            refused += [queue.refuse()] if queue else []
        else:
            joined.append((event, len(joined)))
            queue.join(event, joined[-1])
    return joined, served, refused


@given(EVENTS)
def test_every_client_is_served_or_refused_once_or_waits(events):
    now = [0.0]
    queue = FairQueue(lambda: now[0])
    joined, served, refused = play(events, queue, now)
    assert all(address == client[0] for address, client in served)
    left = [queue.serve()[1] for _ in range(len(queue))]
    assert sorted(left + refused + [client for _, client in served]) == sorted(joined)


@given(EVENTS)
def test_whoever_waits_a_newcomer_is_next_but_for_other_newcomers(events):
    now = [0.0]
    queue = FairQueue(lambda: now[0])
    joined, served, _ = play(events, queue, now)
    fresh = {address for address, _ in joined} - {address for address, _ in served}
    queue.join("10.9.9.9", "newcomer")
    before = 0
    while (found := queue.serve())[1] != "newcomer":
        before += 1
        assert found[0] in fresh
    assert before <= len(fresh)


@given(st.lists(ADDRESSES, min_size=1, max_size=60), st.integers(1, 60))
def test_addresses_that_wait_get_equal_shares(events, turns):
    queue = FairQueue(lambda: 0.0)
    names = sorted(set(events))
    for name in events:
        queue.join(name, None)
    for name in names:  # nobody runs out
        for _ in range(turns):
            queue.join(name, None)
    had = Counter(queue.serve()[0] for _ in range(turns))
    assert max(had.values()) - min(had[name] for name in names) <= 1


@given(st.lists(ADDRESSES, min_size=1, max_size=60))
def test_who_is_refused_is_the_newest_of_an_address_with_most(events):
    queue = FairQueue(lambda: 0.0)
    for k, name in enumerate(events):
        queue.join(name, k)
    of, k = Counter(events), queue.refuse()
    assert of[events[k]] == max(of.values()) and events[k] not in events[k + 1 :]


def test_one_address_is_served_in_its_order_and_refused_from_the_end():
    queue = FairQueue(lambda: 0.0)
    for k in range(5):
        queue.join("10.0.0.1", k)
    assert queue.refuse() == 4
    assert [queue.serve()[1] for _ in range(4)] == [0, 1, 2, 3]


def test_an_address_that_has_proved_itself_is_ahead_of_newcomers_but_not_for_ever():
    queue = FairQueue(lambda: 0.0)
    queue.trust("10.0.0.1")
    for _ in range(2 * HEAD_START):
        queue.join("10.0.0.1", "known")
    queue.join("10.9.9.9", "newcomer")
    before = 0
    while queue.serve()[1] != "newcomer":
        before += 1
    assert 0 < before <= HEAD_START + 1


def test_what_an_address_has_had_is_forgotten_in_time():
    now = [0.0]
    queue = FairQueue(lambda: now[0])
    for _ in range(8):
        queue.join("10.0.0.1", None)
        queue.serve()
    now[0] += 3 * HALF_S
    assert queue.lately("10.0.0.1") == 1.0


def test_memory_is_bounded_and_a_crowd_does_not_flush_those_who_are_known():
    queue = FairQueue(lambda: 0.0)
    queue.trust("10.0.0.1")
    for k in range(10_000):
        queue.join(f"stranger-{k}", None)
        queue.serve()
    for k in range(255):
        queue.trust(f"known-{k}")
    assert queue.knows("10.0.0.1") and len(queue._served) <= 4096
    queue.trust("one more")
    assert not queue.knows("10.0.0.1")


def test_an_ipv6_network_is_one_neighbour_and_an_ipv4_host_is_itself():
    assert neighbourhood("10.0.0.1") == "10.0.0.1" and neighbourhood("") == ""
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff:1") != neighbourhood("2001:db8:0:1::1")
    assert neighbourhood("fe80::1%eth0") == neighbourhood("fe80::2%eth0")


@given(st.lists(st.floats(0, 3), max_size=80))
def test_an_allowance_gives_no_more_than_its_rate_and_its_burst(pauses):
    now = [0.0]
    allowance, taken = Allowance(10.0, 5, lambda: now[0]), 0
    for pause in pauses:
        now[0] += pause
        while allowance.take():
            taken += 1
        assert 0 < allowance.wait_s() <= 0.1
        assert taken <= 5 + 10 * now[0] + 1e-6
