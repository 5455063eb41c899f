import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.inference.packed_arrays import pack_array, pack_symmetric, unpack_array, unpack_symmetric
from ecg_edge.firmware_bridge.errors import ModelFileError

SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)


@given(shape=SHAPES, seed=st.integers(0, 99))
def test_an_array_comes_back_as_it_was(shape, seed):
    x = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    back = unpack_array(pack_array(x))
    assert back.dtype == np.float32 and back.shape == x.shape
    np.testing.assert_array_equal(back, x)


def test_the_bytes_are_little_endian_float32_in_row_order():
    packed = pack_array(np.array([[1.0, -2.0], [0.5, 3.0]]))
    assert packed["shape"] == [2, 2]
    assert base64.b64decode(packed["f4"]) == bytes.fromhex("0000803f 000000c0 0000003f 00004040")


def test_a_transposed_array_is_packed_by_its_own_rows():
    x = np.arange(6, dtype=np.float64).reshape(2, 3).T
    np.testing.assert_array_equal(unpack_array(pack_array(x)), x)


def test_what_is_unpacked_may_be_written_to():
    unpack_array(pack_array(np.zeros(3)))[0] = 1.0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"f4": "AAAA!"}, "damaged"),
        ({"f4": "AAA"}, "damaged"),
        ({"shape": [3]}, "wrong length"),
        ({"shape": [-1, -2]}, "wrong length"),
        ({"shape": [1 << 40]}, "wrong length"),
        ({"f4": base64.b64encode(np.array([1, np.nan], "<f4").tobytes()).decode()}, "holds NaN"),
        ({"f4": base64.b64encode(np.array([1, np.inf], "<f4").tobytes()).decode()}, "holds NaN"),
    ],
)
def test_a_damaged_array_is_refused(change, why):
    with pytest.raises(ModelFileError, match=why) as e:
        unpack_array(pack_array(np.array([1.0, 2.0])) | change)
    assert e.value.fix == "export the model again"


@given(n=st.integers(0, 6), seed=st.integers(0, 99))
def test_a_symmetric_matrix_comes_back_from_its_triangle(n, seed):
    a = np.random.default_rng(seed).normal(size=(n, n)).astype(np.float32)
    a = a + a.T
    packed = pack_symmetric(a)
    assert packed["shape"] == [n * (n + 1) // 2]
    np.testing.assert_array_equal(unpack_symmetric(packed), a)


def test_a_whole_matrix_of_an_earlier_file_is_read_as_well():
    a = np.array([[1, 2], [2, 5]], np.float32)
    np.testing.assert_array_equal(unpack_symmetric(pack_array(a)), a)


@pytest.mark.parametrize("n", [2, 4, 5, 7])
def test_a_length_that_no_triangle_has_is_refused(n):
    with pytest.raises(ModelFileError, match=r"matrix .* wrong length"):
        unpack_symmetric(pack_array(np.zeros(n)))
