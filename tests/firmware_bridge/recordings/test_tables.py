"""Tables of any dialect."""

import numpy as np
import pytest

from ecg_edge.firmware_bridge.errors import EcgEdgeError, NotAnEcgStreamError, RecordingError
from ecg_edge.firmware_bridge.ports.capture_file import decode_bytes
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from tests.support import stored_files

MV = stored_files.beats()


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"heads": ("time (us)", "I", "II"), "tick": 1e6},
        {"heads": ("time (ms)", "I", "II"), "tick": 1e3},
        {"heads": ("Timestamp", "DI", "DII"), "tick": 1e3},
        {"heads": ("Zeit [s]", "Ableitung I [mV]", "Ableitung II [mV]"), "separator": ";", "decimal": ","},
        {"separator": "\t"},
        {"above": ("Device: X", "Patient: Y", "")},
        {"heads": ("I [mV]", "II [mV]"), "tick": 0, "above": ("Sample Rate,250 Hz",)},
    ],
)
def test_dialects(tmp_path, how):
    recording = open_recording(stored_files.table(tmp_path / "r.csv", MV, **how))
    columns = [recording.leads()[x] for x in ("I", "II")]
    assert recording.one_rate(columns) == 250
    np.testing.assert_allclose(recording.mv(columns), MV, atol=1e-5)


def test_a_cell_that_is_no_number_is_named_by_line_and_cell(tmp_path):
    path = stored_files.table(tmp_path / "r.csv", MV)
    lines = path.read_text().splitlines()
    lines[1000] = lines[1000].rsplit(",", 1)[0] + ",oops"
    path.write_text("\n".join(lines))
    with pytest.raises(RecordingError, match="line 1001, cell 3: 'oops'"):
        open_recording(path)


def test_a_table_without_a_rate_asks_for_it(tmp_path):
    path = stored_files.table(tmp_path / "r.csv", MV, heads=("I [mV]", "II [mV]"), tick=0)
    with pytest.raises(EcgEdgeError) as e:
        open_recording(path)
    assert "fs" in e.value.fix
    assert open_recording(path, 250).signals[0].fs == 250


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ({"above": ("Messrate,512 Hertz", "Einheit,µV", "")}, "Messrate"),
        ({"heads": ("time", "I", "II")}, "time"),
        ({"heads": ("I", "II"), "tick": 0, "separator": ";", "decimal": ","}, "decimal commas"),
    ],
)
def test_a_table_is_not_taken_for_what_a_device_sent(tmp_path, how, named):
    data = stored_files.table(tmp_path / "r.csv", MV, **how).read_bytes()
    with pytest.raises(NotAnEcgStreamError, match=named):
        decode_bytes("auto", data)


@pytest.mark.parametrize("text", ["I:{a}\tII:{b}\r\n", "{a} {b}\n", "{a},{b}\n"])
@pytest.mark.parametrize("boot", ["", "AD8232 ready\r\n", "I,II\n"])
def test_what_a_sketch_prints_is_still_known(text, boot):
    rows = "".join(text.format(a=int(500 + 100 * a), b=int(500 + 100 * b)) for a, b in MV)
    assert decode_bytes("auto", (boot + rows).encode()).info.device == "plotter"


@pytest.mark.parametrize("kind", ["edf", "hea", "npz"])
def test_other_recordings_are_no_stream_either(tmp_path, kind):
    if kind == "edf":
        data = stored_files.edf(tmp_path / "r.edf", [("ECG II", "uV", MV[:, 1] * 1000, 250)]).read_bytes()
    elif kind == "hea":
        data = stored_files.wfdb_record(tmp_path, "r", MV).read_bytes()
    else:
        np.savez(tmp_path / "r.npz", mv=MV)
        data = (tmp_path / "r.npz").read_bytes()
    with pytest.raises(NotAnEcgStreamError, match="not what a device sent"):
        decode_bytes("auto", data)
