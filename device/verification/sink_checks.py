"""What every sink must do, as plain functions that raise AssertionError: for sinks of ours and of others.

::

    from ecg_edge.device.verification.sink_checks import check_sink

    def test_it(tmp_path):
        check_sink(lambda: MySink(tmp_path / "leads"))
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from fractions import Fraction

import numpy as np

from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.inference.shipped import default_model
from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.sinks.sink import RunHeader, Sink, Status
from ecg_edge.device.sinks.sink_thread import Item, SinkThread
from ecg_edge.firmware_bridge.events import Channel, Event, Gap, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

_LEADS, _FS, _LSB_MV, _PIECE = ("I", "II"), 250, 0.001, 25
_NOTES = (Note("gap", 500, 600, "100 samples lost"), Note("held", 700, 705, ""), Note("lead-off", 800, 800, "LL"))
_STATUSES = (
    Status(1.0, 250, 100, 0, 250.0, 1.0, 2.0, None),
    Status(2.0, 500, 200, 100, 250.0, 1.0, 2.0, 65.0, lead_off=("LL",), connected=False, battery_percent=7),
)


def check_sink(make: Callable[[], Sink]) -> None:
    """Run every check below on fresh sinks."""
    check_traits(make())
    check_a_run(make())
    check_an_early_end(make())
    check_its_thread(make())


def check_traits(sink: Sink) -> None:
    """The traits have values that a run can use."""
    assert isinstance(sink.name, str) and sink.name, "name: a word for messages"
    kinds = {SampleBlock, LeadBlock}
    assert isinstance(sink.takes, tuple) and set(sink.takes) <= kinds, "takes: of SampleBlock and LeadBlock"
    assert isinstance(sink.lossless, bool), "lossless: True or False"
    assert isinstance(sink.extra, str), "extra: a word, or an empty text"
    assert sink.capacity >= 1 and sink.batch >= 1, "capacity and batch: at least 1"


def check_a_run(sink: Sink) -> None:
    """A whole run is taken: samples, invalid and empty ones included, notes, figures; then it closes."""
    header, items = signal()
    sink.open(header)
    assert isinstance(sink.where, str), "where: a text once it is open"
    for item in items:
        _pass_on(sink, item)
    sink.close()


def check_an_early_end(sink: Sink) -> None:
    """A run that ends before its first sample closes the sink all the same."""
    sink.open(signal()[0])
    sink.close()


def check_its_thread(sink: Sink) -> None:
    """Behind its queue it ends without an error."""
    warnings: list[str] = []
    thread = SinkThread(sink, warn=warnings.append)
    header, items = signal()
    thread.open(header)
    for item in items:
        thread.put(item)
    thread.close()
    assert not warnings, warnings[0]


def signal() -> tuple[RunHeader, list[Item]]:
    """Eight seconds of the synthetic heart through a shipped model, with a gap, an electrode off, notes and figures."""
    info = StreamInfo("conformance", Fraction(_FS), tuple(Channel(x, _LSB_MV) for x in _LEADS))
    model = for_leads(load_model(default_model(_LEADS)), _LEADS)
    pipeline = Pipeline(model, info, mains_hz=None)
    header = RunHeader(
        info, "conformance:", model.spec, model.path.name, model.file_sha256, pipeline.provenance,
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc), pipeline.latency_terms,
    )  # fmt: skip
    counts = np.rint(SyntheticHeart(_FS, _LEADS).read(8 * _FS) / _LSB_MV).astype(np.int32)
    valid = np.ones(counts.shape, np.bool_)
    valid[800:1000, 1] = False
    items: list[Item] = []
    for k in range(0, len(counts), _PIECE):
        if 500 <= k < 600:
            continue
        piece = slice(k, k + _PIECE)
        block = SampleBlock(k, counts[piece], (counts[piece] * _LSB_MV).astype(np.float32), valid[piece])
        events: list[Event] = [Gap(500, 600), block] if k == 600 else [block]
        items += [block, *(x for event in events for x in pipeline.feed(event))]
    items += [*pipeline.flush(), *_NOTES, *_STATUSES]
    return header, items


def _pass_on(sink: Sink, item: Item) -> None:
    if isinstance(item, SampleBlock):
        sink.native(item)
    elif isinstance(item, LeadBlock):
        sink.leads(item)
    elif isinstance(item, Note):
        sink.note(item)
    elif isinstance(item, Status):
        sink.status(item)
