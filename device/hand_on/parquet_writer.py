"""A recording as a parquet table: a column for each signal, its unit and provenance beside it (extra `parquet`)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ecg_edge.device.recording.safe_files import disk_errors
from ecg_edge.device.recording.stored_recording import Stored
from ecg_edge.firmware_bridge.errors import NOT_LOADABLE, MissingExtraError
from ecg_edge.firmware_bridge.private_files import file_mode


def write_parquet(stored: Stored, path: Path) -> None:
    """Write a recording; the file is there when it is complete.

    The columns are ``time`` in seconds and the signals in their units, null where nothing is valid. A field's metadata
    holds ``unit`` and ``provenance``; the table's holds ``ecg-edge``, a JSON document of rate, start, person, notes
    and comments.

    Raises
    ------
    MissingExtraError
        The package pyarrow is not installed.
    RecordingError, DiskFullError
        The file cannot be written.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except NOT_LOADABLE as e:
        raise MissingExtraError("pyarrow", "parquet") from e
    fs, mv = float(stored.fs), stored.mv
    fields = [pyarrow.field("time", pyarrow.float64(), metadata={"unit": "s"})]
    arrays = [pyarrow.array((stored.first + np.arange(len(mv))) / fs)]
    for k, (name, signal) in enumerate(zip(stored.labels, stored.signals, strict=True)):
        about = {"unit": signal.unit, "provenance": signal.provenance}
        fields.append(pyarrow.field(name, pyarrow.float32(), metadata=about))
        arrays.append(pyarrow.array(mv[:, k].astype(np.float32), mask=np.isnan(mv[:, k])))
    schema = pyarrow.schema(fields, metadata={"ecg-edge": json.dumps(_about(stored), ensure_ascii=False)})
    part = path.with_name(f".{path.name}.part")
    with disk_errors(path):
        parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), part)
        part.chmod(file_mode())
        part.replace(path)


def _about(stored: Stored) -> dict[str, object]:
    person = stored.person
    return {
        "fs": float(stored.fs),
        "started": stored.started.isoformat() if stored.started else None,
        "patient": stored.patient,
        "name": person.name,
        "sex": person.sex,
        "birth": person.birth.isoformat() if person.birth else None,
        "age": person.age,
        "notes": [[at / float(stored.fs), text] for at, text in stored.notes],
        "comments": list(stored.comments),
    }
