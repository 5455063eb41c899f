"""Strangers read our emulated devices: BrainFlow's own drivers, in a process of their own, over a pseudo-terminal."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from ecg_edge.firmware_bridge.emulators.assemble import parse_rate
from ecg_edge.firmware_bridge.emulators.catalogue import find_emulated
from ecg_edge.firmware_bridge.virtual_patch.link_pty import PtyLink
from ecg_edge.firmware_bridge.virtual_patch.patch import PatchOptions, VirtualPatch
from ecg_edge.firmware_bridge.virtual_patch.signal_source import ArraySource

pytest.importorskip("brainflow", reason="needs the extra brainflow")

# Before Python 3.12 BrainFlow finds its library with pkg_resources, which new setuptools no longer have.
ECG_ROWS = slice(10, 14)
DRIVER = """
import json, pathlib, sys, threading, types
import brainflow, numpy as np
folder = pathlib.Path(brainflow.__file__).parent
finder = types.SimpleNamespace(resource_filename=lambda _, path: str(folder / path))
sys.modules.setdefault("pkg_resources", finder)
from brainflow.board_shim import BoardShim, BrainFlowInputParams

board_id, port, n, out, *settings = sys.argv[1:]
BoardShim.disable_board_logger()
params = BrainFlowInputParams()
params.serial_port = port
board = BoardShim(int(board_id), params)
board.prepare_session()
said = [board.config_board(setting) for setting in settings]
board.start_stream()
pause = threading.Event()
for _ in range(500):
    if board.get_board_data_count() >= int(n):
        break
    pause.wait(0.02)
np.save(out, board.get_board_data())
board.stop_stream()
board.release_session()
print(json.dumps(said))
"""


def read_by_brainflow(tmp_path, board_id, name, counts, settings=(), fs=None):
    """Be the device for BrainFlow; return its table (one column per sample) and what the board answered."""
    device = find_emulated(name)
    info = device.info(fs=parse_rate(fs))
    source = ArraySource(info, counts)
    link, stop, out = PtyLink(), threading.Event(), tmp_path / "data.npy"
    patch = VirtualPatch(source, link, PatchOptions(), voice=device.voice(info, source.info))
    thread = threading.Thread(target=patch.run, args=(stop,))
    thread.start()
    try:
        args = [str(board_id), link.address, str(len(counts)), str(out), *settings]
        done = subprocess.run([sys.executable, "-c", DRIVER, *args], capture_output=True, text=True, timeout=30)
    finally:
        stop.set()
        thread.join()
        link.close()
    assert done.returncode == 0, done.stderr
    assert patch.log.ranges == [] and patch.tally.sent == len(counts)
    return np.load(out), done.stdout


def test_its_cyton_driver_gets_every_sample_and_sets_the_gain(tmp_path):
    counts = np.random.default_rng(1).integers(-(2**20), 2**20, (1000, 8), dtype=np.int32)
    table, said = read_by_brainflow(tmp_path, 0, "cyton", counts, ["x2040000X"], fs="1000")
    assert "Success: Channel set for 2" in said
    assert table.shape[1] == 1000
    np.testing.assert_array_equal(table[0], np.arange(1000) % 256)
    got = np.rint(table[1:9] / (4.5e6 / 24 / (2**23 - 1))).astype(int).T
    expected = counts.astype(int)
    # The driver keeps account of the gain: volts stay what they are, their step is three times as coarse.
    expected[:, 1] = np.rint(counts[:, 1] * (8 / 24)) * 3
    np.testing.assert_array_equal(got, expected)
    assert set(table[12]) == {0xC0}


def test_its_shimmer3_driver_gets_every_sample_through_inquiry_and_acks(tmp_path):
    counts = np.zeros((1024, 7), np.int32)
    counts[:, :4] = np.random.default_rng(2).integers(-(2**23) + 1, 2**23, (1024, 4))
    table, said = read_by_brainflow(tmp_path, 68, "shimmer3", counts, ["sensors:000018"], fs="1024")
    assert "OK" in said and table.shape[1] == 1024
    np.testing.assert_array_equal(table[0], np.arange(1024))
    np.testing.assert_array_equal(table[ECG_ROWS].astype(int).T, counts[:, :4])
