"""What a program passes by mistake is answered by an error that names the right way."""

import numpy as np
import pytest

import ecg_edge as ee


class Faulty:
    """A decoder of somebody else that does not work."""

    def __init__(self, device):
        self._inner = ee.find_device(device).decoder()

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def feed(self, data, arrival=0.0):
        raise KeyError("k")


@pytest.mark.parametrize(
    ("call", "fix"),
    [
        (lambda: ee.reconstruct(np.zeros((500, 2)), fs=250, leads=None), "leads=('I', 'II')"),
        (lambda: ee.Reconstructor(fs=250, leads=7), "leads=('I', 'II')"),
        (lambda: ee.Reconstructor(1, fs=250, leads="I,II"), "load_model('i-ii-int8')"),
        (lambda: ee.load_model(None), "load_model('i-ii-int8')"),
        (lambda: ee.reconstruct(np.zeros(500), fs=250, leads="I").lead(3), "block.lead('V2')"),
        (lambda: ee.decode_bytes(b"512 \n" * 300, "plotter"), "name the device first"),
        (lambda: ee.decode_bytes("plotter", "512"), "name the device first"),
        (lambda: ee.decode_bytes(None, b"x"), "pass a fresh object"),
        (lambda: ee.decode_bytes(Faulty, b"x"), "pass a fresh object"),
        (lambda: ee.decode_bytes(ee.find_device("cyton"), b"x"), "pass a fresh object"),
        (lambda: ee.decode_bytes("plotter", b"512 \n" * 300, times=3), "leave times out"),
        (lambda: ee.decode_bytes("plotter", b"512 \n" * 300, times="now"), "leave times out"),
        (lambda: ee.decode_bytes("plotter", b"512 \n" * 300, times=np.array([[0, 1], [9e9, 2]])), "leave times out"),
        (lambda: ee.Recorder("there", rotate=3), 'rotate="1h"'),
        (lambda: ee.find_device(None), "find_device('cyton')"),
        (lambda: ee.open_source("synthetic:", gain=3.0), "leave gain out"),
        (lambda: ee.open_source(None), "replay:RECORDING"),
        (lambda: ee.open_source("/dev/ttyNONE", fs=float("nan")), "fs=250"),
        (lambda: ee.open_source("/dev/ttyNONE", baud="fast"), "9600"),
        (lambda: ee.open_stream(5).__enter__(), "replay:RECORDING"),
        (lambda: ee.run(None), "replay:RECORDING"),
        (lambda: ee.run("synthetic:", seconds="3"), "a number above 0"),
        (lambda: ee.run("synthetic:", seconds=True), "a number above 0"),
        (lambda: ee.run("synthetic:", calibration=5), "pass a Path"),
        (lambda: ee.run("synthetic:", calibration=""), "pass a Path"),
        (lambda: ee.calibrate("i-ii-int8", [np.zeros((500, 12))], fs=250, leads=("V5",)), "leave leads out"),
        (lambda: ee.open_source("/dev/ttyNONE", device=Faulty), "device=Faulty()"),
        (lambda: ee.open_source("/dev/ttyNONE", fs="250"), "fs=250"),
        (lambda: ee.open_stream("/dev/ttyNONE", fs="250"), "fs=250"),
        (lambda: ee.run("/dev/ttyNONE", fs=b"250"), "fs=250"),
        (lambda: ee.load_model(""), "load_model('i-ii-int8')"),
        (lambda: ee.reconstruct(np.zeros(500), fs=250, leads="I", model=""), "load_model('i-ii-int8')"),
        (lambda: ee.Recorder(None), "pass a Path"),
        (lambda: ee.Recorder(""), "pass a Path"),
        (lambda: ee.read_calibration(5), "pass a Path"),
        (lambda: ee.write_calibration("x.json", 5), "ee.calibrate"),
        (lambda: ee.measure(np.zeros((500, 12))), "ee.reconstruct"),
        (lambda: ee.calibrate("i-ii-int8", [np.zeros((500, 12))], fs=250, mains_hz=55), "mains_hz=50 or 60"),
        (lambda: ee.calibrate("i-ii-int8", np.zeros((500, 12)), fs=250), "[reference]"),
        (lambda: ee.calibrate("i-ii-int8", "p1.hea"), "[reference]"),
    ],
)
def test_it_is_a_usage_error_with_the_right_way(call, fix):
    with pytest.raises(ee.UsageError) as e:
        call()
    assert fix in e.value.fix


