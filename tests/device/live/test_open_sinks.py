import pytest

from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.live.execute import run
from ecg_edge.device.live.open_sinks import BUILT_IN, make_sink, open_sinks
from ecg_edge.device.live.options import Options, settings
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.sinks.sink import SinkBase, SinkRequest
from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError


def opened(tmp_path=None, **options):
    recorder = Recorder(tmp_path) if tmp_path else None
    return [thread.name for thread in open_sinks(Options(**options), recorder, ManualClock())]


def test_a_run_has_what_was_asked_for_in_this_order(tmp_path):
    assert opened() == ["status"]
    assert opened(tmp_path, jsonl=True, lsl=True, metrics="9100", monitor=True, port=0) == [
        "status", "json lines", "lsl", "metrics", "recorder", "monitor"
    ]  # fmt: skip


def test_a_setting_is_short_for_the_sink_of_its_name():
    assert opened(jsonl=True) == opened(sinks=("jsonl",))
    assert opened(metrics="9100", monitor=True) == opened(sinks=("metrics:9100", "monitor:127.0.0.1:8765"))
    assert set(BUILT_IN) <= {name for name, _, _ in settings()}


def test_a_sink_needs_the_extra_its_setting_names():
    extras = {name: about.extras for name, about, _ in settings()}
    for word in ("jsonl", "lsl", "metrics:0", "monitor:0"):
        name, _, argument = word.partition(":")
        sink = make_sink(name, SinkRequest(argument, ManualClock()))
        assert extras[name] == ((sink.extra,) if sink.extra else ())


@pytest.mark.parametrize("word", ["monitor:x", "monitor", "metrics:x", "serve:nowhere", "jsnl"])
def test_what_makes_no_sense_is_refused_before_anything_is_opened(word):
    with pytest.raises(EcgEdgeError) as e:
        opened(sinks=(word,))
    assert isinstance(e.value, UsageError) and e.value.fix


@pytest.mark.parametrize(
    ("sinks", "says", "fix"),
    [
        (SinkBase(), "SinkBase is no list of sinks", "[sink]"),
        ("jsonl", "str is no list of sinks", "[sink]"),
        ([SinkBase], "SinkBase is a class", "[SinkBase()]"),
        ([3], "int, which is no sink: it has no", "SinkBase"),
        (None, "NoneType is no list", "[sink]"),
    ],
)
def test_a_program_that_passes_no_sinks_is_told_how(sinks, says, fix):
    with pytest.raises(UsageError) as e:
        run("synthetic:", sinks, seconds=1, fast=True)
    assert says in e.value.message and fix in e.value.fix


@pytest.mark.parametrize(
    ("trait", "value", "fix"),
    [
        ("takes", ("native", "leads"), "ee.SampleBlock"),
        ("takes", LeadBlock, "(kind,)"),
        ("batch", -1, "batch = 1"),
        ("batch", True, "batch = 1"),
        ("capacity", 0, "capacity = 512"),
        ("capacity", 2.5, "capacity = 512"),
        ("name", 3, 'name = "mine"'),
    ],
)
def test_a_trait_that_cannot_be_is_refused_at_the_start(trait, value, fix):
    sink = type("Mine", (SinkBase,), {trait: value})()
    with pytest.raises(UsageError, match=f"the sink Mine has {trait}=") as e:
        run("synthetic:", [sink], seconds=1, fast=True)
    assert fix in e.value.fix


def test_a_sink_that_overrides_native_receives_the_devices_samples():
    class Native(SinkBase):
        rows = 0

        def native(self, block):
            self.rows += len(block)

    class Stated(Native):
        takes = (LeadBlock,)

        def native(self, block):
            self.rows += len(block)

    class Heir(Native):
        pass

    sinks = [Native(), Stated(), Heir()]
    run("synthetic:", sinks, seconds=1, fast=True)
    assert sinks[0].rows > 0 and sinks[1].rows == 0 and sinks[2].rows > 0
    assert SinkBase.takes == (LeadBlock,)
