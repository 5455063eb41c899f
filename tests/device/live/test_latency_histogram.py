import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.live.latency_histogram import LatencyRecorder


@given(st.lists(st.floats(1e-5, 100), min_size=1, max_size=300), st.sampled_from([1, 50, 90, 99, 100]))
def test_percentiles_are_never_too_good_and_hardly_too_bad(values, percent):
    recorder = LatencyRecorder()
    for v in values:
        recorder.add(v)
    exact = float(np.percentile(values, percent, method="inverted_cdf"))
    assert exact * (1 - 1e-9) <= recorder.percentile(percent) <= exact * 1.0111
    assert recorder.max_s == max(values) and recorder.count == len(values)


def test_out_of_range_values_stay_in_the_last_bins():
    recorder = LatencyRecorder()
    for v in (-1.0, 0.0, 1e9):
        recorder.add(v)
    assert recorder.percentile(50) == pytest.approx(1e-6) and recorder.percentile(100) >= 900
    assert LatencyRecorder().percentile(99) == 0
