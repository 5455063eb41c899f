"""Arrays in files: our own ``.npz`` (verb ``decode``) and parquet tables; MATLAB's ``.mat`` without a WFDB header."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import NOT_LOADABLE, MissingExtraError, RateUnknownError, RecordingError
from ecg_edge.firmware_bridge.recordings.recording import MAX_SIGNALS, Person, Recording, Signal
from ecg_edge.firmware_bridge.recordings.text import rate, rate_of
from ecg_edge.firmware_bridge.recordings.values.sentinels import mark_missing
from ecg_edge.firmware_bridge.recordings.values.silent_units import is_no_voltage, names_lead, silent_unit

_MAX_BYTES = 2_000_000_000
_MAX_ROWS = 500_000_000
_SAMPLES = ("mv", "ecg", "val", "signal", "signals", "data", "x", "p_signal", "sig")
_RATES = ("fs", "Fs", "FS", "freq", "frequency", "sampling_rate", "samplingrate", "sample_rate", "srate")
_NAMES = ("leads", "lead", "labels", "label", "channels", "names", "sig_name", "lead_names")
_UNITS = ("unit", "units")


def open_npz(path: Path, fs: Fraction | None = None) -> Recording:
    """Open a file of numpy arrays: ``mv`` of shape (n_samples, n_leads), ``fs``, ``leads``; ``index`` for gaps.

    Raises
    ------
    RecordingError
        It holds no such arrays, or is damaged.
    RateUnknownError
        It states no rate, and `fs` is None.
    """
    _check_size(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files if name != "counts"}
    except Exception as e:  # zip, zlib, header and pickle errors of many kinds
        raise _damaged(path, e) from e
    return _recording(path, "npz", arrays, fs, "mV" if "mv" in arrays else "")


def open_parquet(path: Path) -> Recording:
    """Open a table that `write_parquet` wrote (extra `parquet`).

    Raises
    ------
    MissingExtraError
        The package pyarrow is not installed.
    RecordingError
        It is not one of ours, or is damaged.
    """
    try:
        from pyarrow import parquet
    except NOT_LOADABLE as e:
        raise MissingExtraError("pyarrow", "parquet") from e
    _check_size(path)
    try:
        table = parquet.read_table(path)
        about = json.loads((table.schema.metadata or {}).get(b"ecg-edge", b"null"))
        if not about:
            raise RecordingError(f"{path} is no parquet table of ecg-edge", "write it as CSV: a column per lead")
        fields = [table.schema.field(k) for k in range(table.num_columns)]
        kept = [(k, f) for k, f in enumerate(fields) if f.name != "time"]
        values = np.stack([np.asarray(table.column(k).to_numpy(), np.float64) for k, _ in kept], axis=1)
        values, missing = mark_missing(values, [f.name for _, f in kept])
        fs = Fraction(float(about["fs"])).limit_denominator(10**6)
        first = float(table.column("time")[0].as_py())
        birth, started = about["birth"], about["started"]
        facts = [{k.decode(): v.decode() for k, v in (f.metadata or {}).items()} for _, f in kept]
        signals = tuple(
            Signal(f.name, fact.get("unit", ""), fs, len(values), provenance=fact.get("provenance", ""))
            for (_, f), fact in zip(kept, facts, strict=True)
        )
        notes = tuple((Fraction(at - first).limit_denominator(10**6), text) for at, text in about["notes"])
        return Recording(
            path.stem, "parquet", signals, lambda columns, start, stop: values[start:stop, list(columns)].copy(),
            datetime.fromisoformat(started) + timedelta(seconds=first) if started else None,
            Person(about["patient"], about["name"], about["sex"], date.fromisoformat(birth) if birth else None,
                   about["age"]),
            tuple(about["comments"]), notes, tuple(missing),
        )  # fmt: skip
    except RecordingError:
        raise
    except Exception as e:  # what pyarrow and damaged metadata raise, of many kinds
        raise _damaged(path, e) from e


def open_mat(path: Path, fs: Fraction | None = None) -> Recording:
    """Open a MATLAB file (up to version 7): samples under one of the usual names, and a rate.

    Raises
    ------
    RecordingError
        It holds no array of samples, or is damaged, or is of version 7.3.
    RateUnknownError
        It states no rate, and `fs` is None.
    """
    from scipy.io import loadmat

    _check_size(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            arrays = loadmat(path, squeeze_me=False)
    except NotImplementedError as e:
        raise RecordingError(f"{path} is a MATLAB file of version 7.3", "save it with -v7") from e
    except Exception as e:  # a stranger's bytes make scipy raise whatever they meet
        raise _damaged(path, e) from e
    found = {k: np.asarray(v) for k, v in arrays.items() if not k.startswith("_")}
    return _recording(path, "MATLAB", _fields(found) | found, fs, "")


def _fields(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """What lies in structures (``ECG.data`` of CPSC2018), by the names of their fields."""
    structures = [x for x in arrays.values() if x.dtype.names and x.size == 1]
    return {name: np.asarray(x.ravel()[0][name]) for x in structures for name in x.dtype.names or ()}


def _check_size(path: Path) -> None:
    if path.stat().st_size > _MAX_BYTES:
        raise RecordingError(f"{path} is larger than {_MAX_BYTES // 10**9} GB", "cut out the part that is of interest")


def _damaged(path: Path, e: Exception) -> RecordingError:
    reason = str(e).split("\n")[0][:120] or type(e).__name__
    return RecordingError(f"cannot read {path}: {reason}", "fetch the file again, or write it anew")


def _recording(path: Path, kind: str, arrays: Mapping[str, Any], asked: Fraction | None, unit: str) -> Recording:
    name, x = _samples(path, arrays)
    labels = _words(arrays, _NAMES)
    if x.shape[0] < x.shape[1] and (not labels or len(labels) == x.shape[0]):
        x = x.T
    if x.shape[1] > MAX_SIGNALS:
        raise RecordingError(f"{path}: {name} has {x.shape[1]} columns", "store a column per lead")
    if labels and len(labels) != x.shape[1]:
        raise RecordingError(f"{path} names {len(labels)} leads, {name} has {x.shape[1]} columns", "name every column")
    x = _placed(path, arrays, x)
    fs = asked or _rate(path, arrays)
    names = labels or [f"signal {k + 1}" for k in range(x.shape[1])]
    said = _words(arrays, _UNITS)
    units = said or ["" if is_no_voltage(label) else unit for label in names]  # of an array mv, whatever lies in it
    beside = any(names_lead(label) for label in names)
    x, missing = mark_missing(np.asarray(x, np.float64), names)
    signals = tuple(
        _signal(label, units[k % len(units)] or ("" if is_no_voltage(label) else unit), fs, x[:, k], beside)
        for k, label in enumerate(names)
    )

    def read(columns: Sequence[int], a: int, b: int) -> FloatArray:
        return x[a:b][:, list(columns)].astype(np.float64)

    remarks = [*missing, *([] if labels else ["the file names no leads: give --leads"])]
    return Recording(path.stem, kind, signals, read, remarks=tuple(remarks))


def _samples(path: Path, arrays: Mapping[str, Any]) -> tuple[str, np.ndarray[Any, Any]]:
    """The array of samples, shape (n, m): by a usual name, else the largest."""
    fit = {k: v for k, v in arrays.items() if v.dtype.kind in "fiu" and v.ndim in (1, 2) and v.size > 1}
    fit.pop("index", None)
    named = [k for usual in _SAMPLES for k in fit if k.lower() == usual]
    key = named[0] if named else max(fit, key=lambda k: fit[k].size, default=None)
    if key is None:
        raise RecordingError(f"{path} holds no array of samples", "store them as mv, shape (n_samples, n_leads)")
    x = fit[key]
    return key, x[:, None] if x.ndim == 1 else x


def _placed(path: Path, arrays: Mapping[str, Any], x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Rows at their index; NaN where rows are missing, and where `valid` says so."""
    valid = arrays.get("valid")
    if valid is not None and valid.shape == x.shape and valid.dtype == np.bool_:
        x = np.where(valid, x, np.nan)
    index = arrays.get("index")
    if index is None or index.dtype.kind not in "iu" or index.shape != (len(x),) or not len(x):
        return x
    at = index.astype(np.int64) - int(index[0])
    if (np.diff(at) <= 0).any() or at[-1] >= _MAX_ROWS:
        raise RecordingError(f"{path}: index does not rise, or leaps", "restore the index of the rows")
    out = np.full((int(at[-1]) + 1, x.shape[1]), np.nan)
    out[at] = x
    return out


def _rate(path: Path, arrays: Mapping[str, Any]) -> Fraction:
    for name in _RATES:
        value = arrays.get(name)
        if value is not None and value.size == 1:
            found = rate(str(value.ravel()[0]))
            if found:
                return rate_of(float(found))
    raise RateUnknownError(
        f"{path} does not state its rate", "give fs=HZ (--fs; reconstruct: --in-fs), or store fs beside the samples"
    )


def _words(arrays: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """A list of words under one of some names, however MATLAB or numpy hold it."""
    for name, value in arrays.items():
        if name.lower() in names and value.dtype.kind in "USO":
            flat = [np.asarray(v).ravel() for v in value.ravel()]
            return [str(v[0]).strip() if v.size else "" for v in flat]
    return []


def _signal(label: str, unit: str, fs: Fraction, x: FloatArray, beside_leads: bool) -> Signal:
    if unit:
        return Signal(label, unit, fs, len(x))
    unit, note = silent_unit(label, x, beside_leads)
    return Signal(label, unit, fs, len(x), note=note)
