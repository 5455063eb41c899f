"""What a source offers beyond the least is found by name, also behind a wrapper that passes everything on."""

import pytest

import ecg_edge as ee
from ecg_edge.device.sources.rescaled import RescaledSource, Scale
from ecg_edge.device.sources.source import can_hold, counts_bytes, device_of, knows_device, knows_losses
from tests.support.fakes import ListSource, block, info

OFFERS = {can_hold: "expect", knows_losses: "loss_known", counts_bytes: "bytes_read", knows_device: "device"}


class Rich(ListSource):
    loss_known, bytes_read, device = False, 7, "cyton"
    asked = None

    def expect(self, short, every):
        self.asked = (short, every)


class Wrapper:
    """Passes everything on: Python 3.12's ``isinstance`` of a protocol does not see it."""

    def __init__(self, source):
        self._inner = source

    def __getattr__(self, name):
        return getattr(self._inner, name)


@pytest.mark.parametrize("offers", OFFERS, ids=OFFERS.values())
def test_a_wrapper_offers_what_its_source_does(offers):
    assert offers(Wrapper(Rich([]))) and not offers(Wrapper(ListSource([])))


def test_a_rescaled_wrapper_passes_on_what_it_wraps():
    inner = Rich([])
    source = RescaledSource(Wrapper(inner), {"I": Scale(1.0)})
    source.expect(3, 8)
    assert inner.asked == (3, 8) and source.bytes_read == 7 and not source.loss_known
    assert device_of(Wrapper(inner), "heard") == "cyton" and device_of(Wrapper(ListSource([])), "heard") == "heard"


def test_a_run_of_a_wrapped_source_knows_that_losses_are_not_known():
    events = [[info()], [block([[k, -k] for k in range(1000)])]]
    found = [ee.run(of(events)).counts for of in (ListSource, Rich, lambda e: Wrapper(Rich(e)))]
    assert [c.loss_known for c in found] == [True, False, False] and {c.rows_out for c in found} == {400}
