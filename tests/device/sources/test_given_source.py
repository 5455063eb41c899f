"""Source objects that a program passes: used once, whole, and blamed for what they raise."""

import asyncio
import threading

import pytest

import ecg_edge as ee
from ecg_edge.firmware_bridge.clock import ManualClock
from tests.support import fakes


class Broken(fakes.ListSource):
    """Fails where a real one has a fault."""

    def __init__(self):
        super().__init__([])
        self.stops = 0

    def get(self, timeout=None):
        raise RuntimeError("mine")

    def stop(self):
        self.stops += 1


def opened(source):
    with ee.open_stream(source) as blocks:
        return list(blocks)


def ran(source):
    return ee.run(source, [ee.SinkBase()], seconds=1)


async def over(source):
    async with ee.open_stream(source) as blocks:
        return [block async for block in blocks]


WAYS = {"with": opened, "run": ran, "async": lambda source: asyncio.run(over(source))}


@pytest.mark.parametrize("again", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("first", [ran, lambda s: (s.start(), s.stop()), lambda s: s.start()])
def test_a_source_is_used_once(first, again):
    source = ee.open_source("synthetic:", ManualClock(), fast=True)
    first(source)
    with pytest.raises(ee.UsageError, match="a source is used once"):
        again(source)


@pytest.mark.parametrize("again", WAYS.values(), ids=WAYS)
def test_so_is_one_of_others(again):
    source = fakes.ListSource(fakes.stream(500)[1])
    again(source)
    with pytest.raises(ee.UsageError, match="a source is used once"):
        again(source)


def test_who_comes_second_leaves_the_first_alone():
    source = ee.open_source("synthetic:", fast=True)
    with ee.open_stream(source) as first:
        with pytest.raises(ee.UsageError, match="used once"):
            opened(source)
        with pytest.raises(ee.UsageError, match="used once"):
            asyncio.run(over(source))
        assert len(next(first)) and len(next(first))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_fault_of_a_source_names_it_and_it_is_stopped(way):
    source = Broken()
    with pytest.raises(ee.PluginError, match=r"a fault of Broken in .*RuntimeError: mine"):
        way(source)
    assert source.stops == 1 and not [t for t in threading.enumerate() if "ecg-edge-stream" in t.name]


@pytest.mark.parametrize("wrong", [None, 5])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_a_source_returns_must_be_a_list(way, wrong):
    source = fakes.ListSource([wrong])
    with pytest.raises(ee.PluginError, match="ListSource"):
        way(source)


@pytest.mark.parametrize("part", ["url", "live", "ended", "dropped_blocks", "stop"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_source_that_lacks_a_part_is_refused(way, part):
    parts = {"url": "mine", "live": False, "ended": False, "dropped_blocks": 0, "stop": print}
    parts |= {"start": print, "get": lambda self, timeout=None: []}
    del parts[part]
    with pytest.raises(ee.UsageError, match=f"it has no {part}"):
        way(type("Mine", (), parts)())


def test_a_class_is_no_source():
    with pytest.raises(ee.UsageError, match="is a class"):
        ran(Broken)


@pytest.mark.parametrize("option", [{"gain": 3.0}, {"device": "cyton"}, {"fs": 250}, {"baud": 9600}])
@pytest.mark.parametrize("way", [ee.open_stream, ee.run])
def test_what_is_of_a_port_is_refused_for_an_object(way, option):
    with pytest.raises(ee.UsageError, match=f"{next(iter(option))} does nothing for a source object"):
        way(ee.open_source("synthetic:", fast=True), **option)


@pytest.mark.parametrize("way", [opened, lambda s: ee.run(s, [ee.SinkBase()])])
def test_the_leads_of_a_source_of_others_are_understood(way):
    made = fakes.stream(500)[1][1:]
    way(fakes.ListSource([[fakes.info(("i", " Lead II"))], *made]))
    with pytest.raises(ee.PluginError, match="names I twice"):
        way(fakes.ListSource([[fakes.info(("I", "i"))], *made]))
