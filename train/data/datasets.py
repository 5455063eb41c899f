"""Data sets behind one interface: a list of records, each read to twelve leads in mV.

``--data`` names one: ``ptb-xl:DIR``, ``ptb-xl-500:DIR``, ``ptbdb:DIR``, ``ludb:DIR``, ``cinc:DIR``,
``field:DIR``, ``wfdb:DIR``. A plain DIR is recognised by what lies in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

from ecg_edge.firmware_bridge.errors import DataFolderError
from ecg_edge.train.data import ptbxl, wfdb_files
from ecg_edge.train.data.wfdb_files import Header, ReadRecord

_PTBXL_RATES = {"ptb-xl": 100, "ptb-xl-500": 500}


@dataclass(frozen=True)
class Record:
    """One record of a data set, unread.

    Attributes
    ----------
    number : int
        PTB-XL's ``ecg_id``, else the position in the data set, from 1.
    name : str
        Path below the data set's folder, without suffix.
    path : Path
        Without suffix.
    patient, diagnosis : str
        Empty where unknown.
    fold : int or None
        Official fold, if the data set has folds.
    """

    number: int
    name: str
    path: Path
    patient: str
    diagnosis: str
    fold: int | None


@dataclass(frozen=True)
class Dataset:
    """A data set on disk.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    root : Path
        Its folder.
    records : list of Record
        In order of their number.
    """

    kind: str
    root: Path
    records: list[Record]

    @property
    def has_folds(self) -> bool:
        """Whether its makers divided it into folds."""
        return any(r.fold is not None for r in self.records)

    def select(self, folds: tuple[int, ...], limit: int | None = None) -> list[Record]:
        """Records of the folds; a data set without folds is a test set and is taken whole.

        Raises
        ------
        DataFolderError
            Nothing is left, or training folds are asked of a data set that has none.
        """
        if not self.has_folds and folds != (ptbxl.TEST_FOLD,):
            raise DataFolderError(f"{self.kind} has no official folds: it serves for testing only", "train on ptb-xl")
        chosen = (r for r in self.records if r.fold is None or r.fold in folds)
        there = list(islice((r for r in chosen if wfdb_files.header_file(r.path).is_file()), limit))
        if not there:
            raise DataFolderError(f"no record of fold {folds} found below {self.root}", "ecg-edge data info DIR")
        return there

    def read(self, record: Record) -> ReadRecord:
        """Read a record: twelve leads in mV at its own rate.

        Raises
        ------
        DataFolderError
            It is unreadable, lacks a lead or holds missing samples.
        """
        if fs := _PTBXL_RATES.get(self.kind):
            return ReadRecord(ptbxl.read_record(record.path, fs), Fraction(fs))
        return wfdb_files.read(record.path, wfdb_files.LUDB_MV_PER_COUNT if self.kind == "ludb" else None)


def open_dataset(text: str) -> Dataset:
    """Open what ``--data`` names.

    Parameters
    ----------
    text : str
        ``kind:DIR`` or ``DIR``.

    Raises
    ------
    DataFolderError
        The folder is missing or holds no record of that kind.
    """
    kind, colon, folder = text.partition(":")
    if not colon or kind not in KINDS:
        kind, folder = "", text
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise DataFolderError(f"{root} is not a folder", f"give DIR or KIND:DIR, KIND one of {', '.join(KINDS)}")
    found = recognise(root)
    if kind and found not in ("wfdb", kind) and not {kind, found} <= set(_PTBXL_RATES) and kind != "field":
        raise DataFolderError(
            f"{root} holds {found}, not {kind}", f"name the folder of {kind}, or say what it is: --data {found}:{root}"
        )
    if kind and (stranger := _unmarked(kind, root)):
        raise DataFolderError(
            f"{root}: {stranger} has nothing that marks a record of {kind}", f"say what it is: --data wfdb:{root}"
        )
    kind = kind or found
    records = KINDS[kind](root)
    if not records:
        raise DataFolderError(f"no record found below {root}", "a record is a .hea file with its signal file beside it")
    return Dataset(kind, root, records)


def recognise(root: Path) -> str:
    """Tell the kind of a folder from its files; ``wfdb`` where nothing more special fits."""
    if (root / "ptbxl_database.csv").is_file():
        return "ptb-xl" if (root / "records100").is_dir() or not (root / "records500").is_dir() else "ptb-xl-500"
    if (root / "ludb.csv").is_file():
        return "ludb"
    first = next(iter(wfdb_files.record_paths(root)), None)
    if first is None:
        return "wfdb"
    if wfdb_files.with_suffix(first, ".mat").is_file():
        return "cinc"
    if re.fullmatch(r"patient\d{3}", first.parent.name) or wfdb_files.with_suffix(first, ".xyz").is_file():
        return "ptbdb"
    return "ludb" if wfdb_files.with_suffix(first, ".avr").is_file() else "wfdb"


def _unmarked(kind: str, root: Path) -> str:
    """First record without what its makers put into each: a folder is no data set because somebody says so."""
    marked = _MARKS.get(kind)
    paths = wfdb_files.record_paths(root) if marked else ()
    return next((p.name for p in paths if marked and not marked(p, wfdb_files.read_header(p))), "")


def _is_ptbdb(path: Path, header: Header) -> bool:
    beside = wfdb_files.with_suffix(path, ".xyz").is_file()
    return beside or bool(re.fullmatch(r"patient\d{3}", path.parent.name)) or _says(header, "Reason for admission:")


def _is_ludb(path: Path, header: Header) -> bool:
    return wfdb_files.with_suffix(path, ".avr").is_file() or _says(header, "<diagnoses>")


def _is_cinc(path: Path, header: Header) -> bool:
    return wfdb_files.with_suffix(path, ".mat").is_file() or _says(header, "Dx:")


def _says(header: Header, begin: str) -> bool:
    return any(c.lstrip("# ").lower().startswith(begin.lower()) for c in header.comments)


_MARKS = {"ptbdb": _is_ptbdb, "ludb": _is_ludb, "cinc": _is_cinc}


def _ptbxl(root: Path) -> list[Record]:
    return [Record(e.ecg_id, e.path.name, e.path, e.patient, e.superclass, e.fold) for e in ptbxl.read_database(root)]


def _ptbxl_500(root: Path) -> list[Record]:
    """The same rows; the 500 Hz files lie in a tree of the same form."""
    found = []
    for e in ptbxl.read_database(root):
        low = e.path.relative_to(root).as_posix()
        path = root / low.replace("records100", "records500", 1).replace("_lr", "_hr")
        found.append(Record(e.ecg_id, path.name, path, e.patient, e.superclass, e.fold))
    return found


def _folder(describe: Callable[[Path, Header], tuple[str, str]]) -> Callable[[Path], list[Record]]:
    """Records of a folder of WFDB files; `describe` gives (patient, diagnosis) from path and header."""

    def records(root: Path) -> list[Record]:
        found = []
        for number, path in enumerate(wfdb_files.record_paths(root), 1):
            patient, diagnosis = describe(path, wfdb_files.read_header(path))
            found.append(Record(number, path.relative_to(root).as_posix(), path, patient, diagnosis, None))
        return found

    return records


def _field(root: Path) -> list[Record]:
    """Records of many hands, in folds of our own by the last two digits of their names.

    The last one odd: judging. Even: training where the digit before it is even as well, else tuning.
    """
    found = []
    for number, path in enumerate(wfdb_files.record_paths(root), 1):
        tens, ones = (int(d) if d.isdigit() else 1 for d in ("0" + path.name)[-2:])
        fold = ptbxl.TEST_FOLD if ones % 2 else ptbxl.VALIDATION_FOLD if tens % 2 else ptbxl.TRAIN_FOLDS[0]
        found.append(Record(number, path.name, path, "", "", fold))
    return found


def _describe_ptbdb(path: Path, header: Header) -> tuple[str, str]:
    """Patient from the folder; where files lie flat, records that agree in all comments but the ECG's date are one's.

    The comments are the patient's case history, copied into each of his records.
    """
    history = "|".join(c for c in header.comments if not c.lower().startswith("ecg date"))
    patient = path.parent.name if path.parent.name.startswith("patient") else wfdb_files.digest(history, "")
    return patient, header.comment("Reason for admission")


def _describe_ludb(path: Path, header: Header) -> tuple[str, str]:
    """One record per subject; the lines after ``<diagnoses>:`` are the diagnoses."""
    lines = [c.lstrip("#").strip() for c in header.comments]
    at = next((k for k, line in enumerate(lines) if line.startswith("<diagnoses>")), len(lines))
    return path.name, " ".join(lines[at + 1 :])


def _describe_cinc(path: Path, header: Header) -> tuple[str, str]:
    """SNOMED codes after ``Dx:``; the Challenge names no patients."""
    return "", header.comment("Dx")


KINDS: dict[str, Callable[[Path], list[Record]]] = {
    "ptb-xl": _ptbxl,
    "ptb-xl-500": _ptbxl_500,
    "ptbdb": _folder(_describe_ptbdb),
    "ludb": _folder(_describe_ludb),
    "cinc": _folder(_describe_cinc),
    "field": _field,
    "wfdb": _folder(lambda path, header: (header.comment("patient"), "")),
}
