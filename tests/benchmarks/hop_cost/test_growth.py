"""How cost grows: that what is timed computes what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecg_edge.benchmarks.hop_cost import growth
from ecg_edge.train.network.unet import NetSpec
from tests.support.tiny_model import tiny_model


def test_a_longer_hop_is_the_same_network(tmp_path: Path) -> None:
    """What growth times must compute what it says."""
    from ecg_edge.device.inference.head import features

    net = NetSpec(("I", "II"), channels=(4, 6), kernels=(5, 4), dilations=(1,), n_features=4)
    a = growth._file(net, 2, tmp_path / "a")
    b = growth._file(net, 8, tmp_path / "b")
    x = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    np.testing.assert_allclose(features(a, x), features(b, x), atol=1e-5)


def test_what_is_varied_is_what_the_label_says() -> None:
    hops = {label: hop for label, _, hop in growth._hops()}
    assert hops == {"80 ms": 8, "160 ms": 16, "320 ms": 32, "640 ms": 64}
    widths = {label: net.channels for label, net, _ in growth._widths()}
    assert widths["x 1"] == NetSpec(("I", "II")).channels
    assert widths["x 2"] == tuple(2 * c for c in widths["x 1"])
    assert {label: (net.fs, 1000 * hop / net.fs) for label, net, hop in growth._rates()} == {
        "100 Hz": (100, 80), "250 Hz": (250, 64), "500 Hz": (500, 80),
    }  # fmt: skip
    assert {label: len(net.target_leads) for label, net, _ in growth._outputs()} == {
        "6 leads": 6, "5 leads": 5, "4 leads": 4, "1 leads": 1,
    }  # fmt: skip


def test_streams_saturate_a_core_by_the_cost_of_each_further_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two milliseconds a hop whatever is done, and half a millisecond a stream: a hop is 40 ms here."""
    timed: list[int] = []

    def cost(works: dict[str, Any], rounds: int, calls: dict[str, int]) -> dict[str, float]:
        timed.append(calls["all"])
        works["all"]()
        return {"all": 0.002 + 0.0005 * growth.STREAMS[len(timed) - 1]}

    monkeypatch.setattr(growth, "compare", cost)
    monkeypatch.setattr(growth, "STREAMS", (1, 2, 8))
    found = growth.streams(tiny_model(tmp_path))
    assert timed == [60, 30, 7]
    assert [r["streams"] for r in found["rows"]] == [1, 2, 8]
    assert [r["core_percent"] for r in found["rows"]] == pytest.approx([6.25, 7.5, 15.0])
    assert found["rows"][2]["each_percent"] == pytest.approx(15 / 8)
    assert found["saturate"] == pytest.approx(80)


def test_a_share_of_a_core_is_the_cost_of_a_hop_over_its_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "compare", lambda works, *_: dict.fromkeys(works, 0.001))
    models = {"short": tiny_model(tmp_path), "fast": tiny_model(tmp_path, fs=200)}
    assert growth._percent(models, 1) == pytest.approx({"short": 2.5, "fast": 5.0})
