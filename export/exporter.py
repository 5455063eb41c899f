"""From a finished training run to model files, each proved before it gets its name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ecg_edge.device.inference.sealed_file import seal
from ecg_edge.device.inference.spec import Head, ModelSpec
from ecg_edge.export import onnx_writer
from ecg_edge.export.eight_bits.equalise import Ready, ready
from ecg_edge.export.eight_bits.qat import Tuned, tune
from ecg_edge.export.eight_bits.quantise import Quantisation
from ecg_edge.export.graph import FEATURES, Graph, from_body
from ecg_edge.export.targets import Target, own_name
from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.firmware_bridge.errors import MissingExtraError
from ecg_edge.train.head.model_head import read_head
from ecg_edge.train.network.unet import UNet
from ecg_edge.train.runs import checkpoints
from ecg_edge.train.runs.run_folder import RunFolder


@dataclass(frozen=True)
class Exporter:
    """Everything that the files of one run share.

    Attributes
    ----------
    network : UNet
        In torch, in evaluation mode: the reference.
    graph : Graph
        The folded body.
    spec : ModelSpec
        Of the fp32 file; the others differ in states and quantisation.
    eight : Ready or None
        The body that int8 files are written from: the same function, its channels brought to one range.
    tuned : Tuned or None
        That body fine-tuned for 8 bits; int8 files are then written from it.
    stem : str
        File name without precision and suffix: the run's own name.
    """

    network: UNet
    graph: Graph
    spec: ModelSpec
    eight: Ready | None = None
    tuned: Tuned | None = None
    stem: str = "model"

    def for_eight_bits(self, x: Float32Array) -> Exporter:
        """Return the same with a body for int8 files.

        Parameters
        ----------
        x : ndarray of float32, shape (n_records, n_samples, n_inputs)
            Calibration records.
        """
        return dataclasses.replace(self, eight=ready(self.graph, x, self._reader, frozenset({"enc0", FEATURES})))

    @property
    def quantisation(self) -> Quantisation | None:
        """The parameters of int8 files; None before `for_eight_bits`."""
        made = self.tuned or self.eight
        return made.quantisation if made else None

    def fine_tuned(self, quant: Quantisation, x: Float32Array) -> Exporter:
        """Return the same with that body fine-tuned for 8 bits on calibration records."""
        assert self.eight is not None
        return dataclasses.replace(self, tuned=tune(self.eight.graph, quant, x, self._reader))

    @property
    def _reader(self) -> Float32Array:
        """The part of the head that reads the features."""
        return self.spec.head.mean[: self.spec.n_features]

    def body(self, target: Target) -> Graph:
        """The graph a file is written from."""
        if target.precision != "int8":
            return self.graph
        assert self.eight is not None
        return (self.tuned or self.eight).graph

    def describe(
        self,
        target: Target,
        quant: Quantisation | None,
        calibration: dict[str, Any],
        accuracy: dict[str, Any],
        self_test: dict[str, Any] | None = None,
    ) -> ModelSpec:
        """Return the description for one file.

        `calibration` says what `quant` was chosen from, `self_test` what the file answered to
        `device.verification.model_checks.stimulus`.
        """
        how: dict[str, Any] = {"precision": target.precision, "format": target.format}
        if self_test is not None:
            how["self_test"] = self_test
        if target.precision == "int8":
            assert quant is not None
            how |= {
                "activations": "8 bits per tensor, minimum and maximum merged over the calibration records",
                "channels": "brought to one range per tensor",
                "weights": "int8, symmetric, per output channel",
                "float_convolutions": sorted(quant.float_convs),
                "calibration": calibration,
            }
            if self.tuned:
                how["fine_tuning"] = {
                    "steps": self.tuned.steps,
                    "target": "the float network's own output",
                    "rms_from_float_uv": {"before": self.tuned.before_uv, "after": self.tuned.after_uv},
                }
        writer = onnx_writer if target.format == "onnx" else _tflite()
        used = quant if target.precision == "int8" else None
        states = () if target.offline else writer.state_specs(self.body(target), used)
        kind = "offline" if target.offline else "streaming"
        return dataclasses.replace(self.spec, kind=kind, states=states, quantisation=how, accuracy=accuracy)

    def write(
        self, path: Path, target: Target, spec: ModelSpec, quant: Quantisation | None = None, n_samples: int = 1000
    ) -> Path:
        """Write a sealed file.

        Parameters
        ----------
        path : Path
            Where to.
        target : Target
            What to write.
        spec : ModelSpec
            As `describe` makes it.
        quant : Quantisation, optional
            Needed for int8.
        n_samples : int
            Length of the records an offline TFLite file takes (its sizes are fixed); rounded down to hops.
        """
        used = quant if target.precision == "int8" else None
        if target.format == "onnx":
            blob = onnx_writer.write(self.body(target), spec, used, not target.offline)
        else:
            length = n_samples // self.spec.hop * self.spec.hop if target.offline else None
            weights = "fp32" if target.precision == "int8" else target.precision
            blob = _tflite().write(self.body(target), spec, used, weights, length)
        path.write_bytes(seal(blob))
        return path


def _tflite() -> ModuleType:
    """The TFLite writer, which needs the runtime's schema."""
    try:
        from ecg_edge.export import tflite_writer
    except ImportError as e:
        raise MissingExtraError(e.name or "ai-edge-litert", "export") from None
    return tflite_writer


def open_run(run: RunFolder, name: str = "") -> Exporter:
    """Load a finished run.

    Parameters
    ----------
    run : RunFolder
        The run.
    name : str
        Of the files; the folder's own unless given.

    Raises
    ------
    CheckpointError
        Not a run, not finished, or damaged.
    """
    config = run.read_config()
    network = checkpoints.load_network(run.path)
    head, measured = read_head(network, run.calibration_file)
    graph = from_body(network.body)
    history = run.history()
    best = min(history, key=lambda row: row["mean"]["rmse_mv"]) if history else {}
    spec = described(
        network,
        graph,
        head,
        conditioning=run.conditioning(),
        training={
            "dataset": config["dataset"],
            "records": config["records"],
            "excluded": len(config["excluded"]),
            "epochs": best.get("epoch"),
            "settings": config["train"],
            "network": config["net"],
            "parameters": network.n_parameters(),
            "macs_per_hop": graph.macs_per_hop(),
            "commit": config["commit"],
            "packages": config["packages"],
            **({"teachers": [Path(t).name for t in config["teachers"]]} if config.get("teachers") else {}),
        },
        **measured,
    )
    return Exporter(network, graph, spec, stem=name or own_name(run.path.resolve().name))


def described(network: UNet, graph: Graph, head: Head, **more: Any) -> ModelSpec:
    """Return the description of a network's streaming float file.

    Parameters
    ----------
    network : UNet
        In evaluation mode.
    graph : Graph
        Folded from its body; its hop counts.
    head : Head
        Of the file.
    **more
        The description's fields that the network does not state.
    """
    net = network.spec
    return ModelSpec(
        kind="streaming",
        input_leads=net.input_leads,
        target_leads=net.target_leads,
        fs=net.fs,
        hop=graph.hop,
        lookahead=net.lookahead,
        receptive_field=network.body.receptive_field(),
        n_features=net.n_features,
        states=onnx_writer.state_specs(graph, None),
        head=head,
        model_id=graph.digest(head.mean, head.log_scale),
        **more,
    )
