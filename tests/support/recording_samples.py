"""A small sample of every format, made from nothing: ``python -m tests.support.recording_samples DIR``."""

import sys
from pathlib import Path

import numpy as np

from tests.support import stored_files

FS, SECONDS = 250, 12
START = "20190305100000"
KINDS = (
    "wfdb",
    "cinc",
    "wfdb-segments",
    "edf",
    "edf+c",
    "edf+d",
    "bdf",
    "csv",
    "csv-comma",
    "tsv",
    "npz",
    "mat",
    "aecg",
    "dicom",
    "parquet",
)
DATED = {"wfdb", "edf", "edf+c", "edf+d", "bdf", "aecg", "dicom", "parquet"}
"""Formats whose samples say when they were taken: 5 March 2019, 10:00."""
EXACT = {"npz", "mat", "csv", "csv-comma", "tsv"}


def mv():
    """What every sample holds: twelve leads, shape (3000, 12), in mV."""
    return stored_files.twelve(SECONDS, FS)


def make(folder, kind):
    """Write a sample and return the path to open."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return _MAKERS[kind](folder, mv())


def _wfdb(folder, x):
    line = f"sample 12 {FS} {len(x)} 10:00:00 05/03/2019"
    return stored_files.wfdb_record(
        folder, "sample", x, FS, stored_files.TWELVE, line=line, comments=["age: 60", "sex: F"]
    )


def _cinc(folder, x):
    counts = np.rint(x * 1000).astype("<i2")
    head = np.array([30, 12, len(x), 0, 4], "<i4").tobytes() + b"val\0"
    (folder / "A0001.mat").write_bytes(head + counts.tobytes())
    lines = [f"A0001 12 {FS} {len(x)}", *(f"A0001.mat 16+24 1000/mV 16 0 0 0 0 {lead}" for lead in stored_files.TWELVE)]
    (folder / "A0001.hea").write_text("\n".join([*lines, "#Age: 60", "#Sex: Female"]) + "\n")
    return folder / "A0001.mat"


def _segments(folder, x):
    for k in range(2):
        stored_files.wfdb_record(folder, f"s{k}", x[k * 1500 : k * 1500 + 1500], FS, stored_files.TWELVE)
    (folder / "m.hea").write_text(f"m/2 12 {FS} {len(x)}\ns0 1500\ns1 1500\n")
    return folder / "m"


def _signals(x):
    return [(f"ECG {lead}", "uV", x[:, k] * 1000, FS) for k, lead in enumerate(stored_files.TWELVE)]


def _edf(folder, x, kind="", onsets=None):
    about = "Startdate 05-MAR-2019 X X X"
    return stored_files.edf(folder / "sample.edf", _signals(x), kind=kind, onsets=onsets, about=about)


def _bdf(folder, x):
    path = _edf(folder, x)
    data, head = path.read_bytes(), 256 * 13
    counts = np.frombuffer(data[head:], "<i2").astype("<i4") * 256
    body = counts.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    text = data[:head].replace(b"-32768  ", b"-8388608").replace(b"32767   ", b"8388352 ")
    (folder / "sample.bdf").write_bytes(b"\xffBIOSEMI" + text[8:] + body)
    return folder / "sample.bdf"


def _table(folder, x, suffix, **how):
    heads = ("time [s]", *(f"{lead} [mV]" for lead in stored_files.TWELVE))
    return stored_files.table(folder / f"sample.{suffix}", x, FS, heads, **how)


def _npz(folder, x):
    np.savez(folder / "sample.npz", mv=x, fs=FS, leads=np.array(stored_files.TWELVE), index=np.arange(len(x)) + 7)
    return folder / "sample.npz"


def _mat(folder, x):
    from scipy.io import savemat

    names = np.array(stored_files.TWELVE, object)
    savemat(folder / "sample.mat", {"ecg": x.T, "fs": float(FS), "leads": names, "unit": "mV"})
    return folder / "sample.mat"


def _aecg(folder, x):
    def sequence(code, value):
        return f'<component><sequence><code code="{code}"/>{value}</sequence></component>'

    time = f'<value><head value="{START}"/><increment value="0.004" unit="s"/></value>'
    leads = "".join(
        sequence(
            f"MDC_ECG_LEAD_{lead.upper() if lead[0] != 'a' else lead}",
            '<value><origin value="0" unit="uV"/><scale value="1" unit="uV"/><digits>'
            + " ".join(str(v) for v in np.rint(x[:, k] * 1000).astype(int))
            + "</digits></value>",
        )
        for k, lead in enumerate(stored_files.TWELVE)
    )
    who = '<name>Müller</name><administrativeGenderCode code="F"/><birthTime value="19590101"/>'
    who = f'<id extension="7"/><subjectDemographicPerson>{who}</subjectDemographicPerson>'
    person = f"<subject><trialSubject>{who}</trialSubject></subject>"
    (folder / "sample.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><AnnotatedECG xmlns="urn:hl7-org:v3">'
        f"<componentOf>{person}</componentOf>"
        f'<component><series><effectiveTime><low value="{START}"/></effectiveTime><component><sequenceSet>'
        f"{sequence('TIME_ABSOLUTE', time)}{leads}</sequenceSet></component></series></component></AnnotatedECG>",
        encoding="utf-8",
    )
    return folder / "sample.xml"


def _dicom(folder, x):
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.9.1.1"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.PatientID, data.PatientName, data.PatientSex = "7", "Müller^A", "F"
    data.PatientBirthDate, data.AcquisitionDateTime, data.Modality = "19590101", START, "ECG"
    group, channels = Dataset(), []
    for lead in stored_files.TWELVE:
        channel, source, unit = Dataset(), Dataset(), Dataset()
        source.CodeValue, source.CodingSchemeDesignator, source.CodeMeaning = "x", "MDC", f"Lead {lead}"
        unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "uV", "UCUM", "microvolt"
        channel.ChannelSourceSequence, channel.ChannelSensitivityUnitsSequence = [source], [unit]
        channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor, channel.ChannelBaseline = 2.5, 1, 0
        channel.WaveformBitsStored = 16
        channels.append(channel)
    group.ChannelDefinitionSequence, group.NumberOfWaveformChannels = channels, 12
    group.NumberOfWaveformSamples, group.SamplingFrequency = len(x), FS
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.WaveformOriginality = "ORIGINAL"
    group.WaveformData = np.rint(x * 400).astype("<i2").tobytes()
    data.WaveformSequence = [group]
    pydicom.dcmwrite(folder / "sample.dcm", data, enforce_file_format=True)
    return folder / "sample.dcm"


def _parquet(folder, x):
    """A table of ours: the sample of WFDB, converted."""
    from ecg_edge.device.offline.write_recording import write_recording
    from ecg_edge.device.recording.stored_recording import read_stored

    path = folder / "sample.parquet"
    write_recording(read_stored(str(_wfdb(folder, x))), path, "parquet")
    return path


_MAKERS = {
    "wfdb": _wfdb,
    "cinc": _cinc,
    "wfdb-segments": _segments,
    "edf": _edf,
    "edf+c": lambda folder, x: _edf(folder, x, "EDF+C"),
    "edf+d": lambda folder, x: _edf(folder, x, "EDF+D", list(range(SECONDS))),
    "bdf": _bdf,
    "csv": lambda folder, x: _table(folder, x, "csv"),
    "csv-comma": lambda folder, x: _table(folder, x, "csv", separator=";", decimal=","),
    "tsv": lambda folder, x: _table(folder, x, "tsv", separator="\t"),
    "npz": _npz,
    "mat": _mat,
    "aecg": _aecg,
    "dicom": _dicom,
    "parquet": _parquet,
}

if __name__ == "__main__":
    for name in KINDS:
        sys.stdout.write(f"{make(Path(sys.argv[1]) / name, name)}\n")
