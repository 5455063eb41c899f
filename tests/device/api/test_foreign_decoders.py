"""A decoder of another package that breaks its promise is named, wherever it is used."""

import contextlib
import socket
import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import ecg_edge as ee
from ecg_edge.firmware_bridge.events import Channel, Gap, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.ports.checked_decoder import checked
from ecg_edge.firmware_bridge.tally import Tally

INFO = StreamInfo("board", Fraction(250), (Channel("I", 0.001), Channel("II", 0.001)))


def block(index=0, n=5, width=2, **other):
    counts = np.ones((n, width), np.int32)
    return replace(SampleBlock(index, counts, (counts * 0.001).astype(np.float32), np.ones((n, width), bool)), **other)


class Board:
    """Returns the events of a list, one by one for any bytes; each other part can be replaced."""

    name = "board"

    def __init__(self, *events, **parts):
        self.tally, self._events = Tally(), list(events)
        vars(self).update(parts)

    def feed(self, data, arrival=0.0):
        return [self._events.pop(0)] if self._events and data else []

    def close(self):
        events, self._events = self._events, []
        return events

    def opening(self):
        return b""

    request = closing = opening


def fails():
    raise KeyError("k")


FAULTS = {
    "width": (Board(INFO, block(width=3)), r"mv of shape \(5, 3\).*must be \(n_samples, 2\)"),
    "length": (Board(INFO, block(mv=np.zeros((4, 2), np.float32))), r"counts of shape \(5, 2\), mv of shape \(4, 2\)"),
    "valid": (Board(INFO, block(valid=np.ones(5, bool))), r"valid of shape \(5,\)"),
    "flat": (Board(INFO, block(mv=np.float32(1) + np.zeros((), np.float32))), "not an array of floats|of shape"),
    "list": (Board(INFO, block(mv=[[1.0, 2.0]])), "list for mv, not an array of floats"),
    "kind": (Board(INFO, block(valid=np.ones((5, 2), np.uint8))), "array of uint8 for valid"),
    "back": (Board(INFO, block(), block(3)), "begins at index 3, but 5 is next"),
    "gap": (Board(INFO, block(), Gap(5, 9), block(7)), "begins at index 7, but 9 is next"),
    "gap back": (Board(INFO, block(), Gap(9, 5)), "Gap from 9 to 5"),
    "index": (Board(INFO, block(0.5)), "index=0.5, not an integer"),
    "nan": (Board(replace(INFO, fs=float("nan")), block()), "fs=nan, not a rate"),
    "zero": (Board(replace(INFO, fs=0), block()), "fs=0, not a rate"),
    "words": (Board(replace(INFO, fs="250"), block()), "fs='250', not a rate"),
    "ticks": (Board(replace(INFO, tick_hz=-1.0), block()), "tick_hz=-1.0, not a rate"),
    "no channels": (Board(replace(INFO, channels=())), "channels=\\(\\)"),
    "labels": (Board(replace(INFO, channels=("I", "II"))), "not a tuple of Channel"),
    "twice": (Board(replace(INFO, channels=(Channel("I", 0.001), Channel("i", 0.001)))), "names I twice"),
    "event": (Board(INFO, (1, 2)), "returned tuple among its events"),
    "no list": (Board(feed=lambda data, arrival=0.0: None), r"feed\(\) returned NoneType, not a list"),
    "close": (Board(INFO, close=fails), "KeyError: 'k'"),
    "undescribed": (Board(block()), "no StreamInfo that describes them"),
    "tally": (Board(INFO, tally=None), "its tally is None, not a Tally"),
}


@pytest.mark.parametrize(("decoder", "message"), FAULTS.values(), ids=FAULTS)
def test_a_broken_promise_is_a_plugin_error(decoder, message):
    with pytest.raises(ee.PluginError, match=rf"board: a fault of Board in tests.*{message}") as e:
        ee.decode_bytes(decoder, b"x")
    assert e.value.fix.startswith("mend Board")


def test_a_rate_that_is_a_float_is_made_exact():
    assert ee.decode_bytes(Board(replace(INFO, fs=250.0), block()), b"x").info.fs == Fraction(250)
    assert ee.decode_bytes(Board(replace(INFO, fs=250, tick_hz=1e6), block()), b"x").info.tick_hz == 10**6
    assert ee.decode_bytes(Board(replace(INFO, fs=np.float32(62.5)), block()), b"x").info.fs == Fraction(125, 2)


def test_what_is_right_passes_and_ours_is_not_looked_at():
    got = ee.decode_bytes(Board(INFO, block(), Gap(5, 9), block(9), Gap(14, 14, known=False), block(14)), b"x")
    assert got.index.tolist() == [*range(5), *range(9, 19)] and len(got.gaps) == 2
    ours = ee.find_device("cyton").decoder()
    assert checked(ours) is ours


LIVE = {
    "width": (lambda: Board(INFO, block(width=3)), "mv of shape"),
    "back": (lambda: Board(INFO, block(), block(3)), "but 5 is next"),
    "nan": (lambda: Board(replace(INFO, fs=float("nan"))), "fs=nan"),
    "opening raises": (lambda: Board(opening=fails), "KeyError"),
    "opening returns text": (lambda: Board(opening=lambda: "start"), r"opening\(\) returned str, not bytes"),
    "request": (lambda: Board(INFO, request=lambda: None), r"request\(\) returned NoneType"),
    "close raises": (lambda: Board(INFO, block(), close=fails), "KeyError"),
}


def sends(server):
    """The far end: accept, send a few bytes, leave."""
    peer, _ = server.accept()
    with peer:
        for _ in range(3):
            with contextlib.suppress(OSError):  # the reader may have left
                peer.sendall(b"x" * 10)
                peer.settimeout(0.05)
                peer.recv(1)


def iterates(url, decoder):
    with ee.open_stream(url, device=decoder, reconnect=False) as blocks:
        list(blocks)


def runs(url, decoder):
    ee.run(url, [ee.SinkBase()], device=decoder, reconnect=False, seconds=5)


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("use", [iterates, runs])
@pytest.mark.parametrize(("make", "message"), LIVE.values(), ids=LIVE)
def test_a_live_source_ends_with_the_same_error(make, message, use):
    with socket.create_server(("127.0.0.1", 0)) as server:
        far = threading.Thread(target=sends, args=(server,), daemon=True)
        far.start()
        with pytest.raises(ee.PluginError, match=rf"board: a fault of Board in tests.*{message}"):
            use(f"tcp://127.0.0.1:{server.getsockname()[1]}", make())
        far.join()


def test_names_of_leads_are_understood_in_any_spelling():
    other = replace(INFO, channels=(Channel("i", 0.001), Channel("lead II", 0.001), Channel("ra-v5", 0.001)))
    [info] = checked(Board(other)).feed(b"x")
    assert info.leads == ("I", "II", "RA-V5")
