"""What decoding costs: share of one core for each device, fed as a live port feeds it.

``python -m ecg_edge.benchmarks.live_path.decode_cost [--captures DIR] [--json]``
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.firmware_bridge.console import emit_json, hint
from ecg_edge.firmware_bridge.decoders.catalogue import find_device
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError
from ecg_edge.firmware_bridge.ports.capture_file import decode_bytes, read_bytes
from ecg_edge.train.pages.marked_page import renewed

PIECE_S = 0.01
"""A reader wakes up about this often; smaller pieces cost more, larger ones delay the picture."""
SIGNAL_S = 20.0
"""Seconds of signal timed, at most."""
BEGIN, END = "<!-- decode-cost: begin -->", "<!-- decode-cost: end -->"
CAPTURES = {
    "ads1292r": "protocentral_ads1292r",
    "ads1293": "protocentral_ads1293",
    "max30003": "protocentral_max30003",
    "healthypi5": "healthypi5_openview",
    "healthypi6": "healthypi6_dblk",
    "cyton": "openbci_cyton_plain",
    "olimex": "olimex_demo",
    "chords-uno-r3": "chords_uno_r3",
    "bitalino": "bitalino_2ch_1000hz",
    "shimmer3": "shimmer3_ecg24_crc2",
    "spikerbox": "spikerbox_heart_brain",
    "ad8232": "ad8232_sparkfun_ascii",
}
"""Device: name of the capture of its real firmware."""


@dataclass(frozen=True)
class DecodeCost:
    """What one decoder needs.

    Attributes
    ----------
    device, source : str
        The device, and what was decoded: the name of a capture, or ``"synthetic"``.
    signal_s : float
        Seconds of signal that were timed.
    bytes_per_s : float
        What the device sends.
    core_percent : float
        Processor time over `signal_s`, in percent of one core; the smallest of the repeats.
    us_per_piece : float
        The same for each piece that is not empty, in microseconds.
    """

    device: str
    source: str
    signal_s: float
    bytes_per_s: float
    core_percent: float
    us_per_piece: float


def pieces(data: bytes, bytes_per_s: float) -> Iterator[tuple[bytes, float]]:
    """Cut `data` into what arrives every 10 ms, with the time of arrival; where nothing arrives there is no piece."""
    start, k = 0, 0
    while start < len(data):
        k += 1
        stop = min(len(data), round(k * PIECE_S * bytes_per_s))
        if stop > start:
            yield data[start:stop], 1000 + k * PIECE_S
        start = stop


def measure(
    device: str, source: str, data: bytes, repeats: int = 5, clock: Callable[[], float] = time.process_time
) -> DecodeCost:
    """Time the decoder of a device on its own bytes.

    Parameters
    ----------
    device, source : str
        See `DecodeCost`.
    data : bytes
        A stream of the device without losses: its rate is taken from the samples in it.
    repeats : int
        Runs, of which the fastest counts: what slows a run down is not the decoder.
    clock : callable
        Processor time in seconds.

    Raises
    ------
    NotAnEcgStreamError
        There is no sample in `data`.
    """
    whole = decode_bytes(find_device(device).decoder(), data)
    seconds = float(len(whole.index) / whole.info.fs)
    bytes_per_s = len(data) / seconds
    parts = list(pieces(data[: round(bytes_per_s * SIGNAL_S)], bytes_per_s))
    seconds = min(seconds, SIGNAL_S)
    best = min(_once(device, parts, clock) for _ in range(repeats))
    return DecodeCost(
        device,
        source,
        round(seconds, 3),
        round(bytes_per_s, 1),
        round(100 * best / seconds, 3),
        round(1e6 * best / len(parts), 1),
    )


def _once(device: str, parts: Sequence[tuple[bytes, float]], clock: Callable[[], float]) -> float:
    decoder = find_device(device).decoder()
    began = clock()
    for piece, arrival in parts:
        decoder.feed(piece, arrival)
    return clock() - began


def synthetic_spikerbox(seconds: float = SIGNAL_S) -> bytes:
    """Make a stream of the SpikerBox: ten bits, a slow wave."""
    fs = float(find_device("spikerbox").fs)
    counts = np.rint(512 + 300 * np.sin(2 * np.pi * np.arange(round(seconds * fs)) / fs)).astype(np.int64)
    return np.column_stack((counts >> 7 | 0x80, counts & 0x7F)).astype(np.uint8).tobytes()


def sources(folder: Path | None) -> Iterator[tuple[str, str, bytes]]:
    """Device, source and bytes of each stream there is: captures, and a synthetic one for the SpikerBox without."""
    for device, name in CAPTURES.items():
        path = None if folder is None else folder / f"{name}.bin"
        if path is not None and path.exists():
            yield device, name, read_bytes(path)
        elif device == "spikerbox":
            yield device, "synthetic", synthetic_spikerbox()


def document(costs: Sequence[DecodeCost], repeats: int) -> dict[str, Any]:
    """Return the figures and what they were measured on."""
    return {
        "piece_s": PIECE_S,
        "repeats": repeats,
        "processor": _processor(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "devices": [asdict(cost) for cost in costs],
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def table(result: dict[str, Any]) -> str:
    """Return the figures as a table of Markdown."""
    rows = [
        f"| `{cost['device']}` | {cost['bytes_per_s']:.0f} | {cost['core_percent']:.2f} | {cost['us_per_piece']:.0f} |"
        for cost in result["devices"]
    ]
    caption = (
        f"{result['processor']}, Python {result['python']}, numpy {result['numpy']}; "
        f"pieces of {1000 * result['piece_s']:.0f} ms, the fastest of {result['repeats']} runs."
    )
    head = ["| device | bytes/s | % of one core | µs per piece |", "|---|---:|---:|---:|"]
    return "\n".join([*head, *rows, "", caption]) + "\n"


def paged(page: str, result: dict[str, Any]) -> str:
    """Return a page with the table between its two marks; raises as `marked_page.renewed`."""
    return renewed(page, BEGIN, END, table(result))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ecg_edge.benchmarks.live_path.decode_cost", description=__doc__)
    folder = os.environ.get("ECG_EDGE_CAPTURES")
    parser.add_argument("--captures", type=Path, default=folder and Path(folder), metavar="DIR", help="captured bytes")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="runs of each (default: 5)")
    parser.add_argument("--figures", type=Path, metavar="FILE", help="take these figures, measure nothing")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--page", type=Path, metavar="FILE", help="put the table between the marks of this page")
    parser.add_argument("--json", action="store_true", help="end with the figures as one JSON document")
    return parser


def _figures(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.figures:
        result: dict[str, Any] = json.loads(read_bytes(arguments.figures))
        return result
    if arguments.repeats < 1:
        raise UsageError("nothing is measured in no run", "--repeats 1 or more")
    if arguments.captures is None:
        hint("no captures: --captures DIR or ECG_EDGE_CAPTURES; measuring a synthetic stream")
    costs = []
    for device, source, data in sources(arguments.captures):
        hint(f"{device} …")
        costs.append(measure(device, source, data, arguments.repeats))
    return document(costs, arguments.repeats)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or show what was measured; return the exit code."""
    given = _parser().parse_args(arguments)
    try:
        result = _figures(given)
        if given.page:
            page = read_bytes(given.page).decode("utf-8")
            given.page.write_text(paged(page, result), encoding="utf-8")
    except EcgEdgeError as e:
        hint(str(e))
        return e.exit_code
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(table(result))
    if given.json:
        emit_json(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
