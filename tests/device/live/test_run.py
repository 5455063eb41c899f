"""A run from a program: sinks of one's own, and what ended it."""

import threading

import numpy as np
import pytest

import ecg_edge as ee
from ecg_edge.firmware_bridge.clock import ManualClock
from tests.support import fakes


class Keeper(ee.SinkBase):
    """Keeps what it is given."""

    name, lossless = "keeper", True

    def __init__(self):
        self.blocks, self.notes, self.closed = [], [], False

    def open(self, header):
        self.header = header

    def leads(self, block):
        self.blocks.append(block)

    def note(self, note):
        self.notes.append(note.kind)

    def close(self):
        self.closed = True


def run(source, *sinks, model, **more):
    return ee.run(source, sinks, model=model, fallback=None, clock=ManualClock(), **more)


def test_rows_reach_the_sinks(model):
    one, two = Keeper(), Keeper()
    summary = run(fakes.ListSource(fakes.stream(1000)[1]), one, two, model=model)
    assert summary.counts.rows_out == 400 == sum(map(len, one.blocks)) and one.closed and two.closed
    whole = [ee.LeadBlock.join(s.blocks).mv.tobytes() for s in (one, two)]
    assert whole[0] == whole[1] and one.header.source == "fake:" and summary.recording is None
    with ee.open_stream(fakes.ListSource(fakes.stream(1000)[1]), model, fallback=None) as blocks:
        assert ee.LeadBlock.join(list(blocks)).mv.tobytes() == whole[0]


def test_a_recording_has_the_rows(model, tmp_path):
    wfdb = pytest.importorskip("wfdb")
    keeper = Keeper()
    summary = run(
        fakes.ListSource(fakes.stream(1000)[1]), keeper, ee.Recorder(str(tmp_path)), model=model, patient="p7"
    )
    stored = wfdb.rdrecord(str(summary.recording))
    assert "patient: p7" in stored.comments
    rows = ee.LeadBlock.join(keeper.blocks)
    kept = np.isfinite(stored.p_signal[:, :12])
    assert np.array_equal(kept, rows.valid) and not kept[0].all() and kept[-1].all()
    assert np.abs(stored.p_signal[:, :12] - rows.mv)[kept].max() < 6e-4


def test_what_ended_it_is_raised_when_all_is_closed(model):
    keeper = Keeper()
    source = fakes.ListSource(fakes.stream(500)[1], ee.DeviceLostError("unplugged", "plug it in"))
    with pytest.raises(ee.DeviceLostError, match="unplugged"):
        run(source, keeper, model=model)
    assert keeper.closed and sum(map(len, keeper.blocks)) == 200


def test_the_length_and_the_stop(model):
    assert run(fakes.ListSource(fakes.stream(1000)[1]), model=model, seconds=2).counts.samples_in == 500
    stop = threading.Event()
    stop.set()
    assert run(fakes.ListSource(fakes.stream(1000)[1]), model=model, stop=stop).counts.rows_out == 0
    for wrong in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ee.UsageError, match="not a length"):
            run(fakes.ListSource([]), model=model, seconds=wrong)


def test_leads_and_model(model):
    _, lists = fakes.stream(500)
    lists[0] = [fakes.info(("ch1", "ch2"))]
    assert run(fakes.ListSource(lists), model=model, leads=("I", "II")).counts.rows_out == 200
    with pytest.raises(ee.LeadMismatchError, match="I, II missing"):
        run(fakes.ListSource(lists[:1] + fakes.stream(500)[1][1:]), model=model)
    with pytest.raises(ee.CalibrationError):
        run(fakes.ListSource(fakes.stream(500)[1]), model=model, calibration=__file__)


