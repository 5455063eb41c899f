"""A whole model file in miniature: a streaming ONNX graph with memory, described and sealed."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.inference.load import Model, load_model
from ecg_edge.device.inference.sealed_file import seal
from ecg_edge.device.inference.spec import METADATA_KEY, Head, LeadSubset, ModelSpec, StateSpec
from ecg_edge.device.lead_algebra import BASIS, missing_basis

MEMORY = 12


def tiny_spec(leads=("I", "II"), fs=100, hop=4, lookahead=6, lags=(-3, 2), seed=0, **changes):
    targets = missing_basis(leads)
    n_features = 2 * len(leads)
    n_reg, n_out = n_features + len(leads) * (1 + len(lags)) + 1, len(targets)
    rng = np.random.default_rng(seed)
    head = Head(
        lags=lags,
        mean=rng.normal(0, 0.3, (n_reg, n_out)).astype(np.float32),
        log_scale=rng.normal(0, 0.01, (n_reg, n_out)).astype(np.float32) - 0.3,
        moments=np.eye(n_reg, dtype=np.float32),
        interval_level=0.9,
        interval_factors=np.full(n_out, 1.64, np.float32),
    )
    spec = ModelSpec(
        kind="streaming",
        input_leads=tuple(leads),
        target_leads=targets,
        fs=fs,
        hop=hop,
        lookahead=lookahead,
        receptive_field=MEMORY + 1,
        settling_s=0.2,
        n_features=n_features,
        states=(StateSpec("state_0", (1, len(leads), MEMORY)),),
        head=head,
        conditioning=ConditioningSpec(),
        model_id=hashlib.sha256(repr((leads, seed)).encode()).hexdigest(),
        quantisation={"precision": "fp32"},
        training={"data": "none: made for tests"},
        accuracy={
            "fp32": {
                "set": "a made-up set",
                "records": 7,
                "leads": {lead: {"r": 0.5, "rmse_mv": 0.2} for lead in ("V1", "V2", "V3", "V4", "V5", "V6")},
                "mean": {"r": 0.5, "rmse_mv": 0.2},
            }
        },
    )
    return replace(spec, **changes)


def any_lead_spec(sets=(("I",), ("II", "V3")), lags=(-2,), n_features=3):
    """A description of a model of any leads: eight leads in, eight out."""
    rng = np.random.default_rng(3)
    n_reg = n_features + 8 * (1 + len(lags)) + 1
    subsets = []
    for leads in sets:
        n = n_features + len(leads) * (1 + len(lags)) + 1
        a = rng.normal(size=(n, n)).astype(np.float32)
        factors = rng.uniform(1, 3, 8).astype(np.float32)
        subsets.append(LeadSubset(leads, a + a.T, factors, {"1": rng.normal(size=(len(leads), 7)).astype(np.float32)}))
    base = tiny_spec()
    head = replace(
        base.head,
        lags=lags,
        mean=rng.normal(size=(n_reg, 8)).astype(np.float32),
        log_scale=rng.normal(size=(n_reg, 8)).astype(np.float32),
        moments=np.zeros((0, 0), np.float32),
        interval_factors=np.ones(8, np.float32),
    )
    return replace(
        base, input_leads=BASIS, target_leads=BASIS, any_lead=True, subsets=tuple(subsets),
        n_features=n_features, head=head,
    )  # fmt: skip


def tiny_graph(spec, metadata=None):
    """features = (x, tanh(x MEMORY samples ago)); the state is the last MEMORY samples."""
    n, hop = len(spec.input_leads), spec.hop
    constants = {"zero": [0], "hop": [hop], "all": [MEMORY + hop], "time": [2]}
    nodes = [
        helper.make_node("Concat", ["state_0", "x"], ["both"], axis=2),
        helper.make_node("Slice", ["both", "zero", "hop", "time"], ["old"]),
        helper.make_node("Tanh", ["old"], ["bent"]),
        helper.make_node("Concat", ["x", "bent"], ["features"], axis=1),
        helper.make_node("Slice", ["both", "hop", "all", "time"], ["state_0_out"]),
    ]
    memory = [1, n, MEMORY]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, n, hop]),
            helper.make_tensor_value_info("state_0", TensorProto.FLOAT, memory),
        ],
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 2 * n, hop]),
            helper.make_tensor_value_info("state_0_out", TensorProto.FLOAT, memory),
        ],
        [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.doc_string = "ecg_edge_sha256=" + "0" * 64
    for key, value in (metadata if metadata is not None else {METADATA_KEY: spec.to_json()}).items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def write_tiny(path: Path, spec=None, metadata=None) -> Path:
    path.write_bytes(seal(tiny_graph(spec or tiny_spec(), metadata)))
    return path


def tiny_model(folder: Path, **spec) -> Model:
    return load_model(write_tiny(folder / "tiny.onnx", tiny_spec(**spec)))
