import numpy as np

from ecg_edge.device.live.coalesce import coalesce
from ecg_edge.firmware_bridge.events import Gap, SampleBlock
from tests.support import fakes


def test_only_what_adjoins_is_joined():
    counts = fakes.walk(100)
    parts = [(0, 10, 0), (10, 13, 0), (13, 20, 1), (25, 30, 1), (30, 40, 1)]
    blocks = [fakes.block(counts[a:b], a, lead_off=off, arrival=float(b)) for a, b, off in parts]
    gap, info = Gap(40, 50), fakes.info()
    out = list(coalesce([info, *blocks, gap, fakes.block(counts[50:60], 50), fakes.block(counts[60:61], 60)]))
    got = [(e.index, len(e), e.lead_off) if isinstance(e, SampleBlock) else e for e in out]
    assert got == [info, (0, 13, 0), (13, 7, 1), (25, 15, 1), gap, (50, 11, 0)]
    assert out[1].arrival == 13.0 and (out[3].counts == counts[25:40]).all()
    assert np.array_equal(out[5].mv, (counts[50:61] * fakes.LSB).astype(np.float32)) and out[5].valid.all()


def test_nothing_stays_nothing():
    assert list(coalesce([])) == []
