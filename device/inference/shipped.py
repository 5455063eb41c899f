"""Which model fits which leads."""

from __future__ import annotations

import contextlib
import faulthandler
import os
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from ecg_edge.device.lead_algebra import BASIS, independent, known_leads, missing_basis
from ecg_edge.firmware_bridge.errors import (
    LeadMismatchError,
    ModelFileError,
)
from ecg_edge.firmware_bridge.lead_names import LEADS, known_channels
from ecg_edge.firmware_bridge.near_names import near_names

_LISTED = "ecg-edge info lists the shipped models"
_SUFFIXES = {".onnx": ("onnxruntime",), ".tflite": ("ai_edge_litert", "tflite_runtime")}


def shipped_files() -> list[Path]:
    """Return every model file of the package."""
    folder = Path(__file__).resolve().parents[1] / "models"
    return sorted(p for p in folder.iterdir() if p.suffix in _SUFFIXES) if folder.is_dir() else []


def shipped_models() -> dict[str, Path]:
    """Return the models that come with the package, by name, in the format this machine can run.

    Where both runtimes are installed ONNX is taken: onnxruntime is the one of the core. Where it cannot be loaded, or
    ``ECG_EDGE_RUNTIME=litert`` is in the environment, LiteRT is.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> "i-ii-int8" in ee.shipped_models()
    True
    """
    wanted = sorted(_SUFFIXES, key=lambda s: os.environ.get("ECG_EDGE_RUNTIME") == "litert" and s != ".tflite")
    order = [s for s in wanted if any(map(_installed, _SUFFIXES[s]))] or wanted
    if len(order) > 1 and not any(map(_loads, _SUFFIXES[order[0]])):
        order.reverse()
    files = [p for p in shipped_files() if p.suffix in order]
    files.sort(key=lambda p: order.index(p.suffix), reverse=True)
    return dict(sorted({p.stem: p for p in files}.items()))


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


@cache
def _loads(module: str) -> bool:
    try:
        import_runtime(module)
    except (Exception, SystemExit):  # noqa: BLE001 -- a broken installation raises whatever it likes
        return False
    return True


_LAST_WORDS = "onnxruntime cannot run on this processor: use LiteRT, by ECG_EDGE_RUNTIME=litert"


def import_runtime(module: str) -> None:
    """Import a runtime; one that kills the process, as one for another processor, leaves a sentence behind.

    A signal leaves no time for Python: the words stand where the dump of `faulthandler` shows the name of a file.
    """
    if faulthandler.is_enabled() or module != "onnxruntime":
        import_module(module)
        return
    with contextlib.suppress(OSError, ValueError):  # standard error may be closed
        faulthandler.enable(2, all_threads=False)
    try:
        exec(compile("load('onnxruntime')", _LAST_WORDS, "exec"), {"load": import_module})  # noqa: S102
    finally:
        faulthandler.disable()


def resolve(path: Path | str) -> Path:
    """Turn the name of a shipped model (``i-ii-int8`` or ``i-ii-int8.tflite``), or a path, into a path.

    In a name, case, ``_`` and ``-`` do not matter; a file that is called so is taken first.
    """
    shipped = {p.name: p for p in shipped_files()} | shipped_models()
    if found := shipped.get(str(path)):
        return found
    file = Path(path)
    return file if file.exists() else shipped.get(str(path).strip().lower().replace("_", "-"), file)


def near_models(path: Path) -> str:
    """Return how to name the shipped models that a name may have meant, or how to list them all."""
    known, key = shipped_models(), str(path).lower().replace("_", "-")
    near = sorted((name for name in known if name.startswith(f"{key}-")), key=len)[:3] or near_names(key, known, ())
    named = near and path.name == str(path)
    return f"name one of: {', '.join(near)}; ecg-edge info lists all" if named else _LISTED


def default_model(leads: tuple[str, ...]) -> Path:
    """Return the shipped model's file for a source: the one that uses most leads; int8 before fp32.

    Leads that follow exactly from measured ones count: II and III give I.

    Raises
    ------
    ModelFileError
        No model is shipped with this build, or one is damaged.
    LeadMismatchError
        None fits the source's leads.
    """
    shipped = shipped_models()
    if not shipped:
        raise ModelFileError("this build contains no model", "name a model file: model=FILE (--model FILE)")
    # An any-lead model comes after one made for the very leads.
    # Names say leads and precision, so that only the chosen file has to be opened.
    placed = known_channels(leads)
    known = set(known_leads(placed)[0])
    reads = {name: n for name in shipped if (n := _read_of(name, known, placed))}
    if not reads:
        fix = _LISTED
        if not placed:
            fix = PLACES_FIX
        elif set(placed) - set(LEADS):
            fix = "name an any-electrode model: --model FILE, or train one: ecg-edge train --leads any-electrode"
        raise LeadMismatchError(f"no shipped model for {', '.join(leads)}", fix)
    best = max(reads, key=lambda name: (reads[name], name[:4] != "any-", name.endswith("-int8"), name))
    return shipped[best]


PLACES_FIX = (
    "name where each channel sits: --leads RA-V5,RA-V2 (the positive electrode last), or --leads I,II for leads. "
    "- skips one: --leads -,I. "
    "Or find the place: ecg-edge calibrate --patch RECORD --reference RECORD"
)
"""Two ways out for channels whose place is not known."""


def _read_of(name: str, known: set[str], placed: tuple[str, ...]) -> int:
    """How many independent channels a shipped model reads of what is known; 0: it does not fit."""
    if name.startswith(ANY_ELECTRODE):
        n = len(independent(placed))
        return n if n < len(BASIS) and missing_basis(placed) else 0
    if name.startswith("any-"):
        n = len(known & set(BASIS))
        return n if n < len(BASIS) else 0
    own = {lead for lead in LEADS if lead.upper() in name.upper().split("-")[:-1]}
    return len(own) if own <= known else 0


ANY_ELECTRODE = "any-electrode-"
"""How the names of models for channels between any electrodes begin."""
