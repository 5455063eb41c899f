import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.inference import sealed_file
from ecg_edge.device.inference.sealed_file import check_seal, read_model_bytes, seal
from ecg_edge.firmware_bridge.errors import ModelFileError

BLANK = b"ecg_edge_sha256=" + b"0" * 64
FILE = Path("m.onnx")


@given(before=st.binary(max_size=40), after=st.binary(max_size=40))
def test_a_sealed_file_carries_the_digest_of_what_it_was(before, after):
    blob = before + BLANK + after
    sealed = seal(blob)
    assert len(sealed) == len(blob) and sealed.startswith(before) and sealed.endswith(after)
    assert check_seal(sealed, FILE) == hashlib.sha256(blob).hexdigest()


@given(at=st.integers(0, 119), bit=st.integers(0, 7))
def test_every_flipped_bit_is_found(at, bit):
    sealed = bytearray(seal(b"a" * 20 + BLANK + b"b" * 20))
    sealed[at] ^= 1 << bit
    with pytest.raises(ModelFileError, match=r"damaged|no digest"):
        check_seal(bytes(sealed), FILE)


@pytest.mark.parametrize("blob", [b"", b"nothing", BLANK + BLANK, b"ecg_edge_sha256=" + b"1" * 64])
def test_a_file_needs_one_place_for_its_digest(blob):
    with pytest.raises(ModelFileError, match="no place for its digest"):
        seal(blob)


def test_two_digests_are_refused():
    sealed = seal(b"x" + BLANK)
    with pytest.raises(ModelFileError, match=r"m\.onnx carries more than one digest"):
        check_seal(sealed + b"ecg_edge_sha256=" + b"a" * 64, FILE)


def test_a_file_without_a_digest_may_be_cut_short():
    with pytest.raises(ModelFileError, match="truncated"):
        check_seal(seal(b"x" + BLANK)[:-1], FILE)


def test_a_missing_file_and_a_folder_are_named_with_the_systems_reason(tmp_path):
    with pytest.raises(ModelFileError, match="No such file") as e:
        read_model_bytes(tmp_path / "none")
    assert "ecg-edge info" in e.value.fix
    with pytest.raises(ModelFileError, match="Is a directory"):
        read_model_bytes(tmp_path)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "m").write_bytes(b"12345")
    assert read_model_bytes(tmp_path / "m") == b"12345"
    monkeypatch.setattr(sealed_file, "_MAX_BYTES", 4)
    with pytest.raises(ModelFileError, match="has 5 bytes"):
        read_model_bytes(tmp_path / "m")
