"""An untrained any-electrode model in a file, and a patch anywhere on the synthetic heart."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.export.targets import Target
from ecg_edge.firmware_bridge.events import Channel, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from ecg_edge.train.network.unet import NetSpec, UNet
from tests.support.nets import SMALL, exporter_of

LSB, FS = 1e-5, 250


def any_electrode_file(folder: Path) -> Path:
    """Write ``any-electrode-fp32.onnx``: it begins at the linear guess of a heart's own covariance."""
    torch.manual_seed(3)
    net = UNet(NetSpec(BASIS, any_lead=True, any_electrode=True, **SMALL)).eval()
    x = SyntheticHeart(100, BASIS, seed=5).read(6000)
    net.get_buffer("covariance").copy_(torch.from_numpy(x.T @ x / len(x) + 1e-3 * np.eye(8)))
    exporter, target = exporter_of(net), Target("onnx", "fp32")
    path = folder / target.file_name(exporter.stem)
    return exporter.write(path, target, exporter.describe(target, None, {}, {}))


def info(channels):
    return StreamInfo("x", Fraction(FS), tuple(Channel(name, LSB) for name in channels))


def events(channels, n=1500, cut=50, lead_off=lambda at: 0):
    """Blocks of the synthetic heart as these channels see it; `lead_off` gives the mask at a sample."""
    counts = np.rint(SyntheticHeart(FS, channels, seed=2).read(n) / LSB).astype(np.int32)
    ok = np.ones(counts.shape, bool)
    return [
        SampleBlock(k, c := counts[k : k + cut], (c * LSB).astype(np.float32), ok[k : k + cut], lead_off(k))
        for k in range(0, n, cut)
    ]
