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
from pathlib import Path
from typing import Any

from ecg_edge.device.live.options import Options, settings
from ecg_edge.firmware_bridge.errors import MissingExtraError, UsageError

_TOP = ("defaults", "patch", "workers", "spare", "control", "ward")
_EXAMPLE = "docs/settings.md has an example"
_SETTINGS = {about.key: (field, about) for field, about, _ in settings() if about.key}


def read_config(path: Path) -> tuple[Options, ...]:
    """Read and check a file; one error reports all of its mistakes.

    Returns
    -------
    tuple of Options
        One per ``[[patch]]``; their names differ.

    Raises
    ------
    UsageError
        The file is missing, is no TOML, or has settings that make no sense.
    MissingExtraError
        Python 3.10 without the package tomli.
    """
    return read_patches(load_toml(path), path)


def read_patches(doc: dict[str, Any], path: Path, wrong: list[str] | None = None) -> tuple[Options, ...]:
    """Check a document that `load_toml` returned, as `read_config` does.

    Parameters
    ----------
    doc : dict
        Of a gateway with an address of its own (``[ward]``) it may describe no patch yet.
    path : Path
        For messages.
    wrong : list of str, optional
        What else is wrong with the file, for the same message.

    Raises
    ------
    UsageError
        It has settings that make no sense.
    """
    wrong = [f"unknown table {key}" for key in doc if key not in _TOP] + (wrong or [])
    tables = doc.get("patch", [] if "ward" in doc else None)
    if not isinstance(tables, list) or not (tables or "ward" in doc) or not all(isinstance(t, dict) for t in tables):
        raise UsageError(f"{path} has no [[patch]]", _EXAMPLE)
    defaults = doc.get("defaults", {})
    faults = _check("defaults", defaults)
    wrong += faults
    defaults = {} if faults else defaults
    found: list[dict[str, Any]] = []
    for k, table in enumerate(tables, 1):
        name = str(table.get("name", f"patch {k}"))
        both = {**defaults, **table, "name": name}
        mine = _check(name, table) + ([] if both.get("source") else [f"{name}: has no source"])
        mine = mine or _limits(name, both)
        wrong += mine
        found += [] if mine else [both]
    wrong += _shared(found)
    if wrong:
        raise UsageError(f"{path}: " + "; ".join(wrong), f"mend these; {_EXAMPLE}")
    return tuple(_options(both) for both in found)


def load_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    UsageError
        The file is missing, or is no TOML.
    MissingExtraError
        Python 3.10 without the package tomli.
    """
    tomllib = _toml()
    try:
        doc: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise UsageError(f"cannot read {path}: {e.strerror}", "name a TOML file") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise UsageError(f"{path} is no TOML: {e}", _EXAMPLE) from e
    except RecursionError as e:
        raise UsageError(f"{path} is no TOML: nested too deep", _EXAMPLE) from e
    return doc


def parse_value(text: str) -> Any:
    """Return the value of a word as TOML has it; text that is none stands for itself: a number, a list, a name."""
    tomllib = _toml()
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _toml() -> Any:
    """The standard library's parser, or the one it came from."""
    for name in ("tomllib", "tomli"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    raise MissingExtraError("tomli", "config")


def _check(name: str, table: Any) -> list[str]:
    """What is wrong with the settings of one table."""
    if not isinstance(table, dict):
        return [f"{name}: is no table"]
    wrong = []
    for key, value in table.items():
        if key not in _SETTINGS:
            wrong.append(f"{name}: unknown setting {key}")
            continue
        _, about = _SETTINGS[key]
        if not about.kind.accepts(value) or (about.choices and value not in about.choices):
            wrong.append(f"{name}: {key} must be {about.must_be}")
    return wrong


def _limits(name: str, both: dict[str, Any]) -> list[str]:
    low, high = both.get("rate-low"), both.get("rate-high")
    return [f"{name}: rate-low must be below rate-high"] if low is not None and high is not None and low >= high else []


def _shared(found: list[dict[str, Any]]) -> list[str]:
    """What two patches have in common and must not."""
    names = [both["name"] for both in found]
    wrong = [f"{name}: named twice" for name in sorted({n for n in names if names.count(n) > 1})]
    for key, (_, about) in _SETTINGS.items():
        users: dict[Any, list[str]] = {}
        for both in found if about.unique else []:
            for value in _places(both, key):
                users.setdefault(about.identity(value), []).append(str(both["name"]))
        wrong += [f"{key} {v} is used twice, by {' and '.join(who)}" for v, who in users.items() if len(who) > 1]
    return wrong


def _places(both: dict[str, Any], key: str) -> list[Any]:
    """Values of a setting, those given as a sink included."""
    words = [word.partition(":") for word in both.get("sinks", ())]
    own = both.get(key)
    return [own] * bool(own) + [argument for name, _, argument in words if name == key]


def _options(both: dict[str, Any]) -> Options:
    given: dict[str, Any] = {}
    for key, value in both.items():
        field, about = _SETTINGS[key]
        given[field] = about.kind.read(value)
        if about.implies:
            given[about.implies] = True
    return Options(**given)
