"""Every device of the catalogue through the whole live path: a tenth of the matrix a day, and `run` as it is typed."""

import contextlib
import datetime
import json
import os
import threading
from collections import Counter

import pytest

from ecg_edge.benchmarks.live_path import device_matrix
from ecg_edge.benchmarks.live_path.device_matrix import CONDITIONS, Cell, a_tenth, run_cell, table
from ecg_edge.device.cli.main import main
from ecg_edge.firmware_bridge.clock import SystemClock
from ecg_edge.firmware_bridge.decoder import Decoder
from ecg_edge.firmware_bridge.decoders.catalogue import DEVICES, KNOWN
from ecg_edge.firmware_bridge.emulators.assemble import SourceOptions, build_source, build_voice
from ecg_edge.firmware_bridge.emulators.catalogue import find_emulated
from ecg_edge.firmware_bridge.virtual_patch.link_pty import PtyLink
from ecg_edge.firmware_bridge.virtual_patch.link_tcp import TcpLink
from ecg_edge.firmware_bridge.virtual_patch.patch import PatchOptions, VirtualPatch

TODAY = int(os.environ.get("ECG_EDGE_TENTH", datetime.date.today().toordinal()))
"""Which tenth of the matrix; ten days are the whole."""


@pytest.mark.parametrize("device", KNOWN, ids=lambda d: d.name)
@pytest.mark.parametrize("live", [False, True])
def test_every_decoder_fulfils_the_protocol(device, live):
    decoder = device.decoder(live=live)
    assert isinstance(decoder, Decoder)
    for said in (decoder.opening(), decoder.request(), decoder.closing()):
        assert isinstance(said, bytes)


@pytest.mark.parametrize(("device", "condition"), a_tenth(TODAY), ids=lambda x: x.name)
def test_a_cell_of_the_matrix_is_right(device, condition):
    cell = run_cell(device, condition)
    assert cell.right, cell.told


def test_ten_tenths_are_the_matrix():
    seen = Counter((d.name, c.name) for k in range(10) for d, c in a_tenth(k))
    assert set(seen.values()) == {1} and len(seen) == len(DEVICES) * len(CONDITIONS)


def test_the_table_shows_what_is_wrong():
    text = table([Cell("cyton", "named", True, "65/min"), Cell("cyton", "auto", False, "no samples")])
    assert "1 of 2 right" in text and "cyton, auto: no samples" in text


def test_a_matrix_that_was_interrupted_goes_on(tmp_path, monkeypatch, capsys):
    ran, kept = [], tmp_path / "cells.jsonl"
    kept.write_text('{"device": "cyton", "condition": "named", "right": true, "told": "65/min"}\n{"device": "cy')

    def cell(device, condition):
        ran.append((device.name, condition.name))
        return Cell(device.name, condition.name, True, "65/min")

    monkeypatch.setattr(device_matrix, "run_cell", cell)
    words = ["--device", "cyton", "--condition", "named", "--condition", "late", "--kept", str(kept)]
    assert device_matrix.main(words) == 0 and device_matrix.main(words) == 0
    assert ran == [("cyton", "late")] and "2 of 2 right" in capsys.readouterr().out


TYPED = ["ad8232", "plotter", *(d.name for d in DEVICES[TODAY % 10 :: 10] if d.name not in ("ad8232", "plotter"))]


@contextlib.contextmanager
def emulated(name, link, **options):
    """The device at a link of its own, in a thread."""
    how = SourceOptions(like=find_emulated(name))
    source = build_source(how)
    stop = threading.Event()
    patch = VirtualPatch(source, link, PatchOptions(**options), SystemClock(), build_voice(how, source))
    thread = threading.Thread(target=patch.run, args=(stop,))
    thread.start()
    try:
        yield link.address
    finally:
        stop.set()
        thread.join()
        link.close()


@pytest.mark.parametrize("name", TYPED)
def test_run_as_it_is_typed(name, tmp_path, capfd):
    with emulated(name, PtyLink(str(tmp_path / "port")), fast=True) as port:
        status = main(["run", port, "--as", name, "--seconds", "3", "--no-reconnect", "--json"])
    out, err = capfd.readouterr()
    assert status == 0, err
    assert f'"device": "{name.split("-")[0]}' in out and "Traceback" not in err


@pytest.mark.parametrize(("name", "fs"), [("olimex", 250), ("ad8232", 192)])
def test_auto_over_tcp_tells_equals_apart_by_their_rate(name, fs, capfd):
    """TCP has no speed, and the bytes of each fit two devices: only the rate at which they arrive decides."""
    with emulated(name, TcpLink()) as address:
        status = main(["run", address, "--as", "auto", "--seconds", "3", "--no-reconnect", "--json"])
    out, err = capfd.readouterr()
    summary = json.loads(out.splitlines()[-1])
    assert status == 0, err
    assert (summary["device"], summary["fs_in"], summary["samples_in"]) == (name, fs, 3 * fs)
