"""DICOM, FHIR and parquet: what a recording says is in them, marked as it is, and they reach a server that is named."""

import io
import json
import threading
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.device.hand_on.dicom_writer import AMBULATORY, TWELVE_LEAD, dicom_bytes
from ecg_edge.device.hand_on.fhir import observation
from ecg_edge.device.hand_on.post import post
from ecg_edge.device.lead_algebra import twelve_from_basis
from ecg_edge.device.offline.write_recording import write_recording
from ecg_edge.device.recording.stored_recording import Signal, Stored
from ecg_edge.firmware_bridge.errors import EcgEdgeError, MissingExtraError, RecordingError, UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.recordings.recording import Person
from ecg_edge.train.intervals.known_beats import KnownBeats, make

KINDS = ("measured",) * 2 + ("derived",) * 4 + ("reconstructed",) * 6
START = datetime(2026, 11, 28, 14, 3, 22, tzinfo=timezone(timedelta(hours=1)))


def stored(fs=500, seconds=10, started=START):
    mv = make(KnownBeats(), fs, seconds)[0] @ twelve_from_basis().T
    valid = np.ones(mv.shape, bool)
    valid[100:120, 6] = False
    comments = (
        "model: i-ii-int8.onnx sha256 ecf4 model_id x int8",
        "conditioning: high-pass 0.5 Hz (monitor band), rate 100 Hz, notch 50 Hz",
        "device: Shimmer3 0.11 77",
    )
    return Stored(
        "r", Fraction(fs), started, 0, tuple(Signal(x, k, 1000, 0) for x, k in zip(LEADS, KINDS, strict=True)),
        np.where(valid, np.rint(mv * 1000), 0).astype(np.int32), valid, ((50, "gap"),), comments,
        Person("77", "Müller Anna", "female", date(1959, 1, 1)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fs", "seconds", "kind"), [(500, 10, TWELVE_LEAD), (100, 10, AMBULATORY), (500, 40, AMBULATORY)]
)
def test_dicom_is_read_by_pydicom_as_it_was(fs, seconds, kind):
    pydicom = pytest.importorskip("pydicom")
    want = stored(fs, seconds)
    data = pydicom.dcmread(io.BytesIO(dicom_bytes(want)))
    assert data.SOPClassUID == kind and data.Modality == "ECG"
    assert str(data.PatientName) == "Müller Anna" and data.PatientID == "77" and data.PatientSex == "F"
    assert data.PatientBirthDate == "19590101" and data.AcquisitionDateTime.endswith("+0100")
    group = data.WaveformSequence[0]
    assert group.WaveformOriginality == "DERIVED" and float(group.SamplingFrequency) == fs
    uv = data.waveform_array(0)
    there = want.valid.all(axis=1)
    np.testing.assert_allclose(uv[there] / 1000, want.mv[there], atol=6e-4)
    channels = group.ChannelDefinitionSequence
    assert [c.ChannelSourceSequence[0].CodeValue for c in channels][:4] == ["2:1", "2:2", "2:61", "2:62"]
    assert channels[6].ChannelLabel == "V1 reconstructed"
    assert "not for diagnosis" in channels[6].ChannelDerivationDescription
    assert channels[0].ChannelDerivationDescription == "measured" and float(channels[0].NotchFilterFrequency) == 50
    words = [a.UnformattedTextValue for a in data.WaveformAnnotationSequence]
    assert any("QRS 9" in w for w in words) and any("model" in w for w in words)


def test_a_twelve_lead_dicom_has_its_median_beat_with_provenance():
    pydicom = pytest.importorskip("pydicom")
    want = stored()
    rhythm, beat = pydicom.dcmread(io.BytesIO(dicom_bytes(want))).WaveformSequence
    assert rhythm.MultiplexGroupLabel == "RHYTHM" and beat.MultiplexGroupLabel == "MEDIAN BEAT"
    assert beat.WaveformOriginality == "DERIVED" and float(beat.SamplingFrequency) == 500
    channels = beat.ChannelDefinitionSequence
    assert [c.ChannelLabel for c in channels] == [c.ChannelLabel for c in rhythm.ChannelDefinitionSequence]
    assert channels[0].ChannelDerivationDescription == "median of 9 of 9 beats, measured"
    assert channels[6].ChannelDerivationDescription == "median of 9 of 9 beats, estimate: not for diagnosis"
    uv = pydicom.waveforms.numpy_handler.generate_multiplex(
        pydicom.dcmread(io.BytesIO(dicom_bytes(want))), as_raw=False
    )
    whole, typical = uv
    r = int(np.argmax(typical[:, 1]))
    at = int(np.argmax(whole[:1000, 1]))
    np.testing.assert_allclose(typical[r - 40 : r + 40, :6], whole[at - 40 : at + 40, :6], atol=25)
    assert len(typical) < 700


def test_a_signal_without_beats_has_no_median_beat():
    pydicom = pytest.importorskip("pydicom")
    flat = Stored(**{**stored().__dict__, "counts": np.zeros_like(stored().counts)})
    assert len(pydicom.dcmread(io.BytesIO(dicom_bytes(flat))).WaveformSequence) == 1
    assert len(pydicom.dcmread(io.BytesIO(dicom_bytes(stored(500, 40)))).WaveformSequence) == 1


def test_dicom_comes_back_with_time_person_and_provenance(tmp_path):
    pytest.importorskip("pydicom")
    want = stored()
    write_recording(want, tmp_path / "x.dcm", "dicom")
    got = open_recording(str(tmp_path / "x.dcm"))
    assert not [r for r in got.remarks if "waveforms" in r]
    assert [s.name for s in got.signals] == list(LEADS) and tuple(s.provenance for s in got.signals) == KINDS
    np.testing.assert_allclose(got.mv(range(12)), want.mv, atol=6e-4, equal_nan=True)
    assert got.started == START and got.person.birth == date(1959, 1, 1) and got.person.name == "Müller Anna"


def test_a_rate_dicom_cannot_hold_is_refused():
    pytest.importorskip("pydicom")
    with pytest.raises(RecordingError, match="50 to 1000"):
        dicom_bytes(stored(2000, 4))


@pytest.mark.parametrize("started", [START, START.replace(tzinfo=None), None])
def test_the_observation_is_valid_and_says_what_is_an_estimate(started):
    document = observation(stored(started=started))
    text = json.dumps(document)
    assert json.loads(text) == document
    leads = [c for c in document["component"] if "valueSampledData" in c]
    assert len(leads) == 12 and leads[0]["code"]["coding"][0]["code"] == "MDC_ECG_ELEC_POTL_I"
    data = leads[6]["valueSampledData"]["data"].split()
    assert data[100:120] == ["E"] * 20 and data[0] != "E" and len(data) == 5000
    second = np.array(leads[1]["valueSampledData"]["data"].split(), float) * leads[1]["valueSampledData"]["factor"]
    np.testing.assert_allclose(second, stored().mv[:, 1], atol=6e-4)
    assert "not for diagnosis" in leads[6]["code"]["text"] and "not for diagnosis" not in leads[0]["code"]["text"]
    qrs = next(c for c in document["component"] if c["code"]["coding"][0]["code"] == "8633-0")
    assert qrs["valueQuantity"]["value"] == pytest.approx(92, abs=4) and qrs["valueQuantity"]["code"] == "ms"
    assert document.get("effectiveDateTime", "") == {
        START: "2026-11-28T14:03:22.000+01:00", START.replace(tzinfo=None): "2026-11-28", None: "",
    }[started]  # fmt: skip
    models = pytest.importorskip("fhir.resources.R4B.observation")
    models.Observation.model_validate(document)


def test_what_cannot_be_measured_is_absent_with_its_reason():
    flat = stored()
    flat = Stored(**{**flat.__dict__, "counts": np.zeros_like(flat.counts)})
    document = observation(flat)
    qt = next(c for c in document["component"] if c["code"]["coding"][0]["code"] == "8634-8")
    assert qt["dataAbsentReason"]["text"] == "not identifiable" and "valueQuantity" not in qt


def test_parquet_keeps_units_provenance_and_gaps(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    want = stored()
    write_recording(want, tmp_path / "x.parquet", "parquet")
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table.column_names == ["time", *LEADS] and table.column("V1").null_count == 20
    assert table.schema.field("V1").metadata == {b"unit": b"mV", b"provenance": b"reconstructed"}
    about = json.loads(table.schema.metadata[b"ecg-edge"])
    assert about["fs"] == 500 and about["birth"] == "1959-01-01" and about["notes"] == [[0.1, "gap"]]
    np.testing.assert_allclose(table.column("II").to_numpy(), want.mv[:, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("package", "kind", "extra"), [("pydicom", "dicom", "dicom"), ("pyarrow", "parquet", "parquet")]
)
def test_without_its_package_the_extra_is_named(tmp_path, monkeypatch, package, kind, extra):
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=kind):
        write_recording(stored(), tmp_path / f"x.{kind}", kind)
    assert not list(tmp_path.iterdir())


class Server:
    """A local server that keeps what it is sent, and answers as it is told."""

    def __init__(self, status=201, headers=None):
        self.seen = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.seen.append((self.path, dict(self.headers), body))
                self.send_response(status)
                for name, value in (headers or {"Location": "http://here/Observation/1"}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b'{"issue": "because"}' if status >= 400 else b"")

            def log_message(self, *words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/base"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_fhir_is_posted_with_the_token():
    with Server() as server:
        answer = post(stored(), server.url, "fhir", "secret")
    path, headers, body = server.seen[0]
    assert (answer.status, answer.location) == (201, "http://here/Observation/1")
    assert path == "/base/Observation" and headers["Authorization"] == "Bearer secret"
    assert json.loads(body)["resourceType"] == "Observation"


def test_dicomweb_is_posted_as_one_part_that_pydicom_reads():
    pydicom = pytest.importorskip("pydicom")
    with Server(200) as server:
        post(stored(), server.url, "dicomweb")
    path, headers, body = server.seen[0]
    kind = headers.get("Content-Type") or headers["Content-type"]
    edge = kind.split("boundary=")[1].encode()
    head, data = body.split(b"\r\n\r\n", 1)
    assert path == "/base/studies" and head == b"--" + edge + b"\r\nContent-Type: application/dicom"
    assert data.endswith(b"\r\n--" + edge + b"--\r\n")
    assert pydicom.dcmread(io.BytesIO(data[: -len(edge) - 8])).PatientID == "77"


@pytest.mark.parametrize("status", [401, 404, 422, 500])
def test_a_refusal_is_reported_with_the_servers_words(status):
    with Server(status) as server, pytest.raises(EcgEdgeError, match=str(status)) as e:
        post(stored(), server.url, "fhir")
    assert "because" in e.value.message and e.value.fix


def test_a_redirect_is_not_followed():
    with Server() as other, Server(307, {"Location": other.url}) as server, pytest.raises(EcgEdgeError, match="307"):
        post(stored(), server.url, "fhir", "secret")
    assert other.seen == []


@pytest.mark.parametrize(
    "url", ["http://hospital.example/fhir", "ftp://x/y", "fhir", "https://user:word@host/fhir", "https:///x"]
)
def test_an_address_that_is_none_or_unsafe_is_refused(url):
    with pytest.raises(UsageError):
        post(stored(), url, "fhir")


def test_nobody_listens():
    with Server() as server:
        pass
    with pytest.raises(EcgEdgeError, match="cannot reach"):
        post(stored(), server.url, "fhir")


def test_the_verbs(tmp_path, capsys):
    write_recording(stored(), tmp_path / "r.hea", "wfdb")
    (tmp_path / "token").write_text("secret\n")
    with Server() as server:
        words = ["send", str(tmp_path / "r.hea"), server.url, "--token-file", str(tmp_path / "token"), "--json"]
        assert main(words) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["status"] == 201
    assert server.seen[0][1]["Authorization"] == "Bearer secret"
    assert main(["convert", str(tmp_path / "r.hea"), "--out", str(tmp_path / "x.json"), "--patient", "P9"]) == 0
    document = json.loads((tmp_path / "x.json").read_text())
    assert document["subject"]["identifier"] == {"value": "P9"}
    assert main(["convert", str(tmp_path / "r.hea"), "--out", str(tmp_path / "x.foo")]) == 2


def test_a_second_reader_of_dicom_shows_the_same_millivolts(tmp_path):
    gdcm = pytest.importorskip("gdcm", reason="python-gdcm is not installed")
    want = stored()
    write_recording(want, tmp_path / "x.dcm", "dicom")
    reader = gdcm.Reader()
    reader.SetFileName(str(tmp_path / "x.dcm"))
    assert reader.Read()
    groups = reader.GetFile().GetDataSet().GetDataElement(gdcm.Tag(0x5400, 0x0100)).GetValueAsSQ()
    assert groups.GetNumberOfItems() == 2
    rhythm = groups.GetItem(1).GetNestedDataSet()
    raw = rhythm.GetDataElement(gdcm.Tag(0x5400, 0x1010)).GetByteValue().GetBuffer()
    counts = np.frombuffer(raw.encode("utf-8", "surrogateescape"), "<i2").reshape(-1, 12)
    channels = rhythm.GetDataElement(gdcm.Tag(0x003A, 0x0200)).GetValueAsSQ()
    text = gdcm.StringFilter()
    text.SetFile(reader.GetFile())
    assert channels.GetNumberOfItems() == 12
    for k in range(12):
        sensitivity = channels.GetItem(k + 1).GetNestedDataSet().GetDataElement(gdcm.Tag(0x003A, 0x0210))
        uv = counts[:, k] * float(str(sensitivity.GetValue()))
        there = want.valid[:, k]
        np.testing.assert_allclose(uv[there] / 1000, want.mv[there, k], atol=6e-4)
        assert (counts[~there, k] == -32768).all()


def test_a_second_validator_of_fhir_accepts_the_observation_and_refuses_a_spoilt_one():
    models = pytest.importorskip("fhirclient.models.observation", reason="fhirclient (R4) is not installed")
    from fhirclient.models.fhirabstractbase import FHIRValidationError

    document = json.loads(json.dumps(observation(stored())))
    assert models.Observation(document).as_json() == document
    del document["component"][0]["valueSampledData"]["period"]
    with pytest.raises(FHIRValidationError, match="period"):
        models.Observation(document)
