"""Other designs have the shape and the size that was published."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ecg_edge.benchmarks.rivals import rival_nets


@pytest.mark.parametrize("net", [rival_nets.MaskedAutoencoder, rival_nets.PictureUNet])
def test_other_designs_have_their_shape(net: Any) -> None:
    model = net().eval()
    x = torch.zeros(1, net.CHANNELS, net.WINDOW)
    with torch.no_grad():
        assert model(x).shape == x.shape
    if net is rival_nets.MaskedAutoencoder:
        assert sum(p.numel() for p in model.parameters()) == pytest.approx(18e6, rel=0.35)


@pytest.mark.parametrize(("n", "size"), [(64, 16), (16, 64), (32, 32)])
def test_levels_meet_at_one_length(n: int, size: int) -> None:
    x = torch.arange(n, dtype=torch.float32)[None, None]
    y = rival_nets._to_size(x, size)[0, 0]
    assert len(y) == size and bool((y.diff() >= 0).all())
    assert y[-1] == n - 1  # the largest of a pool, the last repeated


def test_both_designs_see_the_whole_window() -> None:
    """They cannot stream: the first output depends on what lies far behind it."""
    torch.manual_seed(0)
    for design, columns in (
        (rival_nets.MaskedAutoencoder((8, 8, 8, 8, 8), 13, 4), 1024),
        (rival_nets.PictureUNet(), 512),
    ):
        net = design.eval()
        x = torch.randn(1, 12, columns)
        later = x.clone()
        later[..., 40:] += 1
        with torch.no_grad():
            assert not torch.equal(net(x)[..., 0], net(later)[..., 0])
            assert net(x).shape == x.shape
