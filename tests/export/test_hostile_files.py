"""Hostile model files get a clear error, in both formats, and take no memory for it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.inference import onnx_metadata
from ecg_edge.device.inference.load import load_model
from ecg_edge.firmware_bridge.errors import ModelFileError
from tests.support.hostile import onnx_files, tflite_files

MOST_MB = 150
"""A sound file takes some 10 MB; each of the huge ones asks for gigabytes."""
LOADER = """
import json, resource, sys
from ecg_edge.device.inference.load import load_model
from ecg_edge.firmware_bridge.errors import ModelFileError

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

for sound in sys.argv[1:3]:
    load_model(sound)
before, said = peak(), {}
for path in sys.argv[3:]:
    try:
        load_model(path)
        said[path] = None
    except ModelFileError as e:
        said[path] = [str(e), e.fix]
print(json.dumps({"said": said, "grown": peak() - before}))
"""


def test_each_gets_a_clear_error_in_bounded_memory(files: dict[str, Path], tmp_path: Path) -> None:
    sound = [files["int8"], files["tflite-int8"]]
    expected = {}
    for suffix, cases in (("onnx", onnx_files(sound[0])), ("tflite", tflite_files(sound[1]))):
        for name, blob, message in cases:
            path = tmp_path / f"{len(expected)}.{suffix}"
            path.write_bytes(blob)
            expected[str(path)] = name, message
    command = [sys.executable, "-c", LOADER, *map(str, sound), *expected]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    for path, (name, message) in expected.items():
        error = found["said"][path]
        assert error is not None, f"{name}: loaded"
        assert re.search(message, error[0]), f"{name}: {error[0]}"
        assert error[1], f"{name}: says not what to do"
    assert found["grown"] < MOST_MB


def test_the_metadata_of_a_sound_file_is_what_its_writer_put_there(files: dict[str, Path]) -> None:
    """Read by our own few lines, and by the package that wrote it."""
    import onnx

    for kind in ("fp32", "int8", "fp32-offline"):
        blob = files[kind].read_bytes()
        theirs = {p.key: p.value for p in onnx.load_from_string(blob).metadata_props}
        assert onnx_metadata.read_metadata(blob, files[kind]) == theirs


def test_the_sizes_worked_out_are_those_of_the_package(files: dict[str, Path]) -> None:
    import onnx

    for kind in ("fp32", "int8"):
        proto = onnx.load_from_string(files[kind].read_bytes())
        sizes = onnx_metadata._Sizes(onnx_metadata._message(memoryview(proto.graph.SerializeToString())))
        sizes.total()
        inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True).graph
        theirs = {
            v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim)
            for v in (*inferred.value_info, *inferred.output)
        }
        assert len(theirs) > 30
        assert {k: sizes._shapes[k] for k in theirs} == theirs


@settings(max_examples=150, deadline=None)
@given(at=st.floats(0, 0.9999), value=st.binary(min_size=1, max_size=6))
def test_a_graph_with_anything_in_it_is_an_error_or_fine(files: dict[str, Path], at: float, value: bytes) -> None:
    """Never another exception, whatever the bytes are."""
    blob = bytearray(files["int8"].read_bytes())
    where = int(at * len(blob))
    blob[where : where + len(value)] = value
    for read in (onnx_metadata.read_metadata, onnx_metadata.check_size):
        try:
            read(bytes(blob), Path("x"))
        except ModelFileError as e:
            assert e.fix


@pytest.mark.parametrize("blob", [b"", b"\x08", b"\xff" * 30, b"\x3b\x00", b"\x3a\x7f\x00"])
def test_what_is_no_graph_at_all(blob: bytes) -> None:
    with pytest.raises(ModelFileError, match="not ours"):
        onnx_metadata.check_size(blob, Path("x"))


def test_a_sound_file_still_loads(files: dict[str, Path]) -> None:
    assert load_model(files["int8"]).spec.states
