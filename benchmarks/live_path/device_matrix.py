"""Every device of the catalogue through the whole live path, under every condition, as a table.

``python -m ecg_edge.benchmarks.live_path.device_matrix [--device NAME] [--condition NAME] [--kept FILE]``

``--tenth K`` runs every tenth cell, ``--json`` prints one document. With ``--kept`` each cell is kept in a file, and a
run that was interrupted goes on where it was.

An emulator of the device sends a heart of 65 beats a minute to a port in virtual time (`virtual_port`). Reader,
decoder, pipeline and model are the real ones. A cell is right if the run ends with that heart rate and no
fault on a lead. It is also right if an error refuses the run and names the fix.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_edge.benchmarks.live_path.virtual_port import VirtualPort
from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.load import Model, load_model
from ecg_edge.device.inference.shipped import default_model
from ecg_edge.device.lead_block import Note
from ecg_edge.device.live.run_settings import Models, RunSettings
from ecg_edge.device.live.runner import Runner
from ecg_edge.device.live.summary import Summary
from ecg_edge.device.sinks.sink import SinkBase
from ecg_edge.device.sinks.sink_thread import SinkThread
from ecg_edge.device.sources.open_source import open_source
from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.console import emit_json, hint
from ecg_edge.firmware_bridge.decoders.catalogue import DEVICES, Device, find_device
from ecg_edge.firmware_bridge.emulators.catalogue import find_emulated
from ecg_edge.firmware_bridge.errors import EcgEdgeError
from ecg_edge.firmware_bridge.events import SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from ecg_edge.firmware_bridge.virtual_patch.faults import Faults
from ecg_edge.firmware_bridge.virtual_patch.patch import PatchOptions, VirtualPatch

BPM = 65.0
SECONDS = 9.0
FRESH_S = 8.0
"""After a plug was pulled only fresh beats count: a rate needs some of them."""
_LSB_MV = 0.0005
_SMALLER = 0.4
"""Share of the heart's amplitude: the least range is the Olimex's, 0.88 mV."""
_BOOT = b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13\r\nload:0x3fff0030,len:1344\r\n"
_GARBLED = bytes((7 * b * b + 3 * k) & 0xFF for k, b in enumerate(_BOOT))
"""What a boot loader's text looks like at another speed."""


class _Heart:
    """A source of samples for the emulators; fulfils `signal_source.SampleSource`."""

    def __init__(self, info: StreamInfo) -> None:
        leads = tuple(lead for lead in info.leads if lead in LEADS) or ("I",)
        channels = tuple(replace(info.channels[0], lead=x, lsb_mv=_LSB_MV, offset=0.0, bits=24) for x in leads)
        self.info = StreamInfo("heart", info.fs, channels)
        self._heart = SyntheticHeart(info.fs, leads, heart_rate_bpm=BPM, seed=1)
        self._rows = np.empty((0, len(leads)))

    def read(self, n: int) -> tuple[npt.NDArray[np.int32], int]:
        """The next samples, and no electrode off."""
        if len(self._rows) < n:
            self._rows = np.concatenate([self._rows, self._heart.read(max(n, 4096))])
        rows, self._rows = self._rows[:n], self._rows[n:]
        return np.rint(_SMALLER * rows / _LSB_MV).astype(np.int32), 0


@dataclass(frozen=True)
class Condition:
    """What is done to a device, and how the run is typed.

    Attributes
    ----------
    name : str
        As in the table.
    auto : bool
        The device is not named.
    late : bool
        It has been streaming, and a frame is cut when the port is opened.
    unplug : bool
        The plug is pulled and put back.
    before, amid : bool
        A boot loader speaks at another speed.
    other : bool
        Another device is at the port than the one named.
    """

    name: str
    auto: bool = False
    late: bool = False
    unplug: bool = False
    before: bool = False
    amid: bool = False
    other: bool = False


CONDITIONS = (
    Condition("named"),
    Condition("auto", auto=True),
    Condition("late", late=True),
    Condition("unplugged", unplug=True),
    Condition("boot text", before=True),
    Condition("text amid", amid=True),
    Condition("other device", other=True),
)


@dataclass(frozen=True)
class Cell:
    """How one device fared under one condition.

    Attributes
    ----------
    device, condition : str
        Names.
    right : bool
        Whether the run ended as it should.
    told : str
        What was seen: heart rate and samples, or the error.
    """

    device: str
    condition: str
    right: bool
    told: str


class _Follower(SinkBase):
    """A sink that reports the run's progress to the port, and keeps what the run reports of the signal."""

    name = "follower"
    takes = (SampleBlock,)
    lossless = True

    def __init__(self, port: VirtualPort) -> None:
        self._port = port
        self.notes: list[str] = []

    def native(self, block: SampleBlock) -> None:
        """Samples have been taken."""
        self._port.follow(block.arrival)

    def note(self, note: Note) -> None:
        """Keep what is said of the signal."""
        if note.kind in ("signal", "overrun", "fallback"):
            self.notes.append(note.text)


_models: dict[str, Model] = {}


def _model(leads: tuple[str, ...]) -> Model:
    path = str(default_model(leads))
    if path not in _models:
        _models[path] = load_model(path)
    return for_leads(_models[path], leads)


