import itertools
import os
import pty
import threading
import tty
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecg_edge.device.live.execute import execute
from ecg_edge.device.live.options import Options
from ecg_edge.device.sources import open_source as sources
from ecg_edge.device.sources.open_source import only_port, open_source
from ecg_edge.device.sources.paced_source import PacedSource
from ecg_edge.device.sources.replay_source import read_recording
from ecg_edge.device.sources.rescaled import RescaledSource
from ecg_edge.device.sources.synthetic_source import synthetic
from ecg_edge.firmware_bridge.clock import ManualClock, SystemClock
from ecg_edge.firmware_bridge.errors import PortNotFoundError, RecordingError, UsageError
from ecg_edge.firmware_bridge.events import SampleBlock
from ecg_edge.firmware_bridge.ports.reader import Reader
from ecg_edge.firmware_bridge.ports.transport import PortInfo
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart


def everything(source):
    out = []
    while not source.ended:
        out += source.get(0.2)
    return out


def stored(folder, name="r", units=("mV", "uV"), labels=("MLII", "AVR"), n=1500):
    rng = np.random.default_rng(0)
    counts = rng.integers(-2000, 2000, (n, 2))
    counts[700:750, 1] = -32768
    wfdb.wrsamp(
        name, fs=360, units=list(units), sig_name=list(labels), d_signal=counts, fmt=["16", "16"],
        adc_gain=[200.0, 0.5], baseline=[10, 0], write_dir=str(folder),
    )  # fmt: skip
    return str(folder / name), counts


def test_a_record_is_played_as_it_is(tmp_path):
    path, counts = stored(tmp_path)
    info, blocks = read_recording(path + ".hea")
    assert info.leads == ("II", "aVR") and info.fs == 360 and info.samples_per_frame == 7
    blocks = list(blocks)
    assert [b.index for b in blocks] == list(range(0, 1500, 7))
    valid = np.concatenate([b.valid for b in blocks])
    assert (valid == (counts != -32768)).all()
    mv = np.concatenate([b.mv for b in blocks])
    assert np.allclose(mv[:, 0], (counts[:, 0] - 10) / 200, atol=1e-6)
    assert np.allclose(mv[valid[:, 1], 1], counts[valid[:, 1], 1] / 0.5 / 1000, atol=1e-6)
    back = np.concatenate([b.counts for b in blocks])
    assert (back[valid] == counts[valid]).all()
    assert np.allclose(info.channels[1].lsb_mv * back[:, 1], mv[:, 1], atol=1e-6)


def test_a_long_record_is_read_in_pieces_without_a_seam(tmp_path):
    path, counts = stored(tmp_path, n=360 * 130)
    _, blocks = read_recording(path)
    assert (np.concatenate([b.counts for b in blocks])[:, 0] == counts[:, 0]).all()


@pytest.mark.parametrize("damage", ["missing", "no data", "empty", "nonsense"])
def test_records_that_cannot_be_read(tmp_path, damage):
    path, _ = stored(tmp_path)
    if damage == "missing":
        path += "x"
    elif damage == "no data":
        (tmp_path / "r.dat").unlink()
    elif damage == "empty":
        (tmp_path / "r.hea").write_text("r 0 250 0\n")
    else:
        (tmp_path / "r.hea").write_bytes(b"\xff\xfe\0garbage")
    with pytest.raises(RecordingError) as e:
        list(read_recording(path)[1])
    assert e.value.fix


def test_paced_sources_keep_the_time_of_their_signal(tmp_path):
    path, _ = stored(tmp_path)
    clock = ManualClock()
    events = everything(open_source(f"replay:{path}", clock))
    assert clock.monotonic() == pytest.approx(1500 / 360, abs=0.01)
    for b in events[1:]:
        assert b.arrival == pytest.approx((b.index + len(b)) / 360, abs=1e-6)
    fast = ManualClock()
    assert len(everything(open_source(f"replay:{path}", fast, fast=True))) == len(events)
    assert fast.monotonic() == 0


def test_the_synthetic_heart_is_the_one_asked_for():
    info, blocks = synthetic("leads=V2,II&fs=500&seed=4&bpm=90")
    first = [next(blocks) for _ in range(100)]
    want = SyntheticHeart(500, ("V2", "II"), 90, 4).read(1000)
    assert info.leads == ("V2", "II")
    assert np.abs(np.concatenate([b.mv for b in first]) - want).max() <= 0.00051
    assert all(isinstance(b, SampleBlock) and b.index == 10 * k for k, b in enumerate(first))


