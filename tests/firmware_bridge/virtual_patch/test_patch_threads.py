"""The patch in a thread of its own, as fast as its reader: nothing may be lost, the last byte included."""

import socket
import threading

import numpy as np
import pytest
import serial

from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.events import SampleBlock
from ecg_edge.firmware_bridge.virtual_patch.faults import parse_faults
from ecg_edge.firmware_bridge.virtual_patch.link_pty import PtyLink
from ecg_edge.firmware_bridge.virtual_patch.link_tcp import TcpLink, parse_host_port
from ecg_edge.firmware_bridge.virtual_patch.patch import PatchOptions, VirtualPatch
from ecg_edge.firmware_bridge.virtual_patch.signal_source import ArraySource

SECONDS, FS = 60, 250


class Running:
    """A fast patch on a link, in a thread."""

    def __init__(self, kit, link, fault="", seconds=SECONDS, **options):
        rng = np.random.default_rng(0)
        self.counts = rng.integers(-(2**23) + 1, 2**23, (seconds * FS, 2), dtype=np.int32)
        source = ArraySource(kit.two_leads(), self.counts)
        options = PatchOptions(fast=True, faults=parse_faults(fault), **options)
        self.link, self.patch, self.stop = link, VirtualPatch(source, link, options), threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        self.patch.run(self.stop)
        self.link.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()


def received(events):
    return np.concatenate([e.counts for e in events if isinstance(e, SampleBlock)])


def read_serial(port, decoder, events):
    """Read until the other end hangs up."""
    try:
        while data := port.read(max(1, port.in_waiting)):
            events += decoder.feed(data)
    except (serial.SerialException, OSError):
        pass


def read_socket(reader, decoder, events):
    while data := reader.recv(4096):
        events += decoder.feed(data)


def test_every_byte_arrives_through_pyserial(kit):
    with Running(kit, PtyLink()) as running:
        decoder, events = EcgLinkDecoder(), []
        with serial.Serial(running.link.address, timeout=30) as port:
            port.write(decoder.opening())
            read_serial(port, decoder, events)
        running.thread.join(30)
        np.testing.assert_array_equal(received(events), running.counts)
        assert (decoder.tally.bad_frames, decoder.tally.skipped_bytes) == (0, 0)
        assert running.patch.ended and running.patch.log.ranges == []


def test_every_byte_arrives_over_tcp(kit):
    with Running(kit, TcpLink()) as running:
        decoder, events = EcgLinkDecoder(), []
        with socket.create_connection(parse_host_port(running.link.address), timeout=30) as reader:
            reader.sendall(decoder.opening())
            read_socket(reader, decoder, events)
        running.thread.join(30)
        np.testing.assert_array_equal(received(events), running.counts)
        assert running.patch.tally.bytes_sent > 200_000


@pytest.mark.parametrize("seed", [1, 2])
def test_faults_over_tcp_with_a_plug_pulled_are_accounted_for_exactly(kit, seed):
    fault = "drop=2%,corrupt=1%,dup=1%,stall=7/2,unplug=20/5"
    with Running(kit, TcpLink(), fault, seed=seed) as running:
        decoder, events = EcgLinkDecoder(), []
        for _ in range(100_000):
            if running.patch.ended:
                break
            try:
                with socket.create_connection(parse_host_port(running.link.address), timeout=30) as reader:
                    reader.sendall(decoder.opening())
                    read_socket(reader, decoder, events)
            except ConnectionError:
                continue  # the plug is out, or was pulled while we wrote
        running.thread.join(30)
    events += decoder.close()
    log, tally = running.patch.log, decoder.tally
    assert log.count("unplug") == 5 * FS
    index = np.concatenate([np.arange(e.index, e.index + len(e)) for e in events if isinstance(e, SampleBlock)])
    first = len(running.counts) - 1 - index[-1] - sum(b - a for a, b in log.lost() if b == len(running.counts))
    np.testing.assert_array_equal(received(events), running.counts[index + first])
    assert tally.lost_ranges == log.lost_between(first, first + index[-1] + 1)
    assert tally.duplicates == log.count("dup")


def test_a_fast_patch_ends_when_told_while_its_reader_sleeps(kit):
    with Running(kit, PtyLink(), seconds=600) as running:
        with serial.Serial(running.link.address, timeout=30) as port:
            port.write(EcgLinkDecoder().opening())
            port.read(20_000)
            running.stop.set()
            running.thread.join(30)
            assert not running.thread.is_alive()
        assert not running.patch.ended
