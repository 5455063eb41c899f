import numpy as np
import pytest

from ecg_edge.firmware_bridge.errors import EcgEdgeError
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording

ROWS = "\n".join(f"{k / 250:.3f},{k % 7 / 10},{k % 5 / 10},{k % 3 / 10},{k % 11 / 10}" for k in range(2500))
HEAD = "time_s,I_mV,II_mV,V1_mV,V2_mV"


def table(tmp_path, *lines, head=HEAD):
    path = tmp_path / "a.csv"
    path.write_text("\n".join([*lines, head, ROWS]) + "\n")
    return open_recording(str(path))


@pytest.mark.parametrize("lines", [("# measured: I II V1 V2", "# reconstructed: V1 V2"),
                                   ("# reconstructed: V1, V2", "# measured: I, II, V1, V2")])  # fmt: skip
def test_of_two_claims_the_weaker_holds_and_the_contradiction_is_reported(tmp_path, lines):
    recording = table(tmp_path, *lines)
    assert [s.provenance for s in recording.signals] == ["measured", "measured", "reconstructed", "reconstructed"]
    assert "V1 is called measured and reconstructed: taken as reconstructed" in recording.assumed
    assert [s.lead.lead for s in recording.measured().signals] == ["I", "II"]


def test_a_line_against_the_label_is_a_contradiction_too(tmp_path):
    recording = table(tmp_path, "# measured: I, II, V1, V2", head="time_s,I,II,V1 (reconstructed),V2_est_mV")
    assert [s.provenance for s in recording.signals][2:] == ["reconstructed", "reconstructed"]
    assert any("V2 is called measured and reconstructed" in text for text in recording.assumed)


def test_the_same_lines_in_a_wfdb_header_hold(tmp_path):
    x = np.rint(200 * np.sin(np.arange(5000).reshape(-1, 2) / 9)).astype("<i2")
    x.tofile(tmp_path / "b.dat")
    lines = [f"b.dat 16 1000/mV 16 0 0 0 0 {name}" for name in ("II", "V1")]
    (tmp_path / "b.hea").write_text("\n".join(["b 2 250 2500", *lines, "# Reconstructed: V1"]) + "\n")
    assert [s.provenance for s in open_recording(str(tmp_path / "b")).signals] == ["", "reconstructed"]


def test_two_columns_of_a_lead_keep_their_labels(tmp_path):
    head = "time_s,I (measured),II (measured),II (reconstructed),V1 (reconstructed)"
    recording = table(tmp_path, "# measured: I, II", head=head)
    assert [s.provenance for s in recording.signals] == ["measured", "measured", "reconstructed", "reconstructed"]
    assert not any("is called" in text for text in recording.assumed)


def test_intervals_are_never_channels(tmp_path):
    recording = table(tmp_path, head="time_s,I (measured),II (measured),interval V1,interval V2 (measured)")
    assert [s.name for s in recording.measured().signals] == ["I", "II"]
    with pytest.raises(EcgEdgeError, match="holds no measured lead"):
        table(tmp_path, head="time_s,V1 est,V2 est,interval V1,interval V2").measured()
