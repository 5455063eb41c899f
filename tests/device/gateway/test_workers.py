"""Four patches in two real workers, one of which is killed."""

import os
import signal
import socket
import threading
import time

import numpy as np
import pytest

from ecg_edge.device.gateway.link import Link
from ecg_edge.device.gateway.patch_document import to_document
from ecg_edge.device.gateway.supervisor import Supervisor
from ecg_edge.device.gateway.worker import Worker
from ecg_edge.device.gateway.worker_process import WorkerProcess
from ecg_edge.device.live.options import Options
from ecg_edge.device.monitor.frames import decode_frame
from ecg_edge.device.recording.stored_recording import read_stored
from ecg_edge.firmware_bridge.clock import SystemClock
from tests.support.fake_workers import KeepingBoard

PATIENCE_S = 240  # a busy machine takes its time to start an interpreter


class Driven:
    """A supervisor with real workers, driven by the test's thread."""

    def __init__(self, workers):
        self.wake, self.board = threading.Event(), KeepingBoard()
        self.supervisor = Supervisor(WorkerProcess, workers, self.board, SystemClock(), wake=self.wake.set, leads=True)

    def until(self, condition):
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, (self.supervisor.figures(), self.board.states)
            self.wake.wait(0.2)
            self.wake.clear()
            self.supervisor.step()

    def rows(self, bed):
        return [decode_frame(f) for f in self.board.frames.get(bed, [])]

    def close(self):
        self.supervisor.close(lambda s: (self.wake.wait(s), self.wake.clear()))


@pytest.fixture
def driven():
    made = Driven(2)
    yield made
    made.close()


class Inside:
    """A worker in a thread of this process, and the supervisor's end of its link."""

    def __init__(self):
        ours, theirs = socket.socketpair()
        self.link, self.worker = Link(ours), Worker(Link(theirs), SystemClock())
        self.thread = threading.Thread(target=self.worker.run)
        self.thread.start()

    def start(self, options, run=1, opening=()):
        order = {"do": "start", "patch": to_document(options), "run": run, "leads": True, "opening": list(opening)}
        self.link.send(order)

    def until(self, kind, bed):
        """Take what it sends up to a message of that kind; return all that is of the bed."""
        found = []
        for message in self.link.receive():
            if isinstance(message, dict) and message.get("bed") == bed:
                found.append(message)
                if message["kind"] == kind:
                    return found
        raise AssertionError("the worker has gone")


@pytest.fixture
def inside():
    made = Inside()
    yield made
    made.link.close()
    made.thread.join(PATIENCE_S)


def test_a_worker_sends_header_figures_and_outcome(inside, tmp_path):
    good = Options(source="synthetic:", name="good", fast=True, seconds=3, out=str(tmp_path), model="i-ii-int8")
    inside.start(good, 4, ["the worker process ended"])
    found = inside.until("ended", "good")
    assert {m["run"] for m in found} == {4} and found[0]["kind"] == "header"
    assert any(m["kind"] == "note" and "the worker process ended" in m["text"] for m in found)
    assert found[-1]["outcome"]["summary"]["samples_in"] == 750
    inside.start(Options(source="replay:nowhere", name="bad"), 5)
    assert "nowhere" in inside.until("ended", "bad")[-1]["outcome"]["error"]


def test_a_worker_whose_supervisor_has_gone_ends_its_recordings(inside, tmp_path):
    inside.start(Options(source="synthetic:", name="bed", out=str(tmp_path), model="i-ii-int8"))
    inside.until("status", "bed")
    inside.link.close()
    inside.thread.join(PATIENCE_S)
    assert not inside.thread.is_alive()
    [record] = [p for p in tmp_path.glob("*.hea") if not p.stem.endswith("_measured")]
    _, columns, _, samples, *_ = record.read_text().split("\n")[0].split()
    assert record.with_suffix(".dat").stat().st_size == 2 * int(columns) * int(samples) > 0, "the header knows it all"


@pytest.mark.skipif(os.name == "nt", reason="workers need socket pairs as stdin")
def test_a_worker_is_killed_and_the_others_miss_nothing(driven, tmp_path):
    beds = [f"bed-{k}" for k in range(4)]
    patches = [
        Options(source=f"synthetic:seed={k}", name=name, out=str(tmp_path / name), model="i-ii-int8", fallback="none")
        for k, name in enumerate(beds)
    ]
    driven.supervisor.set_patches(patches)
    driven.until(lambda: all(len(driven.board.frames.get(b, [])) > 5 for b in beds))
    victim = driven.supervisor.figures()["workers"][0]
    lost = [b["name"] for b in driven.supervisor.figures()["beds"] if b["worker"] == victim["worker"]]
    assert len(lost) == 2
    os.kill(victim["pid"], signal.SIGKILL)
    before = {b: len(driven.board.frames[b]) for b in beds}
    headers = lambda bed: sum(h[:2] == (bed, "header") for h in driven.board.heard)  # noqa: E731
    driven.until(lambda: all(headers(b) == 2 for b in lost))
    driven.until(lambda: all(len(driven.board.frames[b]) > before[b] + 10 for b in beds))
    driven.close()
    for bed in beds:
        records = sorted(p for p in (tmp_path / bed).glob("*.hea") if not p.stem.endswith("_measured"))
        notes = [text for _, text in read_stored(str(records[-1].with_suffix(""))).notes]
        if bed in lost:
            assert len(records) == 2 and any("signal SIGKILL" in n and "are missing" in n for n in notes)
            continue
        assert len(records) == 1 and not any(n.startswith(("gap", "worker", "overrun")) for n in notes), notes
        frames = driven.rows(bed)
        ends = np.cumsum([len(f.uv) for f in frames])
        assert [f.index for f in frames] == [0, *ends[:-1]], "not a row is missing on the page either"
        stored = read_stored(str(records[0].with_suffix("")))
        assert stored.valid[:, :2].all() and len(stored.counts) >= ends[-1]
