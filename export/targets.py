"""Which files a run can become."""

from __future__ import annotations

from dataclasses import dataclass

from ecg_edge.firmware_bridge.errors import UsageError

FORMATS = ("onnx", "tflite")


@dataclass(frozen=True)
class Target:
    """One file.

    Attributes
    ----------
    format : {"onnx", "tflite"}
        Container and runtime.
    precision : {"fp32", "fp16", "dynamic", "int8"}
        fp16: weights of 16 bits, computed in fp32. dynamic: int8 weights, activations rounded by
        the runtime as they come. int8: everything but the first and the last convolution.
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
