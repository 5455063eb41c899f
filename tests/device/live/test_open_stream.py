"""A live source as an iterator, for threads and for asyncio."""

import asyncio
import threading
from dataclasses import replace

import numpy as np
import pytest

from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.live.open_stream import open_stream
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.recording.wfdb_writer import WfdbColumn, WfdbWriter
from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.errors import (
    DeviceLostError,
    LeadMismatchError,
    MissingExtraError,
    NotAnEcgStreamError,
    PortNotFoundError,
    RecordingError,
    UsageError,
)
from ecg_edge.firmware_bridge.events import Disconnected, Gap, Origin, Reconnected
from ecg_edge.firmware_bridge.virtual_patch.child_process import virtual_patch
from tests.support import fakes


def opened(source, model, **more):
    return open_stream(source, model, fallback=None, clock=ManualClock(), **more)


def collect(source, model, **more):
    with opened(source, model, **more) as blocks:
        return list(blocks), blocks


def test_the_rows_of_the_pipeline(model):
    counts, lists = fakes.stream(1000)
    blocks, stream = collect(fakes.ListSource(lists), model)
    want, _ = fakes.drain(Pipeline(model, fakes.info(), mains_hz=50), [fakes.block(counts)])
    (a, mine), (b, theirs) = fakes.join(blocks), fakes.join(want)
    assert a == b == 0 and len(mine["mv"]) == 400
    assert all(mine[k].tobytes() == theirs[k].tobytes() for k in mine)
    assert stream.info.leads == ("I", "II") and stream.model.spec is model.spec and stream.url == "fake:"
    assert {b.fs for b in blocks} == {100}


def test_a_block_is_there_as_soon_as_its_hop_is(model):
    _, lists = fakes.stream(1000, step=10)
    source = fakes.ListSource(lists)
    with opened(source, model) as blocks:
        first = next(blocks)
        taken = 1000 - sum(len(e) for events in source._lists for e in events)
    assert first.index == 0 and taken < 100


def test_a_gap_is_rows_that_are_invalid(model):
    _, lists = fakes.stream(1000)
    del lists[41:66]  # 250 samples: one second
    blocks, stream = collect(fakes.ListSource(lists), model)
    _, rows = fakes.join(blocks)
    assert len(rows["mv"]) == 400 and not rows["valid"][161:259].any() and rows["valid"][300:].all()
    assert [n.kind for n in stream.notes] == ["gap"] and "1.000 s" in stream.notes[0].text
    _, lists = fakes.stream(1000)
    lists[10:10] = [[Gap(90, 90, "restart", known=False)]]
    assert [n.kind for n in collect(fakes.ListSource(lists), model)[1].notes] == ["restart"]


def test_a_lost_device_is_raised_after_its_last_row(model):
    _, lists = fakes.stream(500)
    source, blocks = fakes.ListSource(lists, DeviceLostError("unplugged", "plug it in")), []
    with pytest.raises(DeviceLostError, match="unplugged"), opened(source, model) as stream:
        blocks += stream
        for block in stream:
            blocks.append(block)
    assert source.stopped
    _, lists = fakes.stream(500)
    source, blocks = fakes.ListSource(lists, DeviceLostError("unplugged", "plug it in")), []
    with opened(source, model) as stream, pytest.raises(DeviceLostError):
        for block in stream:
            blocks.append(block)
    assert sum(map(len, blocks)) == 200
    assert list(stream) == []


def test_a_device_that_comes_back(model):
    _, lists = fakes.stream(500)
    lists[20:20] = [[Disconnected(1.0, "unplugged"), Reconnected(3.0, 2.0, 4)]]
    _, stream = collect(fakes.ListSource(lists), model)
    assert [(n.kind, n.text) for n in stream.notes] == [("disconnect", "unplugged"), ("reconnect", "back after 2.0 s")]


def test_a_device_that_comes_back_as_another_one(model):
    _, lists = fakes.stream(500)
    lists[20:20] = [[fakes.info(("II", "V1"))]]
    with pytest.raises(NotAnEcgStreamError):
        collect(fakes.ListSource(lists), model)