class Words:
    """A decoder of one's own: two bytes a sample, I and II in units of 0.01 mV."""

    name = "words"

    def __init__(self):
        self.tally, self._rest, self._at = ee.Tally(), b"", 0

    def feed(self, data, arrival=0.0):
        data = self._rest + data
        n = len(data) // 2
        self._rest = data[2 * n :]
        counts = np.frombuffer(data[: 2 * n], np.int8).reshape(-1, 2).astype(np.int32)
        events = [fakes.info()] if not self._at else []
        if n:
            ones = np.ones(counts.shape, bool)
            events.append(ee.SampleBlock(self._at, counts, (counts * 0.01).astype(np.float32), ones, arrival=arrival))
        self._at, self.tally.samples = self._at + n, self.tally.samples + n
        return events

    def close(self):
        return []

    def opening(self):
        return b""

    request = closing = opening


def test_a_decoder_of_ones_own_at_a_socket(model):
    import socket

    sent = (np.sin(np.arange(1000) / 9)[:, None] * [40, 90]).astype(np.int8)
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        client, _ = server.accept()
        with client:
            client.sendall(sent.tobytes())

    thread = threading.Thread(target=serve)
    thread.start()
    rows = 0
    url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    with (
        server,
        pytest.raises(ee.DeviceLostError),
        ee.open_stream(url, model, device=Words(), reconnect=False) as blocks,
    ):
        for block in blocks:
            rows += len(block)
    thread.join()
    assert rows == 400
    decoded = ee.decode_bytes(Words(), sent.tobytes())
    assert np.array_equal(decoded.counts, sent)


def test_a_calibration_that_comes_later_is_waited_for(model, tmp_path):
    later = {"calibration": tmp_path / "p1.json", "calibration_later": True}
    assert run(fakes.ListSource(fakes.stream(500)[1]), model=model, **later).counts.rows_out == 200
    with pytest.raises(ee.CalibrationError, match="calibration_later=True"):
        run(fakes.ListSource(fakes.stream(500)[1]), model=model, calibration=tmp_path / "p1.json")


class Failing(ee.SinkBase):
    """Fails in one of its methods."""

    def __init__(self, method, error, **traits):
        vars(self).update({"name": "failing"} | traits)

        def fail(*_):
            raise error

        setattr(self, method, fail)


@pytest.mark.parametrize("method", ["leads", "close"])
@pytest.mark.parametrize("error", [ValueError("mine"), OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_sink_that_fails_is_in_the_summary(model, method, error):
    summary = run(fakes.ListSource(fakes.stream(500)[1]), Failing(method, error), Keeper(), model=model)
    assert summary.error is None and list(summary.sink_errors) == ["failing"]
    assert summary.to_dict()["sink_errors"]["failing"] and "failing stopped" in repr(summary)
    with pytest.raises(ee.EcgEdgeError, match="failing"):  # where nothing else has got to the end
        run(fakes.ListSource(fakes.stream(500)[1]), Failing(method, error), model=model)
    with pytest.raises(ee.EcgEdgeError, match="failing"):
        run(fakes.ListSource(fakes.stream(500)[1]), Failing(method, error, lossless=True), Keeper(), model=model)


class Later(ee.SinkBase):
    async def leads(self, block):
        pass


class Yields(ee.SinkBase):
    def leads(self, block):
        yield block


@pytest.mark.parametrize(
    ("sinks", "says"),
    [
        ([keeper := Keeper(), keeper], "one object twice"),
        ([Later()], "async def leads"),
        ([Yields()], "a yield in leads"),
        ([Failing("note", ValueError(), lossless="no")], "lossless='no'"),
        ([Failing("note", ValueError(), outlet=None)], "outlet=None"),
        ([Failing("note", ValueError(), leads=5)], "leads=5"),
    ],
)
def test_a_sink_that_cannot_work_is_refused(model, sinks, says):
    with pytest.raises(ee.UsageError, match=says):
        run(fakes.ListSource(fakes.stream(500)[1]), *sinks, model=model)


def test_a_source_too_slow_for_an_ecg_is_refused_by_a_stream_too(model):
    for way in (lambda s: ee.run(s, model=model), lambda s: next(ee.open_stream(s, model).__enter__())):
        source = fakes.ListSource([[fakes.info(fs=10)], *fakes.stream(500)[1][1:]])
        source.live = True
        with pytest.raises(ee.NotAnEcgStreamError, match="10 samples a second"):
            way(source)
