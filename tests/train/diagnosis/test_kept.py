"""Records as a reader of twelve leads would get them: what is measured stays, what is hidden is estimated."""

from __future__ import annotations

import numpy as np
import pytest

from ecg_edge.device.lead_algebra import BASIS, measured
from ecg_edge.train.diagnosis.kept import shown

X = np.random.default_rng(0).normal(size=(3, 100, 8)).astype(np.float32)
HIDDEN = ("V1", "V3")
COLUMNS = [BASIS.index(lead) for lead in HIDDEN]


def test_hidden_leads_are_the_estimates_and_all_others_the_truth() -> None:
    before = X.copy()
    found = shown(X, ("I", "II"), HIDDEN, lambda x: np.stack([x[:, 0], -x[:, 1]], axis=1), "records")
    np.testing.assert_array_equal(found[..., COLUMNS[0]], X[..., 0])
    np.testing.assert_array_equal(found[..., COLUMNS[1]], -X[..., 1])
    others = [k for k in range(8) if k not in COLUMNS]
    np.testing.assert_array_equal(found[..., others], X[..., others])
    np.testing.assert_array_equal(X, before)  # the truth is not written over


@pytest.mark.parametrize("channels", [("II", "I"), ("RA-V5", "V1-V3")])
def test_an_estimate_gets_the_channels_that_are_measured(channels: tuple[str, ...]) -> None:
    seen: list[np.ndarray] = []

    def estimate(x: np.ndarray) -> np.ndarray:
        seen.append(x)
        return np.zeros((len(x), 2))

    shown(X, channels, HIDDEN, estimate, "records")
    np.testing.assert_allclose(np.stack(seen), measured(X, channels), atol=1e-6)
    assert all(x.flags.c_contiguous for x in seen)


def test_all_are_cut_to_the_shortest_estimate() -> None:
    lengths = iter((90, 70, 100))
    found = shown(X, ("I",), HIDDEN, lambda x: np.ones((next(lengths), 2)), "records")
    assert found.shape == (3, 70, 8)
    assert (found[..., COLUMNS] == 1).all()
