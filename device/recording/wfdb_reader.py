"""A stored WFDB record as a source."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.errors import MissingExtraError, RecordingError, UsageError
from ecg_edge.firmware_bridge.events import Channel, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.lead_names import lead_name

_FRAME_S = 0.02
_READ_S = 60
_MV_PER = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "v": 1e3, "": 1.0}


class _Record(Protocol):
    """The part of wfdb's record that is used here."""

    n_sig: int
    fs: float
    sig_len: int
    sig_name: list[str]
    units: list[str]
    adc_gain: list[float]
    baseline: list[int]
    adc_res: list[int]
    p_signal: npt.NDArray[np.float64]


def read_record(path: str) -> tuple[StreamInfo, Iterator[SampleBlock]]:
    """Describe a record and read it piece by piece, so that a day of signal need not fit into memory.

    Parameters
    ----------
    path : str
        With or without ``.hea``.

    Returns
    -------
    info : StreamInfo
        Channels named by lead where the record does (``AVR``, ``MLII`` and ``I (measured)`` are understood).
    blocks : iterator of SampleBlock
        Samples that read as NaN are marked invalid. Errors while reading are raised here too.

    Raises
    ------
    MissingExtraError
        The package wfdb is not installed.
    RecordingError
        The record is missing or unreadable, or has no signals.
    """
    wfdb = import_wfdb()
    name = path.removesuffix(".hea").removesuffix(".dat")
    if not path or not Path(name + ".hea").is_file():
        raise RecordingError(f"there is no record {name!r}: {name}.hea is missing", "give the path of a WFDB header")
    header = read(wfdb, name)
    if not header.n_sig or not header.fs or not header.sig_len:
        raise RecordingError(f"record {name} holds no signals", "choose a record with ECG leads")
    fs = Fraction(header.fs).limit_denominator(4096)
    scale = [_MV_PER.get(str(u).lower(), 1.0) for u in header.units]
    channels = tuple(
        Channel(_lead(label), s / gain, float(baseline), int(bits or 16))
        for label, s, gain, baseline, bits in zip(
            header.sig_name, scale, header.adc_gain, header.baseline, header.adc_res, strict=True
        )
    )
    frame = max(1, round(_FRAME_S * fs))
    info = StreamInfo(f"record {Path(name).name}", fs, channels, samples_per_frame=frame)
    return info, _blocks(wfdb, name, header, np.array(scale), frame)


def _blocks(
    wfdb: ModuleType, name: str, header: _Record, scale: npt.NDArray[np.float64], frame: int
) -> Iterator[SampleBlock]:
    step = frame * max(1, round(_READ_S * header.fs / frame))
    gain, baseline = np.array(header.adc_gain), np.array(header.baseline)
    for start in range(0, header.sig_len, step):
        physical = read(wfdb, name, start, min(start + step, header.sig_len)).p_signal
        valid = np.isfinite(physical)
        plain = np.where(valid, physical, 0.0)
        counts = np.rint(plain * gain + baseline).astype(np.int32)
        mv = (plain * scale).astype(np.float32)
        for a in range(0, len(mv), frame):
            b = a + frame
            yield SampleBlock(start + a, counts[a:b], mv[a:b], valid[a:b])


def read(wfdb: ModuleType, name: str, start: int = 0, stop: int = 0) -> _Record:
    """Read samples ``start`` to ``stop``, or the header alone where there are none."""
    try:
        record: _Record = wfdb.rdrecord(name, sampfrom=start, sampto=stop) if stop else wfdb.rdheader(name)
        return record
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as e:
        raise RecordingError(f"cannot read record {name}: {e}", "check that its .dat file lies beside the .hea") from e


def _lead(label: str) -> str:
    """Lead of a signal's description, or the description itself."""
    plain = label.split(" (")[0].strip()
    for guess in (plain, plain.removeprefix("ML"), plain.removeprefix("lead ")):
        try:
            return lead_name(guess)
        except UsageError:
            continue
    return label


def import_wfdb() -> ModuleType:
    """Return the package wfdb, or say how to get it (`MissingExtraError`)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of wfdb's own dependencies: nothing a user can act on
            import wfdb
    except ImportError as e:
        raise MissingExtraError("wfdb", "wfdb") from e
    return cast(ModuleType, wfdb)