@pytest.mark.parametrize("text", ["fs", "fs=abc", "fs=1/0", "bpm=1000", "seed=x", "leads=", "leads=Q", "colour=red"])
def test_bad_parameters_are_named(text):
    with pytest.raises(UsageError, match="synthetic:"):
        synthetic(text)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "leads", "fs"), [("wearable/data_101_6", ("I", "II"), 200), ("nstdb/118e06", ("II", "V1"), 360)]
)
def test_real_records_come_through_whole(data_folder, name, leads, fs):
    path = str(data_folder / name)
    info, blocks = read_recording(path)
    assert info.leads == leads and info.fs == fs
    stored = wfdb.rdrecord(path, sampto=20_000)
    mv = np.concatenate([b.mv for b in itertools.islice(blocks, 20_000 // info.samples_per_frame)])
    assert np.nanmax(np.abs(mv - stored.p_signal[: len(mv)])) < 1e-5


def test_auto_takes_the_only_port(monkeypatch):
    ports = [PortInfo("/dev/ttyS0", "n/a")]
    monkeypatch.setattr(sources, "list_ports", lambda: ports)
    with pytest.raises(PortNotFoundError, match="demo"):
        only_port()
    ports.append(PortInfo("/dev/ttyACM0", "board", 1, 2))
    monkeypatch.setattr(
        sources, "recognise", lambda port, clock, baud, report, opener: "cyton" if "ACM0" in port else "ecglink"
    )
    source = open_source("auto", ManualClock())
    assert source.url == "/dev/ttyACM0" and isinstance(source, Reader)
    ports.append(PortInfo("/dev/ttyACM1", "other", 1, 2))
    with pytest.raises(UsageError, match="more than one"):
        only_port()


def test_a_source_knows_how_it_is_called(tmp_path):
    path, _ = stored(tmp_path)
    for url in (f"replay:{path}", "synthetic:seed=4", "/dev/none", "tcp://127.0.0.1:1"):
        source = open_source(url, ManualClock())
        assert source.url == url
        assert RescaledSource(source, {}).url == url


def test_stopping_a_paced_source_wakes_it():
    clock = ManualClock()
    source = PacedSource(*synthetic(""), clock)
    source.start()
    source.get(0.2)
    source.stop()
    assert source.get(0.2) and source.dropped_blocks == 0


def test_a_device_is_named_and_brings_its_decoder_and_speed():
    source = open_source("/dev/none", ManualClock(), device="openbci-cyton", gain=12)
    assert isinstance(source, Reader)
    for device, gain, message in [
        ("cytron", None, "cyton"),
        (None, 5.0, "carries its own scale"),
        ("cyton", -1.0, "is no gain"),
    ]:
        with pytest.raises(UsageError, match=message):
            open_source("/dev/none", ManualClock(), device=device, gain=gain)


@pytest.mark.data
def test_a_real_devices_bytes_run_live(captures, tmp_path):
    """OpenBCI Cyton at a serial port: its samples reach the recording count for count, its leads the network."""
    name = captures / "openbci_cyton_plain"
    truth = np.load(f"{name}.expected_counts.npy")[:5000]
    master, slave = pty.openpty()
    tty.setraw(slave)
    data = Path(f"{name}.bin").read_bytes()[: 33 * 5100]

    def board():
        os.read(master, 1)  # it sends when it is told to start
        for k in range(0, len(data), 990):
            os.write(master, data[k : k + 990])

    feeder = threading.Thread(target=board, daemon=True)
    feeder.start()
    options = Options(source=os.ttyname(slave), out=str(tmp_path), seconds=20, device="cyton", reconnect=False)
    summary = execute(options, SystemClock(), threading.Event())
    feeder.join(10)
    os.close(slave)
    os.close(master)
    assert summary.error is None
    assert summary.counts.samples_in == 5000 and summary.counts.lost == 0
    assert summary.info.leads[:3] == ("I", "II", "V1")
    record = wfdb.rdrecord(f"{summary.recording}_measured", physical=False)
    assert (record.d_signal == truth).all()


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("synthetic:", {"gain": 5.0}),
        ("synthetic:", {"baud": 9600}),
        ("synthetic:", {"device": "cyton"}),
        ("replay:r", {"device": "auto"}),
        ("brainflow:0", {"gain": 2.0}),
        ("tcp://localhost:1", {"baud": 9600}),
    ],
)
def test_what_does_nothing_for_a_source_is_refused(url, given):
    [name] = given
    with pytest.raises(UsageError, match=f"{name} .*does nothing for {url.partition(':')[0]}:") as e:
        open_source(url, **given)
    assert f"leave {name} out" in e.value.fix
