import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.inference.head import RegressorLayout

LAGS = st.lists(st.integers(-6, 4).filter(bool), max_size=4, unique=True).map(tuple)


@given(n=st.integers(0, 5), n_features=st.integers(1, 4), n_leads=st.integers(1, 3), lags=LAGS)
def test_every_regressor_is_where_the_layout_says(n, n_features, n_leads, lags):
    layout = RegressorLayout(n_features, n_leads, lags)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n, n_features)).astype(np.float32)
    window = rng.normal(size=(layout.history + n + 4, n_leads)).astype(np.float32)
    a = layout.matrix(features, window)
    assert a.shape == (n, layout.size)
    np.testing.assert_array_equal(a[:, :n_features], features)
    np.testing.assert_array_equal(a[:, -1], 1)
    for k, lag in enumerate((0, *lags)):
        for row in range(n):
            np.testing.assert_array_equal(a[row, layout.tap(k)], window[layout.history + row + lag])


@given(columns=st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True), lags=LAGS)
def test_fewer_leads_are_a_part_of_the_matrix(columns, lags):
    whole, part = RegressorLayout(3, 5, lags), RegressorLayout(3, len(columns), lags)
    rng = np.random.default_rng(1)
    features = rng.normal(size=(4, 3)).astype(np.float32)
    window = rng.normal(size=(whole.history + 8, 5)).astype(np.float32)
    a = whole.matrix(features, window)[:, whole.of_leads(columns)]
    np.testing.assert_array_equal(a, part.matrix(features, window[:, columns]))


def test_a_window_that_is_too_short_is_an_error():
    layout = RegressorLayout(1, 1, (3,))
    with pytest.raises(IndexError):
        layout.matrix(np.zeros((2, 1), np.float32), np.zeros((3, 1), np.float32))
