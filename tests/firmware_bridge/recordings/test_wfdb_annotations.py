import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.recordings.wfdb_annotations import read_notes

TEXT = st.text("abc äö", min_size=1, max_size=9).map(str.strip).filter(bool)


def word(code, low):
    return struct.pack("<H", code << 10 | low)


def note(step, text, code=22):
    """An annotation `step` frames after the one before, with a text; see annot(5)."""
    data = text.encode()
    skip = b"" if step < 1024 else word(59, 0) + struct.pack("<hH", step >> 16, step & 0xFFFF)
    return skip + word(code, 0 if skip else step) + word(63, len(data)) + data + b"\0" * (len(data) % 2)


@given(notes=st.lists(st.tuples(st.integers(0, 5_000_000), TEXT), max_size=6))
def test_texts_are_where_they_were_written(tmp_path_factory, notes):
    path = tmp_path_factory.mktemp("a") / "r.atr"
    path.write_bytes(b"".join(note(*n) for n in notes) + b"\0\0")
    at = np.cumsum([step for step, _ in notes]).tolist()
    assert read_notes(path) == tuple(zip(at, [text for _, text in notes], strict=True))


def test_beats_without_a_text_move_on_and_numbers_do_not(tmp_path):
    path = tmp_path / "r.atr"
    path.write_bytes(word(1, 100) + word(60, 3) + word(61, 1) + word(62, 1) + word(1, 50) + note(10, "x") + b"\0\0")
    assert read_notes(path) == ((160, "x"),)


@given(data=st.binary(max_size=60))
def test_any_bytes_hold_some_notes_or_none(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("a") / "r.atr"
    path.write_bytes(data)
    assert all(isinstance(text, str) and text for _, text in read_notes(path))


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_cut_file_holds_what_can_be_read_of_it(tmp_path, cut):
    path = tmp_path / "r.atr"
    path.write_bytes((note(5, "one") + note(3000, "two"))[:-cut])
    assert read_notes(path)[:1] == ((5, "one"),)


def test_what_is_missing_or_defines_the_file_is_no_note(tmp_path):
    assert read_notes(tmp_path / "none.atr") == ()
    (tmp_path / "r.atr").write_bytes(note(0, "## time resolution: 360") + note(7, "real") + b"\0\0")
    assert read_notes(tmp_path / "r.atr") == ((7, "real"),)


def test_they_are_what_wfdb_writes(tmp_path):
    wfdb = pytest.importorskip("wfdb")
    at = np.array([10, 4000, 900_000])
    texts = ["(AFIB", "noise", "end"]
    wfdb.wrann("r", "atr", at, symbol=["+"] * 3, aux_note=texts, write_dir=str(tmp_path))
    assert read_notes(tmp_path / "r.atr") == tuple(zip(at.tolist(), texts, strict=True))
