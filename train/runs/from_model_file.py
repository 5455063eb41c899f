"""A network to train on from a model file: what ships can be fine-tuned without the run that made it.

The file holds folded convolutions, in 8 bits or float. Their weights go into convolutions with batch norms that
change nothing. `settle_norms` then gives each norm the moments it would have learnt. Training so starts from what the
file computes, not from what a fresh normalisation makes of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ecg_edge.device.inference.head import layout_of
from ecg_edge.device.inference.load import read_spec
from ecg_edge.device.inference.sealed_file import check_seal, read_model_bytes
from ecg_edge.device.inference.shipped import resolve
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.firmware_bridge.errors import MissingExtraError, ModelFileError
from ecg_edge.train.network.unet import CausalConv, NetSpec, UNet


def load_file(file: Path | str) -> UNet:
    """Rebuild the network of a streaming ONNX file, in evaluation mode.

    Parameters
    ----------
    file : Path or str
        A file, or the name of a shipped model.

    Returns
    -------
    UNet
        Computes what the file does, but for the rounding of 8-bit activations.

    Raises
    ------
    ModelFileError
        Not a streaming ONNX file of this package.
    MissingExtraError
        onnx is not installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
        from onnx import numpy_helper
    except ImportError:
        raise MissingExtraError("onnx", "export") from None
    path = resolve(file)
    blob = read_model_bytes(path)
    check_seal(blob, path)
    try:
        proto = onnx.load_from_string(blob)
    except DecodeError as e:
        raise ModelFileError(f"{path} is not an ONNX file: {e}", "training goes on from .onnx files") from e
    spec = read_spec({p.key: p.value for p in proto.metadata_props}, path)
    constants = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    dilations = {
        n.input[1].removesuffix("_f").removesuffix("_w"): onnx.helper.get_node_attr_value(n, "dilations")[0]
        for n in proto.graph.node
        if n.op_type == "Conv"
    }
    try:
        model = UNet(_geometry(spec, constants, dilations))
        _fill(model, spec, constants)
    except (KeyError, IndexError, ValueError, RuntimeError) as e:
        raise ModelFileError(f"{path} is of another design: {e!r}", "start from a model that this build made") from e
    return model.eval()


def _geometry(spec: ModelSpec, constants: dict[str, Any], dilations: dict[str, int]) -> NetSpec:
    """The settings that give a network of the file's shapes."""
    if spec.kind != "streaming" or not spec.head.lags:
        raise ValueError("not a streaming file")
    encoder = [constants[f"enc{k}_w"].shape for k in range(spec.hop.bit_length())]
    blocks = range(sum(name.startswith("mid") and name.endswith("conv_w") for name in constants))
    net = NetSpec(
        spec.input_leads,
        spec.fs,
        spec.lookahead,
        tuple(shape[0] for shape in encoder),
        tuple(shape[2] for shape in encoder),
        tuple(int(dilations[f"mid{k}_conv"]) for k in blocks),
        constants["features_w"].shape[2],
        spec.n_features,
        -min(spec.head.lags),
        spec.any_lead,
        spec.any_electrode,
    )
    if net.hop != spec.hop:
        raise ValueError(f"{len(encoder)} levels do not make a hop of {spec.hop}")
    return net


def _float_weight(name: str, constants: dict[str, Any]) -> Float32Array:
    """Weights of shape (out, in, tap), out of 8 bits where they are."""
    w = np.array(constants[f"{name}_w"], np.float32)  # a copy: torch wants to be able to write
    scale = constants.get(f"{name}_w_scale")
    return w if scale is None else w * np.asarray(scale, np.float32)[:, None, None]


def _float_bias(name: str, constants: dict[str, Any]) -> Float32Array:
    b = np.array(constants[f"{name}_b"], np.float32)
    return b * np.asarray(constants[f"{name}_b_scale"], np.float32) if f"{name}_b_scale" in constants else b


def _named(model: UNet) -> dict[str, CausalConv]:
    """Each convolution by its name in the file."""
    body = model.body
    found = {f"enc{k}": m for k, m in enumerate(body.encoder)}
    found |= {f"mid{k}_conv": m for k, m in enumerate(body.bottleneck)}
    found |= {
        "features" if level == 0 else f"dec{level}": m for level, m in zip(body.levels, body.decoder, strict=True)
    }
    return found  # type: ignore[return-value]


@torch.no_grad()
def _fill(model: UNet, spec: ModelSpec, constants: dict[str, Any]) -> None:
    for name, conv in _named(model).items():
        norm = conv.norm
        assert norm.running_mean is not None and norm.running_var is not None
        conv.conv.weight.copy_(torch.from_numpy(_float_weight(name, constants))[:, :, None])
        norm.bias.copy_(torch.from_numpy(_float_bias(name, constants)))
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
    _fill_head(model, spec)
    if spec.any_electrode:
        model.get_buffer("covariance").copy_(torch.from_numpy(spec.covariance))


def _fill_head(model: UNet, spec: ModelSpec) -> None:
    """The inverse of `head.design.head_weights`."""
    head, n, layout = spec.head, spec.n_features, layout_of(spec)
    taps = model.mean_taps.weight
    taps.zero_()
    for k, lag in enumerate(layout.taps):
        taps[:, :, 0, model.spec.taps_before + lag] = torch.from_numpy(head.mean[layout.tap(k)].T.copy())
    for conv, weights in ((model.mean_features, head.mean), (model.scale_features, head.log_scale)):
        assert conv.bias is not None
        conv.weight[:, :, 0, 0] = torch.from_numpy(weights[:n].T.copy())
        conv.bias.copy_(torch.from_numpy(weights[-1].copy()))


@torch.no_grad()
def settle_norms(model: UNet, x: torch.Tensor) -> None:
    """Give every batch norm the moments of what it normalises, with what leaves it unchanged.

    Parameters
    ----------
    model : UNet
        As `load_file` returns it.
    x : Tensor of shape (batch, n_inputs, time)
        Inputs like those of training.
    """
    hooks, seen = [], dict[CausalConv, tuple[torch.Tensor, torch.Tensor]]()

    def look(conv: CausalConv) -> Any:
        def hook(_: Any, given: tuple[torch.Tensor, ...]) -> None:
            var, mean = torch.var_mean(given[0].double(), dim=(0, 2, 3))
            seen[conv] = var.float(), mean.float()

        return hook

    for conv in _named(model).values():
        hooks.append(conv.norm.register_forward_pre_hook(look(conv)))
    model.eval()(x)
    for hook in hooks:
        hook.remove()
    for conv, (var, mean) in seen.items():
        norm = conv.norm
        assert norm.running_mean is not None and norm.running_var is not None
        before = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        norm.bias.add_(before * (mean - norm.running_mean))
        norm.weight.copy_(before * torch.sqrt(var + norm.eps))
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(var)
