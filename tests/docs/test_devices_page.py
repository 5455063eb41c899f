"""docs/devices.md against the code: a row for each device, the worked example, the figures."""

import json
import re
import struct
import sys
import types
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ecg_edge.benchmarks.live_path.decode_cost import CAPTURES, paged
from ecg_edge.firmware_bridge.cli.devices_page import devices_table, with_table
from ecg_edge.firmware_bridge.decoders.catalogue import DEVICES, Device, find_device
from ecg_edge.firmware_bridge.events import SampleBlock

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "devices.md").read_text(encoding="utf-8")
EXAMPLE = (DOCS / "how-to/add-a-decoder.md").read_text(encoding="utf-8")
COLUMNS = ("name", "title", "link", "hz", "leads", "gain", "check", "tested", "know")


def rows():
    lines = re.findall(r"^\| `[a-z][\w-]+` \|.*\|$", PAGE.partition("## Table")[2].partition("\n## ")[0], re.MULTILINE)
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
    assert {len(c) for c in cells} == {len(COLUMNS)}
    return {c[0].strip("`"): dict(zip(COLUMNS, c, strict=True)) for c in cells}


def test_every_device_has_a_row_and_every_row_a_device():
    assert list(rows()) == [d.name for d in DEVICES]


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
def test_a_row_says_what_the_code_does(device):
    row = rows()[device.name]
    assert row["title"] == device.title
    assert row["hz"] == f"{float(device.fs):.2f}".rstrip("0").rstrip(".")
    assert tuple(row["leads"].split(", ")) == device.leads
    speeds = re.findall(r"(?:UART|Bluetooth)(?:, Bluetooth)? (\d+)$", row["link"])
    assert speeds == ([str(device.baud)] if device.baud else [])
    counted = any(word in row["check"] for word in ("u8", "u32", "4 bit", "time"))
    assert counted == (row["check"] != "none")
    if not device.name.startswith("bitalino"):  # its four bits need arrival times as well
        assert device.decoder().tally.loss_known == counted
    assert row["know"].endswith(".")


def test_scale_electrodes_and_losses_are_those_of_the_decoders():
    assert with_table(PAGE) == PAGE
    table = devices_table()
    assert "| `cyton` | 250 | I, II, V1, ch4 … ch8 | 0.02235 | 24 | – | none | yes |" in table
    assert "| `ad8232` | 192 | I | 2.93 | 10 | – | RA, LA | no |" in table


def test_assumed_gains_are_those_of_the_code():
    assumed = {n: re.match(r"assumed ([\d.]+)", r["gain"]) for n, r in rows().items()}
    found = {name: float(m[1]) for name, m in assumed.items() if m}
    assert len(found) > 20
    for name, gain in found.items():
        plain, told = (find_device(name).decoder(gain=g).info.channels[0].lsb_mv for g in (None, gain))
        assert plain == pytest.approx(told), name


def test_captured_devices_are_those_of_the_benchmark():
    tested = {name: row["tested"] for name, row in rows().items()}
    assert {name for name, how in tested.items() if how == "capture"} == {*CAPTURES, "bitalino-2"}
    assert set(tested.values()) == {"capture", "layout"}


def test_the_worked_example_decodes(monkeypatch):
    module_text, entry, test = re.findall(r"```python\n(.*?)```", EXAMPLE, re.DOTALL)
    assert module_text.count("\n") + entry.count("\n") + test.count("\n") < 100
    module = types.ModuleType("ecg_edge.firmware_bridge.decoders.twinlead")
    exec(compile(module_text, "twinlead.py", "exec"), module.__dict__)  # noqa: S102 - the page's own code
    monkeypatch.setitem(sys.modules, module.__name__, module)
    device = eval(entry, {"Device": Device, "Fraction": Fraction})  # noqa: S307 - the page's own code
    names = {"struct": struct, "np": np, "device": device, "SampleBlock": SampleBlock}
    exec(test, names)  # noqa: S102 - the page's own code
    names["test_twinlead"]()
    frames = [names["frame"](k, 100 + k, -k) for k in range(20)]
    decoder = device.decoder()
    (info, block) = decoder.feed(b"".join(frames))
    assert info.leads == device.leads
    assert info.fs == device.fs
    assert block.counts.tolist() == [[100 + k, -k] for k in range(20)]


def test_the_figures_on_the_page_are_those_of_the_file():
    result = json.loads((DOCS / "results" / "decode-cost.json").read_text())
    assert paged(PAGE, result) == PAGE
    assert [cost["device"] for cost in result["devices"]] == list(CAPTURES)


def test_every_option_the_page_names_is_there():
    for option in ("`--as ", "`--gain ", "`--leads ", "`--fs ", "`--times ", "ecg-edge run ", "ecg-edge decode "):
        assert option in PAGE