def run_cell(device: Device, condition: Condition) -> Cell:
    """Run one device under one condition."""
    try:
        summary, notes, expected = _run(device, condition)
    except EcgEdgeError as e:
        return _refused(device, condition, e)
    if summary.error is not None:
        return _refused(device, condition, summary.error)
    rate, n = summary.heart_rate_bpm, summary.counts.samples_in
    told = f"{rate or 0:.0f}/min, {n} samples" + (f"; {'; '.join(notes)}" if notes else "")
    right = not condition.other and not notes and rate is not None and abs(rate - BPM) < 3 and n > expected
    return Cell(device.name, condition.name, right, told)


def _refused(device: Device, condition: Condition, error: EcgEdgeError) -> Cell:
    """An error is right where another device sends, or where the bytes fit several devices."""
    named = f"--as {device.name}" in error.fix
    right = bool(error.fix) and (condition.other or (condition.auto and named))
    return Cell(device.name, condition.name, right, f"{error.message} -> {error.fix}")


def _run(device: Device, condition: Condition) -> tuple[Summary, list[str], float]:
    at_port = find_device("healthypi6" if device.name == "healthypi5" else "healthypi5") if condition.other else device
    emulated = find_emulated(at_port.name)
    clock, info = ManualClock(), emulated.info()
    heart = _Heart(info)
    port = VirtualPort(
        clock,
        at_port.baud,
        before=_GARBLED if condition.before else b"",
        amid=_GARBLED if condition.amid else b"",
        lost=3 if condition.late else 0,
    )
    faults = Faults(unplug=(4.0, 1.5) if condition.unplug else None)
    options = PatchOptions(faults=faults, free_run=condition.late)
    patch = VirtualPatch(heart, port, options, clock, emulated.voice(info, heart.info))
    port.step = lambda: patch.step(port.stop)
    follower = _Follower(port)
    while condition.late and clock.monotonic() < 1:
        port.step()
    named = "auto" if condition.auto else device.name
    source = open_source(port.address, clock, device=named, opener=port.connect)
    seconds = SECONDS + (FRESH_S if condition.unplug else 0.0)
    settings = RunSettings(seconds=seconds)
    runner = Runner(source, Models(_model), [SinkThread(follower)], settings, clock=clock, stop=port.stop)
    lost = 2.5 if condition.unplug or condition.amid else 0.5
    return runner.run(), follower.notes, (seconds - lost) * float(at_port.fs)


def cells(devices: Sequence[Device] = DEVICES, conditions: Sequence[Condition] = CONDITIONS) -> Iterator[Cell]:
    """Every cell of the matrix, in its order."""
    for device in devices:
        for condition in conditions:
            yield run_cell(device, condition)


def a_tenth(k: int) -> list[tuple[Device, Condition]]:
    """Every tenth cell from the `k`-th on: ten days of these are the matrix."""
    everything = [(device, condition) for device in DEVICES for condition in CONDITIONS]
    return everything[k % 10 :: 10]


def table(found: Sequence[Cell]) -> str:
    """Return the matrix as lines of text, with what is wrong below it."""
    names = list(dict.fromkeys(cell.condition for cell in found))
    width = max(len(cell.device) for cell in found)
    marks = {(cell.device, cell.condition): "right" if cell.right else "WRONG" for cell in found}
    lines = [" ".join([" " * width, *(f"{name:>12}" for name in names)])]
    for device in dict.fromkeys(cell.device for cell in found):
        lines.append(" ".join([f"{device:<{width}}", *(f"{marks.get((device, name), ''):>12}" for name in names)]))
    wrong = [f"{cell.device}, {cell.condition}: {cell.told}" for cell in found if not cell.right]
    return "\n".join([*lines, "", f"{len(found) - len(wrong)} of {len(found)} right", *wrong])


def main(argv: Sequence[str] | None = None) -> int:
    """Print the matrix; 1 if a cell is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--device", action="append", help="only this one; may be repeated")
    parser.add_argument("--condition", action="append", help="only this one; may be repeated")
    parser.add_argument("--tenth", type=int, help="every tenth cell from this one on")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    parser.add_argument("--kept", type=Path, help="JSON lines of the cells that are done")
    a = parser.parse_args(argv)
    found, done = [], _kept(a.kept)
    for device, condition in _chosen(a):
        if cell := done.get((device.name, condition.name)):
            found.append(cell)
            continue
        found.append(run_cell(device, condition))
        if a.kept:
            with a.kept.open("a") as out:
                out.write("\n" + json.dumps(asdict(found[-1])))  # the line before may have been cut
        hint(f"{device.name}, {condition.name}: {'right' if found[-1].right else 'WRONG'} ({found[-1].told})")
    if a.json:
        emit_json({"cells": [asdict(cell) for cell in found]})
    else:
        sys.stdout.write(table(found) + "\n")
    return 0 if all(cell.right for cell in found) else 1


def _kept(file: Path | None) -> dict[tuple[str, str], Cell]:
    """Cells of an earlier run; a line that was cut is done again."""
    found: dict[tuple[str, str], Cell] = {}
    for line in file.read_text().splitlines() if file and file.exists() else ():
        with contextlib.suppress(ValueError, TypeError):
            cell = Cell(**json.loads(line))
            found[cell.device, cell.condition] = cell
    return found


def _chosen(a: argparse.Namespace) -> list[tuple[Device, Condition]]:
    if a.tenth is not None:
        return a_tenth(a.tenth)
    devices = [find_device(name) for name in a.device] if a.device else list(DEVICES)
    conditions = [c for c in CONDITIONS if not a.condition or c.name in a.condition]
    return [(device, condition) for device in devices for condition in conditions]


if __name__ == "__main__":
    sys.exit(main())
