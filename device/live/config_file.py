"""A whole set-up from a TOML file: one or more patches, each with its source, model, patient and sinks.

::

    [defaults]                 # holds for every patch that does not say otherwise
    out = "recordings"
    rotate = "1h"

    [[patch]]
    name = "bed-7"
    source = "/dev/ecg-patch"
    patient = "P7"
    calibration = "P7.calibration"
    monitor = 8765             # port
    mqtt = "mqtt://gateway/ward/bed-7"

    [[patch]]
    name = "bed-8"
    source = "tcp://10.0.0.8:4000"
    as = "ad8232"
    leads = ["I"]
    scale.ch1 = { uv_per_count = 2.4, zero = 2048 }
"""

from __future__ import annotations

import contextlib
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecg_edge.device.live.options import Outlets
from ecg_edge.device.sources.rescaled import Scale
from ecg_edge.firmware_bridge.errors import MissingExtraError, UsageError

_TEXT, _FLAG, _NUMBER, _PORT = "text", "true or false", "a number", "a port"
_KEYS = {
    "source": _TEXT, "as": _TEXT, "model": _TEXT, "fallback": _TEXT, "calibration": _TEXT, "patient": _TEXT,
    "placement": _TEXT, "out": _TEXT, "rotate": _TEXT, "host": _TEXT, "token": _TEXT, "mains": _TEXT,
    "serve": _TEXT, "mqtt": _TEXT, "metrics": _TEXT, "lsl": _FLAG, "reconnect": _FLAG, "fast": _FLAG,
    "gain": _NUMBER, "baud": _NUMBER, "seconds": _NUMBER, "monitor": _PORT,
}  # fmt: skip
_KINDS: dict[str, tuple[type, ...]] = {_TEXT: (str,), _FLAG: (bool,), _NUMBER: (int, float), _PORT: (int,)}
_CHOICES = {"placement": ("same", "again"), "mains": ("50", "60", "off")}


@dataclass(frozen=True)
class PatchConfig:
    """One ``[[patch]]``.

    Attributes
    ----------
    name : str
        For messages; unique.
    settings : dict
        By the names of the file, checked.
    leads : str or None
        Names of the channels.
    scales : dict of str to Scale
        By channel.
    """

    name: str
    settings: dict[str, Any]
    leads: str | None
    scales: dict[str, Scale]

    @property
    def outlets(self) -> Outlets:
        """Sinks beside recorder and monitor."""
        s = self.settings
        metrics = s.get("metrics")
        return Outlets(False, s.get("serve"), s.get("token"), s.get("mqtt"), s.get("lsl", False), metrics)


def read_config(path: Path) -> tuple[PatchConfig, ...]:
    """Read and check a file; all that is wrong is told at once.

    Raises
    ------
    UsageError
        The file is missing or no TOML, or says what makes no sense.
    MissingExtraError
        Python 3.10 without the package tomli.
    """
    tomllib = _toml()
    try:
        doc = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise UsageError(f"cannot read {path}: {e.strerror}", "name a TOML file") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise UsageError(f"{path} is no TOML: {e}", "see docs/design.md for an example") from e
    wrong: list[str] = [f"unknown table {key}" for key in doc if key not in ("defaults", "patch")]
    tables = doc.get("patch")
    if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
        raise UsageError(f"{path} has no [[patch]]", "see docs/design.md for an example")
    defaults = doc.get("defaults", {})
    wrong += _check("defaults", defaults, whole=False)
    found = []
    for k, table in enumerate(tables, 1):
        name = str(table.get("name", f"patch {k}"))
        both = {**defaults, **table}
        wrong += _check(name, table, whole=True, have=both)
        if not any(w.startswith(f"{name}: ") for w in wrong):
            found.append(_patch(name, both))
    names = [p.name for p in found]
    wrong += [f"{name}: named twice" for name in sorted({n for n in names if names.count(n) > 1})]
    for key in ("monitor", "source", "serve", "metrics"):
        used = [p.settings[key] for p in found if p.settings.get(key)]
        wrong += [f"{key} {value} is used twice" for value in sorted({str(u) for u in used if used.count(u) > 1})]
    if wrong:
        raise UsageError(f"{path}: " + "; ".join(wrong), "mend these; docs/design.md has an example")
    return tuple(found)


def _toml() -> Any:
    """The standard library's parser, or the one it came from."""
    for name in ("tomllib", "tomli"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    raise MissingExtraError("tomli", "config")


def _check(name: str, table: Any, whole: bool, have: dict[str, Any] | None = None) -> list[str]:
    if not isinstance(table, dict):
        return [f"{name}: is no table"]
    wrong = []
    for key, value in table.items():
        if key in ("name", "leads", "scale"):
            continue
        if key not in _KEYS:
            wrong.append(f"{name}: unknown setting {key}")
        elif not isinstance(value, _KINDS[_KEYS[key]]) or (isinstance(value, bool) and _KEYS[key] != _FLAG):
            wrong.append(f"{name}: {key} must be {_KEYS[key]}")
        elif key in _CHOICES and value not in _CHOICES[key]:
            wrong.append(f"{name}: {key} must be {' or '.join(_CHOICES[key])}")
    leads = table.get("leads", [])
    if not isinstance(leads, list) or not all(isinstance(x, str) for x in leads):
        wrong.append(f"{name}: leads must be a list of names")
    scale = table.get("scale", {})
    good = isinstance(scale, dict) and all(
        isinstance(s, dict) and set(s) <= {"uv_per_count", "zero"} and "uv_per_count" in s
        and all(isinstance(v, (int, float)) for v in s.values()) and s["uv_per_count"] != 0
        for s in scale.values()
    )  # fmt: skip
    if not good:
        wrong.append(f"{name}: scale must be channel = {{ uv_per_count = …, zero = … }}")
    if whole and not (have or {}).get("source"):
        wrong.append(f"{name}: has no source")
    return wrong


def _patch(name: str, both: dict[str, Any]) -> PatchConfig:
    settings = {k: v for k, v in both.items() if k in _KEYS}
    scales = {k: Scale(float(s["uv_per_count"]), float(s.get("zero", 0))) for k, s in both.get("scale", {}).items()}
    return PatchConfig(name, settings, ",".join(both["leads"]) if both.get("leads") else None, scales)
