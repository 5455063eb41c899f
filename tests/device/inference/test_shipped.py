import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.inference import shipped
from ecg_edge.device.inference.load import read_description
from ecg_edge.device.inference.shipped import default_model, resolve, shipped_files, shipped_models
from ecg_edge.device.lead_algebra import BASIS, leads_known
from ecg_edge.firmware_bridge.errors import LeadMismatchError, ModelFileError
from ecg_edge.firmware_bridge.lead_names import LEADS


@pytest.mark.parametrize(
    ("leads", "name"),
    [
        (("I",), "i-int8"),
        (("II",), "ii-int8"),
        (("I", "II"), "i-ii-int8"),
        (("II", "I"), "i-ii-int8"),
        (("II", "III"), "i-ii-int8"),
        (("aVR", "aVL"), "i-ii-int8"),
        (("I", "II", "V2"), "i-ii-v2-int8"),
        (("V3", "II", "I"), "i-ii-v3-int8"),
        (("I", "II", "V2", "V5"), "i-ii-v2-v5-int8"),
        (("V1",), "any-int8"),
        (("I", "II", "V6"), "any-int8"),
        (("V1", "V2", "V3", "V4", "V5", "V6"), "any-int8"),
        (("RA-V5",), "any-electrode-int8"),
        (("RA-V5", "RA-V2"), "any-electrode-int8"),
        (("V1-V3", "V1-V6"), "any-electrode-int8"),
        (("aVF",), "any-electrode-int8"),
    ],
)
def test_the_model_that_uses_most_leads_is_the_default(leads, name):
    assert default_model(leads).stem == name


@given(leads=st.lists(st.sampled_from(LEADS), min_size=1, max_size=5, unique=True).map(tuple))
def test_a_default_reads_nothing_but_what_the_source_has(leads):
    known = leads_known(leads)
    try:
        spec = SPECS[default_model(leads).stem]
    except LeadMismatchError:
        assert not set(known) & set(BASIS)
        return
    assert spec.any_lead or set(spec.input_leads) <= set(known)


@pytest.mark.parametrize(
    ("leads", "fix"),
    [
        (("ch1", "ch2"), "name where each channel sits"),
        ((), "name where each channel sits"),
        (LEADS, ""),
    ],
)
def test_leads_without_a_model_get_advice(leads, fix):
    if leads == LEADS:  # all twelve are known: the largest set that a model reads is used
        assert default_model(leads).stem == "i-ii-v2-v5-int8"
        return
    with pytest.raises(LeadMismatchError, match="no shipped model for") as e:
        default_model(leads)
    assert fix in e.value.fix


def test_channels_without_a_model_for_any_electrodes_get_advice(monkeypatch):
    some = {name: path for name, path in shipped_models().items() if not name.startswith("any-electrode")}
    monkeypatch.setattr(shipped, "shipped_models", lambda: some)
    for leads, fix in ((("aVF",), "ecg-edge info"), (("RA-V5",), "ecg-edge train --leads any-electrode")):
        with pytest.raises(LeadMismatchError) as e:
            default_model(leads)
        assert fix in e.value.fix


def test_a_build_without_models_says_so(monkeypatch):
    monkeypatch.setattr(shipped, "shipped_files", list)
    assert shipped_models() == {}
    with pytest.raises(ModelFileError, match="contains no model"):
        default_model(("I",))


def test_a_name_a_file_name_and_a_path_are_resolved():
    assert resolve("i-ii-int8") == shipped_models()["i-ii-int8"]
    assert resolve("i-ii-int8.tflite").suffix == ".tflite" and resolve("i-ii-int8.tflite").is_file()
    assert resolve("i-ii-int8.onnx").suffix == ".onnx"
    assert resolve("elsewhere/x.onnx") == Path("elsewhere/x.onnx") == resolve(Path("elsewhere/x.onnx"))


def test_every_name_has_a_file_of_each_format():
    stems = {p.stem for p in shipped_files()}
    assert stems == set(shipped_models())
    for suffix in (".onnx", ".tflite"):
        assert {p.stem for p in shipped_files() if p.suffix == suffix} == stems


@pytest.fixture
def runtimes(monkeypatch):
    """Say which runtimes are installed, and which of them can be loaded."""

    def set_(installed, loads):
        monkeypatch.delenv("ECG_EDGE_RUNTIME", raising=False)
        monkeypatch.setattr(shipped, "_installed", lambda name: name in installed)
        monkeypatch.setattr(shipped, "_loads", lambda name: name in loads)

    return set_


BOTH = ("onnxruntime", "ai_edge_litert")


@pytest.mark.parametrize(
    ("installed", "loads", "wanted", "suffix"),
    [
        (BOTH, BOTH, "", ".onnx"),
        (BOTH, BOTH, "litert", ".tflite"),
        (BOTH, BOTH, "something", ".onnx"),
        (BOTH, ("ai_edge_litert",), "", ".tflite"),
        (BOTH, ("onnxruntime",), "litert", ".onnx"),
        (("onnxruntime",), ("onnxruntime",), "litert", ".onnx"),
        (("ai_edge_litert",), ("ai_edge_litert",), "", ".tflite"),
        (("tflite_runtime",), ("tflite_runtime",), "", ".tflite"),
    ],
)
def test_the_format_is_the_one_this_machine_can_run(runtimes, monkeypatch, installed, loads, wanted, suffix):
    runtimes(installed, loads)
    if wanted:
        monkeypatch.setenv("ECG_EDGE_RUNTIME", wanted)
    assert {p.suffix for p in shipped_models().values()} == {suffix}


def test_a_runtime_that_raises_anything_on_import_does_not_load(tmp_path, monkeypatch):
    (tmp_path / "broken_runtime_of_a_test.py").write_text("raise OSError('libX.so: no such file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert not shipped._loads("broken_runtime_of_a_test") and shipped._loads("json")
    assert shipped._installed("broken_runtime_of_a_test") and not shipped._installed("no_such_module_at_all")
    assert "broken_runtime_of_a_test" not in sys.modules


SPECS = {name: read_description(path)[1] for name, path in shipped_models().items()}


@pytest.mark.parametrize("name", ["I-II-INT8", "i_ii_int8", " I-II-int8.ONNX "])
def test_case_and_dashes_of_a_name_do_not_matter(name):
    assert resolve(name) == resolve("i-ii-int8")


def test_a_file_that_is_called_like_a_shipped_model_is_taken_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "I-II-INT8").write_bytes(b"mine")
    assert resolve("I-II-INT8") == Path("I-II-INT8")


@pytest.mark.parametrize(("name", "near"), [("i-ii-int", "i-ii-int8"), ("ANY_INT", "any-int8"), ("ii", "ii-int8")])
def test_a_mistyped_name_is_answered_by_the_nearest(name, near):
    with pytest.raises(ModelFileError, match="cannot read model") as e:
        read_description(name)
    assert near in e.value.fix and "ecg-edge info" in e.value.fix


@pytest.mark.parametrize("name", ["quite another", "there/i-ii-int"])
def test_a_path_and_a_name_like_none_are_answered_by_the_list(name):
    with pytest.raises(ModelFileError) as e:
        read_description(name)
    assert e.value.fix == "ecg-edge info lists the shipped models"


def test_the_pages_state_how_long_the_shipped_models_settle():
    times = [read_description(name)[1].settling_s for name in shipped_models()]
    stated = f"{min(times):.1f} to {max(times):.1f} s"
    docs = Path(__file__).resolve().parents[3] / "docs"
    for page in ("python.md", "tutorials/2-board.md", "reference/recording.md"):
        assert stated in (docs / page).read_text(), f"{page} must say {stated}"
