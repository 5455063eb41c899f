"""Batches drawn on the device: shapes, and what is measured follows from the truth as the leads say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ecg_edge.device.lead_algebra import BASIS, of_basis
from ecg_edge.train.gpu import noise
from ecg_edge.train.gpu.draw import DeviceDraw, beats_of
from ecg_edge.train.learning import r_amplitudes, wearable_noise
from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.network.unet import NetSpec

FS, STEP = 100, 0.004
PLAIN = TrainSpec(gain=0.0, band=0.0, noise_mv=0.0, colour=0.0)
COVARIANCE = np.eye(8) * 0.02 + 0.01
rng = np.random.default_rng(0)
X = torch.from_numpy((rng.standard_normal((32, 8, 1000)).cumsum(-1) * 4).astype(np.int16))
ROWS = torch.arange(16)


def draw(net: NetSpec, spec: TrainSpec) -> DeviceDraw:
    torch.manual_seed(0)
    return DeviceDraw(X, STEP, net, spec, COVARIANCE)


def test_channels_are_differences_of_the_true_leads() -> None:
    channels = ("RA-V5", "V1-V3")
    batch = draw(NetSpec(channels), PLAIN).draw(ROWS)
    expected = torch.from_numpy(of_basis(channels)).float() @ batch.basis
    torch.testing.assert_close(batch.inputs, expected)
    assert batch.basis.shape == (16, 8, 800) and batch.wanted.shape == (16, 8)


def test_a_crop_is_a_stretch_of_its_record() -> None:
    batch = draw(NetSpec(("I",)), PLAIN).draw(ROWS)
    for record, crop in zip(X[:16].float() * STEP, batch.basis, strict=True):
        starts = [k for k in range(201) if torch.allclose(record[:, k : k + 800], crop, atol=1e-6)]
        assert starts


def test_time_is_stretched_for_some_and_left_alone_for_others() -> None:
    one = draw(NetSpec(("I",)), replace(PLAIN, warp=0.1)).draw(torch.zeros(200, dtype=torch.int64))
    record = X[0].float() * STEP
    windows = record.unfold(1, 800, 1).permute(1, 0, 2)
    near = torch.stack([(windows - crop).abs().amax((1, 2)).min() for crop in one.basis])
    assert 0.3 < float((near < 1e-5).float().mean()) < 0.7
    assert float(one.basis.abs().max()) < 1.3 * float(record.abs().max())


def test_guesses_of_an_any_electrode_network() -> None:
    net = NetSpec(BASIS, any_lead=True, any_electrode=True)
    batch = draw(net, PLAIN).draw(ROWS)
    assert batch.inputs.shape == (16, 16, 800)
    known, wanted = batch.inputs[:, 8:, -1], batch.wanted
    assert float(known.min()) >= 0 and float(known.max()) <= 1
    for guess, basis, want in zip(batch.inputs[:, :8, -1], batch.basis[:, :, -1], wanted, strict=True):
        torch.testing.assert_close(guess[want == 0], basis[want == 0], atol=0.02, rtol=0.02)


def test_mixed_records_say_nothing_of_the_scale() -> None:
    batch = draw(NetSpec(("I", "II")), replace(PLAIN, mix=0.3)).draw(torch.arange(32))
    same = (batch.inputs - batch.basis[:, :2]).abs().amax((1, 2)) < 1e-4
    assert torch.equal(same, batch.sure[:, 0] == 1)
    assert 0.1 < float(batch.sure.mean()) < 0.6


def test_a_channel_falls_silent() -> None:
    batch = draw(NetSpec(("I", "II")), replace(PLAIN, mask=1.0)).draw(ROWS)
    gone = ((batch.inputs == 0) & (batch.basis[:, :2] != 0)).any(-1)
    assert int(gone.any(1).sum()) > 10 and not gone.all(1).any()


@pytest.mark.parametrize("kind", sorted(noise.KINDS))
def test_noise_is_as_on_the_processor(kind: str) -> None:
    torch.manual_seed(1)
    like = torch.zeros(64, 2, 800)
    made = noise.KINDS[kind](like, FS).numpy()
    twin = wearable_noise.KINDS[kind]((64, 2, 800), FS, np.random.default_rng(1))
    np.testing.assert_allclose(np.sqrt((made**2).mean(-1)), 1, atol=1e-3)
    power, other = (np.square(np.abs(np.fft.rfft(x))).mean((0, 1)) for x in (made, twin))
    for low, high in ((0, 1), (1, 5), (5, 20), (20, 50)):
        band = slice(low * 8, high * 8 + 1)
        assert abs(power[band].sum() / power.sum() - other[band].sum() / other.sum()) < 0.06, (low, high)


def test_beats_are_those_of_the_processor() -> None:
    t = np.arange(800) / FS
    ecg = sum(np.exp(-(((t - at) / 0.02) ** 2)) for at in (0.7, 1.6, 2.4, 3.3, 4.2, 5.0, 6.1, 7.0))
    x = np.stack([k * ecg for k in range(1, 9)])[None].astype(np.float32)
    mine = np.flatnonzero(beats_of(torch.from_numpy(x), FS)[0].numpy())
    assert len(mine) >= 8
    for at in np.flatnonzero(r_amplitudes.beats(x, FS)[0]):
        assert np.abs(mine - at).min() <= 2