def test_a_calibration_is_read_before_it_is_passed():
    for given in (5, "p1.json"):
        with pytest.raises(ee.CalibrationError, match="is no calibration") as e:
            ee.Reconstructor(fs=250, leads="I", calibration=given)
        assert "read_calibration" in e.value.fix


def test_a_fault_of_a_strangers_decoder_names_the_decoder():
    with pytest.raises(ee.PluginError, match=r"a fault of Faulty in tests.*, KeyError") as e:
        ee.decode_bytes(Faulty("plotter"), b"512 \n")
    assert "Faulty" in e.value.fix and "ecg-edge doctor" not in e.value.fix


@pytest.mark.parametrize(
    ("url", "fix"),
    [
        ("synthetic:leads=V7", "use one of I, II"),
        ("synthetic:fs=10", "use a rate of 100 Hz or more"),
        ("synthetic:foo=1", "write synthetic:leads=I,II"),
        ("synthetic:seed=x", "write synthetic:leads=I,II"),
    ],
)
def test_an_error_has_one_fix(url, fix):
    with pytest.raises(ee.UsageError) as e:
        ee.open_source(url)
    assert str(e.value).count("fix:") == 1 and e.value.fix.startswith(fix)


class Raises:
    """An array that cannot be read."""

    def __array__(self, *_, **__):
        raise KeyError("mine")


def to_nobody(thing):
    import pickle

    return pickle.dumps(thing)


PROVENANCE = tuple([ee.Provenance.MEASURED] * 12)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: ee.reconstruct(Raises(), fs=250, leads="I"), "mine"),
        (lambda: ee.reconstruct(np.zeros((500, 2)), fs="500", leads="I,II"), "fs='500' is not a rate"),
        (lambda: ee.reconstruct(np.zeros((500, 2)), fs=b"500", leads="I,II"), "fs=b'500' is not a rate"),
        (lambda: ee.reconstruct(np.zeros((500, 1)), fs=250, leads="I II"), "is no lead, but 2"),
        (lambda: ee.reconstruct(np.zeros((500, 1)), fs=250, leads=("I I",)), "is no lead, but 2"),
        (lambda: ee.LeadBlock.empty(0, -1, PROVENANCE), "n=-1"),
        (lambda: ee.LeadBlock.empty(0, 1.5, PROVENANCE), "n=1.5"),
        (lambda: ee.LeadBlock.empty(0, 5, ()), "twelve leads"),
        (lambda: ee.LeadBlock.empty("a", 5, PROVENANCE), "index='a'"),
        (lambda: to_nobody(ee.load_model("ii-int8")), "cannot be pickled"),
        (lambda: to_nobody(ee.Reconstructor(fs=250, leads="II")), "cannot be pickled"),
    ],
)
def test_what_cannot_be_is_a_usage_error(call, says):
    with pytest.raises(ee.UsageError, match=says) as caught:
        call()
    assert caught.value.fix


def test_the_way_out_of_two_leads_in_one_name():
    with pytest.raises(ee.UsageError) as caught:
        ee.reconstruct(np.zeros((500, 2)), fs=250, leads="I II")
    assert caught.value.fix == "name each for itself: leads=('I', 'II')"


def test_objects_that_are_floats_are_read():
    mv = 0.1 * np.sin(np.arange(500.0))
    known = ee.reconstruct(mv, fs=250, leads="I")
    assert ee.reconstruct(mv.astype(object), fs=250, leads="I") == known
    pandas = pytest.importorskip("pandas")
    assert ee.reconstruct(pandas.DataFrame({"I": mv}).astype("Float64"), fs=250, leads="I") == known
    holes = mv.copy()
    holes[300] = np.nan
    table = pandas.DataFrame({"I": mv}).astype("Float64")
    table.iloc[300, 0] = pandas.NA
    assert ee.reconstruct(table, fs=250, leads="I") == ee.reconstruct(holes, fs=250, leads="I")
