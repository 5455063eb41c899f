"""Which files a run can become."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ecg_edge.device.inference.load import load_model
from ecg_edge.device.inference.shipped import shipped_files
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError

FORMATS = ("onnx", "tflite")


@dataclass(frozen=True)
class Target:
    """One file.

    Attributes
    ----------
    format : {"onnx", "tflite"}
        Container and runtime.
    precision : {"fp32", "fp16", "dynamic", "int8"}
        With ``fp16`` weights have 16 bits and are computed in fp32. With ``dynamic`` weights have 8 bits, and the
        runtime rounds each activation. ``int8`` rounds everything but the first and the last convolution.
    offline : bool
        For whole records from a cold start, without states.
    """

    format: str = "onnx"
    precision: str = "fp32"
    offline: bool = False

    @property
    def label(self) -> str:
        """As a report names it: ``TFLite int8 offline``."""
        name = {"onnx": "ONNX", "tflite": "TFLite"}[self.format]
        return f"{name} {self.precision}" + (" offline" if self.offline else "")

    def file_name(self, stem: str) -> str:
        """``i-ii-int8.onnx``, ``i-ii-int8-offline.tflite``."""
        return f"{stem}-{self.precision}{'-offline' if self.offline else ''}.{self.format}"


def choose(formats: str, int8: bool, fp16: bool, dynamic: bool, offline: bool) -> list[Target]:
    """Targets in the order they are made and proved: fp32 ONNX first, which the others are held against.

    Raises
    ------
    UsageError
        A format that does not exist.
    """
    wanted = [f.strip() for f in formats.split(",") if f.strip()]
    if not wanted or set(wanted) - set(FORMATS):
        raise UsageError(f"unknown format in {formats!r}", f"--format {','.join(FORMATS)}")
    out = []
    for form in [f for f in FORMATS if f in wanted]:
        tflite = form == "tflite"
        kinds = ["fp32", *["fp16"] * (fp16 and tflite), *["dynamic"] * (dynamic and tflite), *["int8"] * int8]
        out += [Target(form, kind, late) for kind in kinds for late in ((False, True) if offline else (False,))]
    return out


def own_name(folder: str) -> str:
    """Name of a run's files: its folder's, and never that of a shipped model."""
    plain = re.sub(r"[^\w.-]+", "-", folder).strip("-.") or "model"
    return f"{plain}-own" if is_shipped(plain) else plain


def is_shipped(name: str) -> bool:
    """Whether a shipped model has this name, in any precision."""
    return any(p.stem.rpartition("-")[0] == name.lower() for p in shipped_files())


def refuse_strangers(out: Path, stem: str, model_id: str) -> None:
    """Refuse a folder whose files of this name were made from another run, or were not made by an export.

    Raises
    ------
    UsageError
        There is such a file.
    """
    kinds = [Target(f, p, late) for f in FORMATS for p in ("fp32", "fp16", "dynamic", "int8") for late in (False, True)]
    for path in (out / kind.file_name(stem) for kind in kinds):
        if path.exists() and _model_id(path) != model_id:
            raise UsageError(f"{path} was made from another run", "choose another --out or --name, or say --force")


def _model_id(path: Path) -> str:
    """Of a file; empty where it is none of ours."""
    try:
        return load_model(path).spec.model_id
    except EcgEdgeError:
        return ""
