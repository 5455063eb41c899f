"""Fuzz what a person may hand in: record headers, tables, EDF, run and gateway files, calibrations.

``python tests/firmware_bridge/fuzz/fuzz_files.py --seconds 120 [--kind toml]``: good files are changed at random, by
bytes and by values, and read. Only a typed error may leave a reader, and what it returns must be finite or missing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[3]))

from ecg_edge.device.gateway.gateway_file import read_gateway
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.live.config_file import read_config
from ecg_edge.device.live.options import settings
from ecg_edge.device.personal_calibration.file import read_calibration
from ecg_edge.firmware_bridge.errors import EcgEdgeError
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from tests.firmware_bridge.fuzz.mutate import mutated
from tests.support import stored_files

CALIBRATION = Path(__file__).parents[2] / "device" / "old_files" / "i-ii.calibration.json"
MV = stored_files.beats(2)
ODD_WORDS = (
    "", "0", "-1", "nan", "inf", "1e999", "1e-310", "9" * 30, "16x999999", "16:99999999999", "~", "1/0", "(", "250/",
    "mV", "/mV", "0(0)/mV", "-200(5)/uV", "µV", "é", "\x1b[31m", "../x", "/etc/passwd", "r.dat", "٣", "1_0", "24:00:00",
    "31/02/2020", "#", "b\0", "0x10", "²", ";", "\t", '"', ",,,", "1,5",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**63, -(2**70), 10**400, 1.5, float("nan"), float("inf"), -1e308, 1e-310, "", "x", "\0",
    "é" * 300, [], [[]], [None], ["I", 3], {}, {"a": {}}, {"dtype": "<f4"},
)  # fmt: skip
TOML = """workers = 1
control = "a.sock"
[defaults]
out = "rec"
rotate = "1h"
[ward]
port = 0
[[patch]]
name = "bed-7"
source = "synthetic:"
leads = ["I", "II"]
monitor = 8765
rate-low = 40
scale.ch1 = { uv_per_count = 2.4, zero = 2048 }
[[patch]]
name = "bed-8"
source = "tcp://10.0.0.8:4000"
as = "ad8232"
"""


def wfdb(folder: Path, rng: random.Random) -> Path:
    """A record whose header is spoilt by words or bytes."""
    path: Path = stored_files.wfdb_record(folder, "r", MV, comments=["age: 60 sex: F"])
    return _by_words(path, rng, " ")


def csv(folder: Path, rng: random.Random) -> Path:
    """A table whose cells or bytes are spoilt."""
    separator = rng.choice((",", ";", "\t"))
    path: Path = stored_files.table(folder / "t.csv", MV[:60], separator=separator)
    return _by_words(path, rng, separator)


def edf(folder: Path, rng: random.Random) -> Path:
    """An EDF file whose header is spoilt."""
    pair = [("ECG I", "uV", MV[:, 0] * 1000, 250), ("ECG II", "uV", MV[:, 1] * 1000, 250)]
    path: Path = stored_files.edf(folder / "r.edf", pair, **rng.choice(({}, {"kind": "EDF+D", "onsets": [0, 3]})))
    data = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 4)):
        word = rng.choice(ODD_WORDS).encode("utf-8", "replace").ljust(rng.choice((0, 8)))
        at = 8 * rng.randrange(min(len(data), 1100) // 8)
        data[at : at + len(word)] = word
    path.write_bytes(mutated(bytes(data), rng, [bytes(data)]) if rng.random() < 0.3 else bytes(data))
    return path


def toml(folder: Path, rng: random.Random) -> Path:
    """A file of a run or a gateway: other types under any key, other keys, other bytes."""
    lines = TOML.splitlines()
    keys = [about.key for _, about, _ in settings() if about.key]
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(lines) + 1)
        if rng.random() < 0.6:
            lines.insert(at, f"{rng.choice(keys)} = {_toml_value(rng)}")
        elif at < len(lines):
            lines[at] = f"{lines[at].partition('=')[0]}= {_toml_value(rng)}"
    text = "\n".join(lines).encode("utf-8", "replace")
    path = folder / "ward.toml"
    path.write_bytes(mutated(text, rng, [text]) if rng.random() < 0.3 else text)
    return path


def calibration(folder: Path, rng: random.Random) -> Path:
    """A calibration with other values under any key, forged arrays, a right digest or a bad one, cut or not."""
    doc = json.loads(CALIBRATION.read_text("utf-8"))
    for _ in range(rng.randint(1, 3)):
        place, key = _place_in(doc, rng)
        if rng.random() < 0.15 and isinstance(place, dict):
            place.pop(key)
        else:
            place[key] = rng.choice(ODD_VALUES)
    doc.pop("sha256", None)
    text = json.dumps(doc)
    if rng.random() < 0.7:
        seal = hashlib.sha256(json.dumps(json.loads(text), sort_keys=True).encode()).hexdigest()
        doc["sha256"] = seal if rng.random() < 0.8 else rng.choice(ODD_VALUES)
        text = json.dumps(doc)
    data = text.encode()
    path = folder / "p.calibration"
    path.write_bytes(mutated(data, rng, [data]) if rng.random() < 0.2 else data)
    return path


KINDS: dict[str, Callable[[Path, random.Random], Path]] = {
    "wfdb": wfdb, "csv": csv, "edf": edf, "toml": toml, "calibration": calibration,
}  # fmt: skip


def _by_words(path: Path, rng: random.Random, separator: str) -> Path:
    rows = [line.split(separator) for line in path.read_text("utf-8").splitlines()]
    for _ in range(rng.randint(1, 3)):
        row = rng.choice(rows[: rng.choice((4, len(rows)))])
        row[rng.randrange(len(row))] = rng.choice(ODD_WORDS)
    data = "\n".join(separator.join(row) for row in rows).encode("utf-8", "replace")
    path.write_bytes(mutated(data, rng, [data]) if rng.random() < 0.4 else data)
    return path


def _toml_value(rng: random.Random) -> str:
    return rng.choice(
        ("true", "-1", "1e999", "nan", "inf", "-0.0", "99999999999999999999", "''", "'x'", "[]", "[1, 'a']", "[[]]",
         "{}", "{ a = {} }", "{ ch1 = { uv_per_count = nan } }", "{ ch1 = { uv_per_count = 1e-320, zero = inf } }",
         "1979-05-27", "07:32:00", "'''", "{", "9" * 400, "'\\u0000'", "\"\\u0000\"", "'tcp://'", "'unix:'", "'1h'")
    )  # fmt: skip


def _place_in(doc: Any, rng: random.Random) -> tuple[Any, Any]:
    """Some dict or list of a document, and a key of it."""
    while True:
        key = rng.choice(list(doc)) if isinstance(doc, dict) else rng.randrange(len(doc))
        if not (isinstance(doc[key], dict | list) and doc[key] and rng.random() < 0.6):
            return doc, key
        doc = doc[key]


def read(kind: str, path: Path) -> None:
    """Read a file as the verbs do.

    Raises
    ------
    EcgEdgeError
        It is refused.
    """
    if kind == "toml":
        read_config(path)
        read_gateway(path)
    elif kind == "calibration":
        found = read_calibration(path)
        json.dumps(dict(found.expected)), found.label
        for placement in ("same", "again"):
            model = found.apply(load_model("i-ii-int8"), placement=placement)
            assert np.isfinite(model.spec.head.mean).all()
    else:
        recording = open_recording(path, Fraction(250))
        for k in range(min(4, len(recording.signals))):
            stop = min(recording.signals[k].length, 5000)
            x = recording.values([k], 0, stop)
            assert x.shape == (stop, 1) and not np.isinf(x).any() and recording.signals[k].fs > 0


def fuzz(kind: str, seed: int, more: Callable[[int], bool]) -> tuple[int, int, list[str]]:
    """Try files while ``more(tried)``; return how many were tried, how many refused, and what was untyped."""
    tried = refused = 0
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        while more(tried):
            rng = random.Random(seed * 1_000_003 + tried)
            path = KINDS[kind](Path(name), rng)
            try:
                read(kind, path)
            except EcgEdgeError as e:
                refused += 1
                if not (e.message and e.fix):
                    wrong.append(f"{seed}-{tried}: {type(e).__name__} without a message or a fix")
            except Exception as e:  # noqa: BLE001 - whatever a reader raises is what we look for
                wrong.append(f"{seed}-{tried}: {type(e).__name__}: {e}"[:300])
            tried += 1
    return tried, refused, wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the fuzzer; 1 where something untyped was raised."""
    parser = argparse.ArgumentParser(description="Fuzz the readers of files.")
    parser.add_argument("--seconds", type=float, default=30, help="time for each kind (default: 30)")
    parser.add_argument("--kind", choices=tuple(KINDS), help="one kind (default: all)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other files")
    given = parser.parse_args(arguments)
    bad = 0
    for kind in [given.kind] if given.kind else KINDS:
        end = time.monotonic() + given.seconds
        tried, refused, wrong = fuzz(kind, given.seed, lambda _, end=end: time.monotonic() < end)
        sys.stdout.write(f"{kind}: {tried} inputs, {refused} refused, {len(wrong)} untyped\n")
        sys.stdout.write("".join(f"  {line}\n" for line in dict.fromkeys(w for w in wrong[:20])))
        sys.stdout.flush()
        bad += len(wrong)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
