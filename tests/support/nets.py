"""A small network with lively weights, and what a run folder would add to it."""

from __future__ import annotations

import numpy as np
import torch

from ecg_edge.device.conditioning import ConditioningSpec
from ecg_edge.device.spec import Head, ModelSpec
from ecg_edge.export.build import Exporter
from ecg_edge.export.graph import from_body
from ecg_edge.export.onnx_writer import state_specs
from ecg_edge.train.finalise import head_lags, head_weights
from ecg_edge.train.network import NetSpec, Reconstructor

SMALL = {"channels": (6, 8, 10, 12), "kernels": (9, 8, 6, 4), "dilations": (1, 2, 4), "n_features": 7}


def lively(spec: NetSpec, seed: int = 0) -> Reconstructor:
    """A network whose batch norms and head are not at their initial values."""
    torch.manual_seed(seed)
    net = Reconstructor(spec)
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(m.running_mean, std=0.1)
            torch.nn.init.uniform_(m.running_var, 0.5, 1.5)
            torch.nn.init.normal_(m.bias, std=0.2)
            torch.nn.init.uniform_(m.weight, 0.8, 1.6)
    torch.nn.init.normal_(net.mean_taps.weight, std=0.1)
    torch.nn.init.normal_(net.scale_features.weight, std=0.1)
    return net.eval()


def exporter_of(net: Reconstructor) -> Exporter:
    graph = from_body(net.body)
    mean, log_scale = head_weights(net)
    n_reg, n_out = mean.shape
    spec = ModelSpec(
        kind="streaming",
        input_leads=net.spec.input_leads,
        target_leads=net.spec.target_leads,
        fs=net.spec.fs,
        hop=net.spec.hop,
        lookahead=net.spec.lookahead,
        receptive_field=net.body.receptive_field(),
        settling_s=0.4,
        n_features=net.spec.n_features,
        states=state_specs(graph, None),
        head=Head(
            head_lags(net.spec),
            mean,
            log_scale,
            np.eye(n_reg, dtype=np.float32),
            0.9,
            np.full(n_out, 1.6, np.float32),
        ),
        conditioning=ConditioningSpec(),
        model_id=graph.digest(mean, log_scale),
        ridge={"1": np.ones((len(net.spec.input_leads), n_out), np.float32)},
        training={
            "dataset": {"name": "synthetic", "licence": "none", "citation": "none"},
            "records": {"train": 1, "validation": 1},
            "excluded": 0,
            "epochs": 1,
            "settings": {},
            "parameters": net.n_parameters(),
            "macs_per_hop": graph.macs_per_hop(),
        },
    )
    return Exporter(net, graph, spec)


def noise(n: int, n_leads: int, seed: int = 0) -> np.ndarray:
    """Smooth random signal in mV, shape (n, n_leads)."""
    x = np.random.default_rng(seed).normal(size=(n + 8, n_leads))
    return np.stack([np.convolve(c, np.ones(8) / 4, mode="same") for c in x.T], axis=1)[:n].astype(np.float32)
