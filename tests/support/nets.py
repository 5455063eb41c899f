"""A small network with lively weights, and what a run folder would add to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ecg_edge.benchmarks.hop_cost import random_weights as made_up
from ecg_edge.export.exporter import Exporter
from ecg_edge.train.network.unet import NetSpec, UNet

SMALL = {"channels": (6, 8, 10, 12), "kernels": (9, 8, 6, 4), "dilations": (1, 2, 4), "n_features": 7}


def lively(spec: NetSpec, seed: int = 0) -> UNet:
    """A network whose batch norms and head are not at their initial values."""
    torch.manual_seed(seed)
    net = UNet(spec)
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(m.running_mean, std=0.1)
            torch.nn.init.uniform_(m.running_var, 0.5, 1.5)
            torch.nn.init.normal_(m.bias, std=0.2)
            torch.nn.init.uniform_(m.weight, 0.8, 1.6)
    torch.nn.init.normal_(net.mean_taps.weight, std=0.1)
    torch.nn.init.normal_(net.scale_features.weight, std=0.1)
    return net.eval()


def exporter_of(net: UNet) -> Exporter:
    """The network as a finished run would hand it over."""
    made = made_up.exporter_of(net)
    n_out = len(made.spec.target_leads)
    training = {
        "dataset": {"name": "synthetic", "licence": "none", "citation": "none"},
        "records": {"train": 1, "validation": 1},
        "excluded": 0,
        "epochs": 1,
        "settings": {},
        "parameters": net.n_parameters(),
        "macs_per_hop": made.graph.macs_per_hop(),
    }
    spec = replace(
        made.spec,
        settling_s=0.4,
        head=replace(made.spec.head, interval_factors=np.full(n_out, 1.6, np.float32)),
        ridge={"1": np.ones((len(net.spec.input_leads), n_out), np.float32)},
        training=training,
    )
    return replace(made, spec=spec)


def noise(n: int, n_leads: int, seed: int = 0) -> np.ndarray:
    """Smooth random signal in mV, shape (n, n_leads)."""
    x = np.random.default_rng(seed).normal(size=(n + 8, n_leads))
    return np.stack([np.convolve(c, np.ones(8) / 4, mode="same") for c in x.T], axis=1)[:n].astype(np.float32)
