import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.lead_algebra import Provenance, provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS

KINDS = provenance(("I", "II"))


def block(n: int, held: bool = True) -> LeadBlock:
    rng = np.random.default_rng(n)
    return LeadBlock(
        100,
        rng.normal(size=(n, 12)).astype(np.float32),
        KINDS,
        rng.random((n, 12)) < 0.5,
        rng.random(n) < 0.5,
        rng.random((n, 12)).astype(np.float32),
        3.5,
        rng.random(n) < 0.5 if held else None,
        rng.random(n).astype(np.float32) if held else None,
    )


@given(n=st.integers(0, 12), cut=st.integers(0, 12), held=st.booleans())
def test_two_parts_are_the_whole(n, cut, held):
    whole = block(n, held)
    a, b = whole.rows(0, cut), whole.rows(cut, n)
    assert (a.index, b.index) == (100, 100 + cut)
    assert (a.arrival, b.provenance) == (3.5, KINDS)
    for name in ("mv", "valid", "warmup", "sigma", *(["held", "share"] if held else [])):
        parts = [getattr(part, name) for part in (a, b)]
        np.testing.assert_array_equal(np.concatenate(parts), getattr(whole, name))
    assert held or (a.held is None and b.share is None)


@pytest.mark.parametrize("n", [0, 5])
def test_an_empty_block_shows_nothing(n):
    nothing = LeadBlock.empty(7, n, KINDS, 2.0)
    assert (nothing.index, len(nothing), nothing.arrival) == (7, n, 2.0)
    assert nothing.mv.shape == nothing.valid.shape == nothing.sigma.shape == (n, 12)
    assert nothing.mv.dtype == nothing.sigma.dtype == np.float32
    assert not nothing.valid.any()
    assert nothing.warmup.all()
    assert nothing.held is None


def test_a_lead_is_found_by_its_name():
    b = block(4)
    np.testing.assert_array_equal(b.lead("V2"), b.mv[:, 7])
    np.testing.assert_array_equal(b.lead("avr"), b.mv[:, 3])
    with pytest.raises(UsageError, match="V9"):
        b.lead("V9")


def test_only_what_is_estimated_has_an_interval():
    b = block(4)
    estimated = [LEADS.index(x) for x, p in zip(LEADS, KINDS, strict=True) if p is Provenance.RECONSTRUCTED]
    assert b.interval.shape == b.mv.shape
    assert b.interval.dtype == np.float32
    np.testing.assert_array_equal(b.interval[:, estimated], b.sigma[:, estimated])
    assert np.isnan(np.delete(b.interval, estimated, axis=1)).all()
