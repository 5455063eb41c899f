"""Open any recording: which format a file has, and who reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path

from ecg_edge.firmware_bridge.errors import EcgEdgeError, PluginError, RecordingError
from ecg_edge.firmware_bridge.plugins import Plugins, find_plugins
from ecg_edge.firmware_bridge.recordings.recording import Recording
from ecg_edge.firmware_bridge.recordings.text import unreadable

GROUP = "ecg_edge.recordings"
_HEAD_BYTES = 4096
_SUFFIXES = (".csv", ".tsv", ".txt", ".ecg", ".asc")
SUFFIXES = (*_SUFFIXES, ".edf", ".bdf", ".dcm", ".xml", ".npz", ".parquet")
"""What recordings in a folder are known by, WFDB's headers aside."""


@dataclass(frozen=True)
class RecordingFormat:
    """One format of recordings; other packages register theirs under the entry point ``ecg_edge.recordings``.

    Attributes
    ----------
    name : str
        For people: ``EDF, EDF+, BDF (.edf, .bdf)``.
    fits : callable
        ``fits(path, head)``: whether a file is of this format, by its name and first 4096 bytes.
    open : callable
        ``open(path, fs)``: the `Recording`; `fs` is the rate a user gave for files that state none, or None.
        Raises `RecordingError` or another typed error, nothing else.
    """

    name: str
    fits: Callable[[Path, bytes], bool]
    open: Callable[[Path, Fraction | None], Recording]


def open_recording(path: str | Path, fs: Fraction | None = None, unit: str = "") -> Recording:
    """Open a recording of any format that can be read.

    Parameters
    ----------
    path : str or Path
        A file; of a WFDB record also its name without suffix, or any of its files.
    fs : Fraction, optional
        Rate in Hz for files that do not state theirs.
    unit : str
        Of the signals that state none, or one unknown; see `Recording.with_unit`.

    Raises
    ------
    RecordingError
        There is no such file, its format is not known (what can be read is listed), or it is damaged.
    MissingExtraError
        The format needs a package that is not installed.
    PluginError
        Another package's format claims the file, fails on it, and no other format can read it.
    """
    found = _found(path, fs)
    if fs is not None and all(s.fs != fs for s in found.signals):
        found = replace(
            found, remarks=(*found.remarks, f"{float(fs):g} Hz as given not used: the file states its rate")
        )
    return found.with_unit(unit) if unit else found


def _found(path: str | Path, fs: Fraction | None) -> Recording:
    file = Path(path).expanduser()
    if not str(path) or "\0" in str(path):
        raise RecordingError(f"{str(path)!r} is no path", "give the path of a recording")
    from ecg_edge.firmware_bridge.recordings.wfdb_record import header_of, open_wfdb

    # A record's name may have any suffix: its header says what it is.
    if file.suffix.lower() not in _SUFFIXES and (header := header_of(file)):
        return open_wfdb(header)
    if file.is_dir():
        raise RecordingError(f"{file} is a folder", "give one recording in it")
    if not file.is_file():
        raise RecordingError(f"there is no recording {file}", _list("give the path of a recording"))
    try:
        with file.open("rb") as f:
            head = f.read(_HEAD_BYTES)
    except OSError as e:
        raise unreadable(file, e) from e
    if not head:
        raise RecordingError(f"{file} is empty", "fetch the file again")
    return _open(file, head, fs)


def _open(file: Path, head: bytes, fs: Fraction | None) -> Recording:
    """Read a file by the first format that can; one of another package that fails is passed over."""
    failed: PluginError | None = None
    for name, format_ in plugin_formats().good.items():
        try:
            if made := _foreign(name, format_, file, head, fs):
                return made
        except PluginError as e:
            failed = e
    for format_ in _BUILT_IN:
        if format_.fits(file, head):
            return format_.open(file, fs)
    if failed:
        raise failed
    raise RecordingError(f"{file} is no recording of a known format", _list("convert it"))


def _foreign(name: str, format_: RecordingFormat, file: Path, head: bytes, fs: Fraction | None) -> Recording | None:
    """Read a file by another package's format; None where it does not claim the file."""
    try:
        return _checked(format_.open(file, fs)) if format_.fits(file, head) else None
    except EcgEdgeError:
        raise
    except Exception as e:  # a stranger's code may raise anything
        raise PluginError(
            f"the format {name} of {plugin_formats().package[name]} cannot read {file}: {type(e).__name__}: {e}",
            "convert the file, or report this line to the package's authors",
        ) from e


