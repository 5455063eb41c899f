"""The offline designs of the study: they see both ways, and nothing else about them differs."""

from __future__ import annotations

import pytest
import torch

from ecg_edge.train.network.offline_unet import WIDTHS, OfflineUNet, centred
from ecg_edge.train.network.unet import NetSpec, UNet
from tests.support.nets import SMALL, lively

SPEC = NetSpec(("I", "II"), lookahead=0)


@pytest.fixture(scope="module")
def offline() -> OfflineUNet:
    torch.manual_seed(0)
    return OfflineUNet(SPEC).eval()


@pytest.mark.parametrize("n", [16, 100, 250, 1000])
def test_any_length_comes_back_as_long_as_it_was(offline: OfflineUNet, n: int) -> None:
    with torch.no_grad():
        mean, log_scale = offline(torch.randn(2, 2, n))
    assert mean.shape == log_scale.shape == (2, 6, n)
    assert float(log_scale.min()) >= -6 and float(log_scale.max()) <= 3


def test_the_first_output_sees_what_lies_behind_it(offline: OfflineUNet) -> None:
    x = torch.randn(1, 2, 160)
    later = x.clone()
    later[..., 40:] += 1
    with torch.no_grad():
        assert not torch.equal(offline(x)[0][..., 0], offline(later)[0][..., 0])


def test_a_record_is_padded_with_zeros_behind_its_end(offline: OfflineUNet) -> None:
    x = torch.randn(1, 2, 100)
    whole = torch.nn.functional.pad(x, (0, -100 % 2 ** (len(WIDTHS) - 1)))
    with torch.no_grad():
        torch.testing.assert_close(offline(x)[0], offline(whole)[0][..., :100])


def test_the_scale_teaches_the_network_nothing(offline: OfflineUNet) -> None:
    net = OfflineUNet(SPEC)
    net(torch.randn(2, 2, 64))[1].sum().backward()
    trained = {name for name, p in net.named_parameters() if p.grad is not None and bool(p.grad.any())}
    assert trained == {"scale.weight", "scale.bias"}
    assert offline.n_parameters() == sum(p.numel() for p in offline.parameters()) > 100_000


def test_a_centred_network_is_ours_looking_both_ways() -> None:
    spec = NetSpec(("I", "II"), **SMALL)  # type: ignore[arg-type]
    causal = lively(spec)
    x = torch.randn(1, 2, 320, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = causal.body(x[:, :, None])
        both = centred(lively(spec))
        after = both.body(x[:, :, None])
        later = x.clone()
        later[..., 200:] += 1
        changed = both.body(later[:, :, None])
    assert after.shape == before.shape and not torch.allclose(after, before)
    assert not torch.equal(changed[..., 190], after[..., 190]), "it sees no future"
    for a, b in zip(both.state_dict().values(), lively(spec).state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)  # the same weights


def test_a_lone_sample_is_seen_from_both_sides_alike() -> None:
    """The encoder's first level has an odd kernel: its answer to an impulse lies around it, not behind it."""
    spec = NetSpec(("I",), channels=(2,), kernels=(9,), dilations=(), n_features=2)
    torch.manual_seed(0)
    net = centred(UNet(spec)).eval()
    net.body.encoder[0].norm = torch.nn.Identity()  # type: ignore[union-attr, assignment]
    x = torch.zeros(1, 1, 1, 64)
    x[..., 32] = 1
    with torch.no_grad():
        hit = net.body.encoder[0]._convolve(torch.nn.functional.pad(x, (4, 4))).abs().sum((0, 1, 2)) > 0
        seen = net.body.encoder[0](x).abs().sum((0, 1, 2)) > 0
    assert torch.equal(seen, hit) and bool(seen.any())
    assert int(seen.nonzero().min()) >= 28 and int(seen.nonzero().max()) <= 36
