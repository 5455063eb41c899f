"""A model file of any shape with random weights: for cost, never for a picture."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.export.exporter import Exporter, described
from ecg_edge.export.graph import from_body
from ecg_edge.export.targets import Target
from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.train.head.model_head import any_fields, plain_head
from ecg_edge.train.network.unet import NetSpec, UNet


def exporter_of(network: UNet, hop: int | None = None) -> Exporter:
    """What `export.exporter.open_run` returns for a trained run, for an untrained network.

    Parameters
    ----------
    network : UNet
        In evaluation mode.
    hop : int, optional
        Samples per step: a multiple of the network's own, which is the default.
    """
    net = network.spec
    graph = dataclasses.replace(from_body(network.body), hop=hop or net.hop)
    spec = described(
        network,
        graph,
        plain_head(network),
        settling_s=0.0,
        conditioning=ConditioningSpec(),
        training={"network": net.to_dict(), "macs_per_hop": graph.macs_per_hop(), "weights": "random"},
        **any_fields(network),
    )
    return Exporter(network, graph, spec)


def noise(n_inputs: int) -> Float32Array:
    """Calibration records for 8 bits, shape (8, 400, n_inputs), in mV."""
    return np.random.default_rng(0).normal(0, 0.3, (8, 400, n_inputs)).astype(np.float32)


def file_of(net: NetSpec, precision: str, folder: Path, hop: int | None = None) -> Path:
    """Write a streaming ONNX file of a shape.

    Parameters
    ----------
    net : NetSpec
        The shape.
    precision : {"fp32", "int8"}
        Of the file.
    folder : Path
        Where to.
    hop : int, optional
        As in `exporter_of`.
    """
    exporter = exporter_of(UNet(net).eval(), hop)
    target = Target("onnx", precision)
    if precision == "int8":
        exporter = exporter.for_eight_bits(noise(net.n_inputs))
    quant = exporter.quantisation
    path = folder / target.file_name(exporter.stem)
    return exporter.write(path, target, exporter.describe(target, quant, {}, {}), quant)