def _checked(made: object) -> Recording:
    if not isinstance(made, Recording):
        raise TypeError(f"its open returned {type(made).__name__}, no Recording")
    return made


@cache
def plugin_formats() -> Plugins:
    """Formats that other packages bring, by name; see `Plugins`."""
    return find_plugins(GROUP, (), _wrong)


def _wrong(name: str, made: object) -> str:
    """What is wrong with a format; this module's own file stands for all that are no recordings."""
    if not isinstance(made, RecordingFormat):
        return "it is no RecordingFormat"
    if not (isinstance(made.name, str) and callable(made.fits) and callable(made.open)):
        return "its name must be a text, fits and open must be callable"
    file = Path(__file__)
    claims = made.fits(file, file.read_bytes()[:_HEAD_BYTES])
    return "it claims files that are no recordings" if claims else ""


def formats() -> list[RecordingFormat]:
    """Every format, those of other packages first; one that cannot be used is left out (``doctor`` names it)."""
    return [*plugin_formats().good.values(), *_BUILT_IN]


def _list(first: str) -> str:
    return f"{first}; what can be read: {'; '.join(['WFDB (.hea, .dat, .mat of CinC)', *(f.name for f in formats())])}"


def _is_edf(path: Path, head: bytes) -> bool:
    from ecg_edge.firmware_bridge.recordings.edf_file import is_edf

    return is_edf(head) or path.suffix.lower() in (".edf", ".bdf")


def _edf(path: Path, fs: Fraction | None) -> Recording:
    from ecg_edge.firmware_bridge.recordings.edf_file import open_edf

    return open_edf(path)


def _is_dicom(path: Path, head: bytes) -> bool:
    return head[128:132] == b"DICM" or path.suffix.lower() in (".dcm", ".dicom")


def _dicom(path: Path, fs: Fraction | None) -> Recording:
    from ecg_edge.firmware_bridge.recordings.dicom_file import open_dicom

    return open_dicom(path)


def _is_aecg(path: Path, head: bytes) -> bool:
    return b"AnnotatedECG" in head or path.suffix.lower() == ".xml"


def _aecg(path: Path, fs: Fraction | None) -> Recording:
    from ecg_edge.firmware_bridge.recordings.aecg_file import open_aecg

    return open_aecg(path)


def _is_npz(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".npz"


def _npz(path: Path, fs: Fraction | None) -> Recording:
    from ecg_edge.firmware_bridge.recordings.array_files import open_npz

    return open_npz(path, fs)


def _is_parquet(path: Path, head: bytes) -> bool:
    return head.startswith(b"PAR1")


def _parquet(path: Path, fs: Fraction | None) -> Recording:
    from ecg_edge.firmware_bridge.recordings.array_files import open_parquet

    return open_parquet(path)


def _is_mat(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".mat" or head.startswith(b"MATLAB 5.0")


def _mat(path: Path, fs: Fraction | None) -> Recording:
    from ecg_edge.firmware_bridge.recordings.array_files import open_mat

    return open_mat(path, fs)


def _is_table(path: Path, head: bytes) -> bool:
    return path.suffix.lower() in _SUFFIXES


def _table(path: Path, fs: Fraction | None) -> Recording:
    from ecg_edge.firmware_bridge.recordings.table_file import open_table

    return open_table(path, fs)


_BUILT_IN = (
    RecordingFormat("EDF, EDF+ and BDF (.edf, .bdf)", _is_edf, _edf),
    RecordingFormat("DICOM ECG (.dcm)", _is_dicom, _dicom),
    RecordingFormat("HL7 aECG (.xml)", _is_aecg, _aecg),
    RecordingFormat("arrays of decode (.npz)", _is_npz, _npz),
    RecordingFormat("our parquet tables (.parquet)", _is_parquet, _parquet),
    RecordingFormat("MATLAB (.mat)", _is_mat, _mat),
    RecordingFormat("tables with a column per lead (.csv, .tsv, .txt)", _is_table, _table),
)
