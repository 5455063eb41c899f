"""What supervisor and worker send each other arrives whole, however the bytes fall."""

import socket
import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.gateway.link import Link, Samples
from ecg_edge.device.gateway.patch_document import from_document, to_document
from ecg_edge.device.live.options import Options
from ecg_edge.device.sources.rescaled import Scale

MESSAGES = st.lists(
    st.one_of(
        st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=20), st.integers(), st.none()), max_size=4),
        st.builds(Samples, st.text(max_size=8), st.binary(max_size=60)),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(MESSAGES, st.integers(1, 40))
def test_messages_arrive_in_order(messages, piece):
    a, b = socket.socketpair()
    tap, end = socket.socketpair()
    ours, theirs = Link(a), Link(end)
    for message in messages:
        ours.send_samples(*message) if isinstance(message, Samples) else ours.send(message)
    a.shutdown(socket.SHUT_WR)
    sent = b"".join(iter(lambda: b.recv(4096), b""))

    def cut() -> None:
        for k in range(0, len(sent), piece):  # as a network would
            tap.sendall(sent[k : k + piece])
        tap.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=cut)
    thread.start()
    assert list(theirs.receive()) == messages
    thread.join()
    for s in (a, b, tap, end):
        s.close()


def test_what_is_no_message_ends_the_conversation():
    a, b = socket.socketpair()
    ours = Link(b)
    a.sendall(b"\xff" * 64)
    assert list(ours.receive()) == []  # though the other end is still there
    ours.close()
    Link(b).send({"lost": True})  # an end that has gone is no error
    a.close()


def test_many_threads_do_not_mix_their_messages():
    a, b = socket.socketpair()
    ours, theirs = Link(a), Link(b)
    threads = [
        threading.Thread(target=lambda k=k: [ours.send_samples(f"bed {k}", bytes([k]) * 900) for _ in range(50)])
        for k in range(4)
    ]
    for t in threads:
        t.start()
    received = theirs.receive()
    for message in (next(received) for _ in range(200)):
        assert message.frame == bytes([int(message.bed[-1])]) * 900
    for t in threads:
        t.join()
    ours.close()
    theirs.close()


def test_settings_survive_the_way():
    options = Options(
        source="tcp://10.0.0.8:4000", name="bed 8", leads="I,II", scales={"I": Scale(2.4, 2048)}, rate_low=40.0,
        sinks=("serve:unix:/run/x",), allow_host=("a", "b"), fs=250.0,
    )  # fmt: skip
    assert from_document(to_document(options)) == options
