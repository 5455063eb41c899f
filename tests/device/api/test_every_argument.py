"""Every parameter of every public function refuses what is of a wrong type, by its name, with a way out.

What is walked over is found by signature. So a new function, or a new parameter, is tested from its first day.
"""

import inspect
import warnings
from dataclasses import is_dataclass

import numpy as np
import pytest

import ecg_edge as ee
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

TWELVE = SyntheticHeart(100).read(1500)
MV = SyntheticHeart(250, ("I", "II")).read(1250)
TEXT = b"512 \n" * 300
RECORDS_OF_DECODERS = {"Tally"}
"""Filled by a decoder, sample by sample: what it passes is checked where the decoder is (`checked`)."""
MADE_BY = {"LeadStream": "open_stream", "Provenance": "its values"}


@pytest.fixture(scope="module")
def person():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ee.calibrate("i-ii-int8", [TWELVE], fs=100)


def opened(**given):
    with ee.open_stream(**given) as stream:
        return next(stream)


BLOCK = ee.reconstruct(MV, fs=250, leads=("I", "II"))
CALLS = {
    "Recorder": (ee.Recorder, {"folder": "there"}),
    "Reconstructor": (ee.Reconstructor, {"fs": 250, "leads": ("I", "II")}),
    "Reconstructor.feed": (ee.Reconstructor(fs=250, leads=("I", "II")).feed, {"mv": MV}),
    "LeadBlock.join": (ee.LeadBlock.join, {"blocks": [BLOCK]}),
    "LeadBlock.rows": (BLOCK.rows, {}),
    "LeadBlock.lead": (BLOCK.lead, {"name": "II"}),
    "calibrate": (ee.calibrate, {"model": "i-ii-int8", "references": [TWELVE], "fs": 100}),
    "decode_bytes": (ee.decode_bytes, {"decoder": "plotter", "data": TEXT}),
    "find_device": (ee.find_device, {"name": "cyton"}),
    "Device.decoder": (ee.find_device("cyton").decoder, {}),
    "load_model": (ee.load_model, {"path": "i-ii-int8"}),
    "ModelSpec.from_json": (ee.ModelSpec.from_json, {"text": "{}"}),
    "measure": (ee.measure, {"block": BLOCK}),
    "open_source": (ee.open_source, {"url": "/dev/ttyNONE"}),
    "open_stream": (opened, {"source": "synthetic:", "fast": True}),
    "read_calibration": (ee.read_calibration, {"path": "p1.json"}),
    "reconstruct": (ee.reconstruct, {"mv": MV, "fs": 250, "leads": ("I", "II")}),
    "run": (ee.run, {"source": "synthetic:", "fast": True, "seconds": 1}),
    "verify": (ee.verify, {"model": "i-ii-int8"}),
    "Calibration.apply": (None, {"model": ee.load_model("i-ii-int8")}),
    "Calibration.fits": (None, {"model": ee.load_model("i-ii-int8")}),
    "write_calibration": (ee.write_calibration, {"path": "there/is/none.json"}),
}
"""A call that is right, for each; what needs a person's calibration gets it in the test."""
NO_CHECK = {
    "LeadBlock.empty": "makes a block of parts, as the constructor does",
    "StreamInfo.renamed": "of what `exact_leads` returned",
    "StreamInfo.placed": "of what `read_places` returned",
}
WRONG = (object(), 2j, b"x", 5, "x", 2.5, True, None)


def public():
    """(name, callable) of everything that takes arguments."""
    for name in ee.__all__:
        of = getattr(ee, name)
        if not callable(of) or (inspect.isclass(of) and issubclass(of, BaseException)):
            continue
        if getattr(of, "_is_protocol", False) or name in {*RECORDS_OF_DECODERS, *MADE_BY}:
            continue
        if not is_dataclass(of):
            yield name, of
        if inspect.isclass(of) and not issubclass(of, ee.SinkBase):
            methods = inspect.getmembers(of, lambda m: inspect.isfunction(m) or inspect.ismethod(m))
            yield from ((f"{name}.{m}", f) for m, f in methods if not m.startswith("_"))


def parameters(of):
    return [p for p in inspect.signature(of).parameters.values() if p.name != "self"]


FOUND = {name: p for name, of in public() if name not in NO_CHECK and (p := parameters(of))}
CASES = [(name, p.name) for name, found in FOUND.items() for p in found]


def fits(value, annotation):
    """Whether a value is of a type that the annotation names."""
    names = [n.strip() for n in annotation.split("|")]
    kinds = {"str": str, "Path": str, "float": (int, float), "int": int, "bool": bool, "bytes": bytes}
    if value is None:
        return "None" in names
    if isinstance(value, bool):
        return "bool" in names
    return any(isinstance(value, kinds[n]) for n in names if n in kinds) or (
        isinstance(value, str) and any("Sequence[str]" in n for n in names)
    )


def test_no_public_function_is_forgotten():
    assert set(FOUND) == set(CALLS) and {*FOUND, *NO_CHECK} == {n for n, of in public() if parameters(of)}


@pytest.mark.parametrize(("name", "parameter"), CASES, ids=[f"{n}({p})" for n, p in CASES])
def test_a_wrong_type_is_refused_by_name(name, parameter, person, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, good = CALLS[name]
    call = call or getattr(person, name.split(".")[1])
    good = good | ({"c": person} if name == "write_calibration" else {})
    annotation = next(p.annotation for p in FOUND[name] if p.name == parameter)
    assert isinstance(annotation, str)
    tried = [value for value in WRONG if not fits(value, annotation)]
    for value in tried:
        with pytest.raises(ee.EcgEdgeError) as e:
            call(**{**good, parameter: value})
        assert parameter in str(e.value) and e.value.fix, f"{parameter}={value!r}: {e.value}"
        assert not isinstance(e.value, ee.PluginError) and "fault of ecg-edge" not in str(e.value)
    assert len(tried) >= 5


def test_flags_clocks_and_threads_name_the_way_out():
    for call, fix in (
        (lambda: ee.run("synthetic:", stop=5), "stop=threading.Event()"),
        (lambda: ee.load_model("i-ii-int8", threads="x"), "threads=1"),
        (lambda: ee.load_model("i-ii-int8", threads=0), "threads=1"),
        (lambda: ee.open_stream("synthetic:", clock=3), "leave clock out"),
        (lambda: ee.open_stream("synthetic:", fast="no"), "fast=False"),
        (lambda: ee.run("synthetic:", placement="zz"), "pass 'same'"),
    ):
        with pytest.raises(ee.UsageError) as e:
            call()
        assert fix in e.value.fix


@pytest.mark.parametrize("given", [[[1, 2], [3]], [[1.0, 2.0], None], [np.zeros(3), np.zeros(4)]])
def test_rows_of_different_lengths_are_no_table(given):
    for call in (
        lambda: ee.reconstruct(given, fs=250, leads=("I", "II")),
        lambda: ee.Reconstructor(fs=250, leads=("I", "II")).feed(given),
        lambda: ee.calibrate("i-ii-int8", [given], fs=250),
    ):
        with pytest.raises(ee.UsageError) as e:
            call()
        assert "rows of one length" in e.value.fix or "floats in mV" in e.value.fix
