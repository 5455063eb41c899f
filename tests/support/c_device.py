"""A device of the C library in a process of its own, built with sanitizers and driven by lines."""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ecg_edge.firmware_bridge.events import StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES

TESTS = Path(__file__).parents[1] / "firmware_bridge" / "c"
C = Path(__file__).parents[2] / "firmware_bridge" / "c"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow")
OK, NO_ROOM, RING_TOO_SMALL, BAD_DESCRIPTION = range(4)
"""ecglink_result."""
STALE = -(2**31)
RESERVE = 67
"""ECGLINK_RESERVE: the wire size of the largest ack."""


def worst(n: int) -> int:
    """ECGLINK_WIRE_SIZE: most bytes on the wire of a frame of `n` bytes, delimiter included."""
    return n + n // 254 + 2


def compiler(name: str) -> str:
    """Path of a compiler; the test is skipped where there is none."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}: the C library is not tested with it")
    return found


def build(folder: Path, source: str, *flags: str) -> Path:
    """Compile a program beside this folder's tests with the library, warnings being errors."""
    program = folder / Path(source).stem
    if not program.exists():
        files = [f"-I{C}", str(TESTS / source), str(C / "ecglink.c"), "-o", str(program)]
        subprocess.run([compiler("gcc"), *STRICT, *flags, *files], check=True)
    return program


def hexed(data: bytes) -> str:
    """Bytes as the harness reads them."""
    return data.hex() or "-"


class Harness:
    """One device in a process of its own; see c_harness.c."""

    def __init__(self, program: Path) -> None:
        self.process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def ask(self, *words: object) -> str:
        """Send one line, return the one that answers it."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            pytest.fail(self.close() or "the harness ended")
        return answer.strip()

    def close(self) -> str:
        """Return what it complained about: nothing, if all is well."""
        _, complaint = self.process.communicate()
        return complaint or ("" if self.process.returncode == 0 else f"exit {self.process.returncode}")

    def init(self, info: StreamInfo, boot: int = 0, size: int = 4096) -> int:
        """ecglink_init()."""
        tick = info.tick_hz or Fraction(0, 1)
        words: list[object] = [size, boot, *info.fs.as_integer_ratio(), *tick.as_integer_ratio()]
        words += [info.sensed, info.samples_per_frame, len(info.channels)]
        words += [hexed(t.encode()) for t in (info.device, info.serial, info.firmware)]
        for c in info.channels:
            pair = [ELECTRODES.index(e) if e else 255 for e in (c.positive, c.negative)]
            filters = [round(c.highpass_hz * 1e3), round(c.lowpass_hz * 1e3), round(c.group_delay_s * 1e6)]
            words += [round(c.lsb_mv * 1e12), int(c.offset), c.bits, *pair, *filters, hexed(c.lead.encode())]
        return int(self.ask("I", *words))

    def started(self, info: StreamInfo, boot: int = 0, size: int = 4096) -> None:
        """Init, drop what it says of itself, stream."""
        assert self.init(info, boot, size) == OK
        self.get()
        self.ask("T", 1)

    def samples(self, counts: npt.ArrayLike, ticks: int = 0, lead_off: int = 0, valid: int = 0xFFFF) -> bool:
        """ecglink_samples(); counts of shape (n, channels)."""
        values = np.asarray(counts)
        return self.ask("S", len(values), ticks, lead_off, valid, *values.ravel()) == "1"

    def get(self, most: int = 10**6) -> bytes:
        """What the consumer takes from the ring."""
        return bytes.fromhex(self.ask("G", most))

    def state(self) -> dict[str, int]:
        """Members of the device."""
        return dict(zip(("index", "dropped", "boot", "streaming"), map(int, self.ask("Q").split()), strict=True))


def started_harness(folder: Path) -> Harness:
    """A harness under the address and undefined-behaviour sanitizers."""
    return Harness(
        build(folder, "c_harness.c", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    )
