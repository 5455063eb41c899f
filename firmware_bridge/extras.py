"""The optional packages, once: which extra of the package brings which module, and what it is for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True)
class Extra:
    """One ``pip install "ecg-edge[NAME]"``.

    Attributes
    ----------
    name : str
        As in ``pyproject.toml``.
    modules : tuple of str
        Modules that can be imported once it is installed.
    purpose : str
        What it is for, in a few words.
    """

    name: str
    modules: tuple[str, ...]
    purpose: str


EXTRAS = (
    Extra("web", ("websockets",), "the monitor in the browser"),
    Extra("wfdb", ("wfdb",), "WFDB files compressed with FLAC"),
    Extra("edf", ("edfio",), "writing EDF+ files"),
    Extra("dicom", ("pydicom",), "DICOM ECG files, read and written"),
    Extra("parquet", ("pyarrow",), "parquet tables"),
    Extra("plot", ("matplotlib",), "pages as PNG, and plots"),
    Extra("pandas", ("pandas",), "tables of leads"),
    Extra("cluster", ("distributed",), "a Dask cluster for folders of records"),
    Extra("mqtt", ("paho.mqtt",), "an MQTT broker"),
    Extra("lsl", ("pylsl",), "Lab Streaming Layer"),
    Extra("brainflow", ("brainflow",), "boards that BrainFlow drives"),
    Extra("tflite", ("ai_edge_litert",), "TFLite models"),
    Extra("train", ("torch", "yaml", "lightning_fabric", "tensorboard"), "training"),
    Extra("evaluate", ("neurokit2", "matplotlib"), "evaluating models"),
    Extra("export", ("onnx", "torch", "ai_edge_litert", "flatbuffers"), "exporting models"),
    Extra("export-tf", ("tensorflow",), "the Keras cross-check of an export"),
)
"""The smallest extra that brings a module stands first."""


def needing(extra: str, command: str) -> str:
    """Return a command to be typed next, behind the installation of the extra it needs where that is missing."""
    modules = {m for x in EXTRAS if x.name == extra for m in x.modules}
    return command if all(map(_is_there, modules)) else f'pip install "ecg-edge[{extra}]" && {command}'


def _is_there(module: str) -> bool:
    try:
        return find_spec(module.split(".")[0]) is not None
    except (ImportError, ValueError):  # an importer of somebody else's refuses it
        return False


def extra_of(module: str) -> str | None:
    """Return the extra that brings a module, by the module's first name; None if no extra does."""
    top = module.split(".")[0]
    return next((x.name for x in EXTRAS if top in {m.split(".")[0] for m in x.modules}), None)


_CORE = {"numpy": "numpy", "scipy": "scipy", "onnxruntime": "onnxruntime", "serial": "pyserial"}
"""What nothing works without, by the name it is imported by."""


def broken_package(error: ImportError) -> str | None:
    """Return the package of the core that an import failed in or for; None: it is another's."""
    for module in ((error.name or ""), *reversed([*_modules_of(error)])):
        if package := _CORE.get(module.partition(".")[0]):
            return package
    return None


def _modules_of(error: ImportError) -> Iterator[str]:
    """Modules that were at work, the failing one last."""
    trace = error.__traceback__
    while trace is not None:
        yield str(trace.tb_frame.f_globals.get("__name__", ""))
        trace = trace.tb_next


def why_broken(error: BaseException | None, kinds: tuple[type[BaseException], ...]) -> str:
    """Return why a package that is there cannot be loaded; empty where it is not there."""
    for cause in (error, error.__context__ if error else None):
        if isinstance(cause, kinds) and not isinstance(cause, ModuleNotFoundError):
            return " ".join(f"{type(cause).__name__}: {cause}".split())[:500]
    return ""