def test_leads_by_name(model):
    _, lists = fakes.stream(300)
    lists[0] = [fakes.info(("ch1", "ch2"))]
    blocks, stream = collect(fakes.ListSource(lists), model, leads=("i", "ii"))
    assert stream.info.leads == ("I", "II") and sum(map(len, blocks)) == 120
    with pytest.raises(LeadMismatchError, match="I, II missing"):
        collect(fakes.ListSource([[fakes.info(("ch1", "ch2"))]]), model)
    with pytest.raises(UsageError, match="unknown lead"):
        opened(fakes.ListSource([]), model, leads=("ch1",))


def test_leaving_early_closes_the_source(model):
    _, lists = fakes.stream(1000)
    source = fakes.ListSource(lists)
    with pytest.raises(KeyError), opened(source, model) as blocks:
        next(blocks)
        raise KeyError
    assert source.started and source.stopped
    assert list(blocks) == []


def test_only_in_with_and_once(model):
    stream = opened(fakes.ListSource(fakes.stream(100)[1]), model)
    with pytest.raises(UsageError, match="not open") as caught:
        next(iter(stream))
    assert "with ee.open_stream" in caught.value.fix
    with stream:
        pass
    with pytest.raises(UsageError, match="opened already"), stream:
        pass

    async def forgotten():
        async for _ in opened(fakes.ListSource([]), model):
            pass

    with pytest.raises(UsageError, match="not open") as caught:
        asyncio.run(forgotten())
    assert "async with" in caught.value.fix


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("/dev/ttyNOWHERE", PortNotFoundError),
        ("replay:/no/record", (RecordingError, MissingExtraError)),
        ("synthetic:fs=fast", UsageError),
    ],
)
def test_a_url_that_is_nothing(url, error):
    with pytest.raises(error) as caught, open_stream(url):
        pass
    assert caught.value.fix

    async def tried():
        async with open_stream(url):
            pass

    with pytest.raises(error):
        asyncio.run(tried())


def test_a_stored_record(tmp_path, model):
    from datetime import datetime, timezone

    at = datetime(2024, 1, 1, tzinfo=timezone.utc)
    writer = WfdbWriter(tmp_path, "r", 250, [WfdbColumn("I", 1000), WfdbColumn("II", 1000)], 16, at, [])
    writer.append(fakes.walk(1000), np.ones((1000, 2), bool))
    writer.close()
    blocks, stream = collect(f"replay:{tmp_path / 'r'}", model, fast=True)
    assert sum(map(len, blocks)) == 400 and stream.info.device == "record r"


def test_asyncio_gets_the_same_rows(model):
    async def gathered():
        async with opened(fakes.ListSource(fakes.stream(1000)[1]), model) as blocks:
            return [block async for block in blocks]

    mine, theirs = asyncio.run(gathered()), collect(fakes.ListSource(fakes.stream(1000)[1]), model)[0]
    assert LeadBlock.join(mine).mv.tobytes() == LeadBlock.join(theirs).mv.tobytes()


def test_asyncio_is_not_held_up_and_a_cancelled_wait_loses_nothing(model):
    class Held(fakes.ListSource):
        """Gives nothing until it is let go, as a quiet port."""

        def __init__(self, lists):
            super().__init__(lists)
            self.go = threading.Event()

        def get(self, timeout=None):
            return super().get() if self.go.wait(0.01) else []

    async def impatient():
        source, got = Held(fakes.stream(1000)[1]), []
        async with opened(source, model) as blocks:
            for _ in range(3):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(blocks.__anext__(), 0.02)
            source.go.set()
            async for block in blocks:
                got.append(block)
        return got, source

    got, source = asyncio.run(impatient())
    assert sum(map(len, got)) == 400 and got[0].index == 0 and source.stopped


def test_asyncio_errors_and_leaving_early(model):
    async def lost():
        got = []
        source = fakes.ListSource(fakes.stream(500)[1], DeviceLostError("unplugged", "plug it in"))
        async with opened(source, model) as blocks:
            with pytest.raises(DeviceLostError):
                async for block in blocks:
                    got.append(block)
            assert [b async for b in blocks] == []
        return sum(map(len, got))

    async def early():
        source = fakes.ListSource(fakes.stream(1000)[1])
        async with opened(source, model) as blocks:
            async for _ in blocks:
                break
        return source.stopped

    assert asyncio.run(lost()) == 200 and asyncio.run(early())


def test_a_wait_for_a_port_that_is_given_up_closes_it(model):
    class Slow(fakes.ListSource):
        """Opens when it is let go."""

        def __init__(self):
            super().__init__([])
            self.go, self.closed = threading.Event(), threading.Event()

        def start(self):
            self.go.wait(10)
            super().start()

        def stop(self):
            self.closed.set()

    source = Slow()

    async def impatient():
        async with opened(source, model):
            pass

    async def given_up():
        task = asyncio.create_task(impatient())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(given_up())
    source.go.set()
    assert source.closed.wait(10) and source.started


def test_two_streams_side_by_side_in_asyncio(model):
    async def total(url):
        rows = 0
        async with open_stream(url, model, fast=True) as blocks:
            async for block in blocks:
                rows += len(block)
                if rows >= 1000:
                    break
        return rows >= 1000

    async def both():
        return await asyncio.gather(total("synthetic:seed=1"), total("synthetic:seed=2"))

    assert asyncio.run(both()) == [True, True]


def test_a_lead_that_is_lost_is_reconstructed_from_the_other():
    counts = np.cumsum(np.random.default_rng(0).integers(-9, 10, (2500, 2)), axis=0)
    valid = np.ones((2500, 2), bool)
    valid[1000:2000, 0] = False
    lists = [[fakes.info()]] + [[fakes.block(counts[k : k + 50], k, valid[k : k + 50])] for k in range(0, 2500, 50)]
    with open_stream(fakes.ListSource(lists), clock=ManualClock()) as blocks:
        found = list(blocks)
    assert "fallback" in [n.kind for n in blocks.notes]
    assert len({b.provenance for b in found}) == 2


def test_a_real_port(model):
    with virtual_patch(pace=("--speed", "20")) as port, open_stream(port, model, reconnect=False) as blocks:
        rows = 0
        for block in blocks:
            rows += len(block)
            if rows > 500:
                break
    assert blocks.url == port and blocks.info.leads == ("I", "II")


def test_after_its_end_nothing_is_left_to_wait_for(model):
    async def late():
        async with opened(fakes.ListSource(fakes.stream(1000)[1]), model) as blocks:
            first = await anext(blocks)
        return first, await anext(blocks, None)

    first, after = asyncio.run(late())
    assert len(first) and after is None


def test_two_tasks_never_get_the_same_block(model):
    async def both():
        async with opened(fakes.ListSource(fakes.stream(1000)[1]), model) as blocks:
            return await asyncio.gather(anext(blocks), anext(blocks), return_exceptions=True)

    one, other = asyncio.run(both())
    assert isinstance(one, LeadBlock) and isinstance(other, UsageError)


class Gate(fakes.ListSource):
    """Holds the consumer until it is let through."""

    def __init__(self, lists):
        super().__init__(lists)
        self.waits, self.let = threading.Event(), threading.Event()

    def get(self, timeout=None):
        self.waits.set()
        self.let.wait()
        return super().get(timeout)


def test_two_threads_never_get_the_same_block(model):
    source, got = Gate(fakes.stream(1000)[1]), []
    with opened(source, model) as blocks:
        thread = threading.Thread(target=lambda: got.append(next(blocks)))
        thread.start()
        source.waits.wait()
        with pytest.raises(UsageError, match="another thread or task"):
            next(blocks)
        source.let.set()
        thread.join()
        assert next(blocks).index == got[0].index + len(got[0])


def test_cancelled_twice_it_is_closed_all_the_same(model):
    source = Gate(fakes.stream(1000)[1])

    async def worked():
        async with opened(source, model) as blocks:
            async for _ in blocks:
                pass

    async def cancelled():
        task = asyncio.create_task(worked())
        await asyncio.to_thread(source.waits.wait)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        source.let.set()

    asyncio.run(cancelled())
    for thread in threading.enumerate():
        if "ecg-edge-stream" in thread.name:
            thread.join(5)
            assert not thread.is_alive()
    assert source.stopped


def test_what_a_reader_had_to_assume_is_a_note(model):
    _, lists = fakes.stream(500)
    [info] = lists[0]
    lists[0] = [replace(info, origin=Origin(remarks=("II: uncalibrated: 200 counts/mV assumed",)))]
    _, stream = collect(fakes.ListSource(lists), model)
    assert [(n.kind, n.text) for n in stream.notes] == [("source", "II: uncalibrated: 200 counts/mV assumed")]
