"""The verb ``decode``: captured bytes of a device -> samples and an account of what is missing."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import TYPE_CHECKING

from ecg_edge.firmware_bridge.cli.verb import Verb
from ecg_edge.firmware_bridge.console import emit_json, hint
from ecg_edge.firmware_bridge.flags.numbers import Number

if TYPE_CHECKING:
    from fractions import Fraction

_EPILOG = """\
The tally counts samples per channel. lost_ranges are half-open ranges of the sample axis; its 0 is the
first accepted sample. Where loss_known is false, more may be missing than is listed: the format
has neither a counter nor a time; the device restarted; or the counter wraps within a stall of the link
(BITalino's 4 bits: 16 ms) and no times are given.

--times FILE gives arrival times, rows 'byte_offset,seconds' (.npy or text). They show the loss of whole
counter wraps, which the counter alone cannot.
"""


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("file", metavar="FILE", help="the captured bytes; - reads standard input")
    parser.add_argument("--as", dest="device", default="auto", metavar="DEVICE", help="the device, or auto")
    parser.add_argument("--out", metavar="FILE", help="write x.npz or x.csv: index, counts, mv (npz: leads, fs)")
    parser.add_argument("--force", action="store_true", help="replace the file of --out where it is there")
    parser.add_argument(
        "--gain", type=Number("--gain", 1e-6, 1e9), metavar="G", help="gain in V/V, where the stream does not carry it"
    )
    parser.add_argument("--leads", metavar="I,II", help="lead of each channel, in channel order; - skips one")
    parser.add_argument("--fs", metavar="HZ", help="sampling rate, where the device runs at another than its usual one")
    parser.add_argument("--times", metavar="FILE", help="arrival times, see below")
    parser.add_argument("--json", action="store_true", help="end with the tally as one JSON document")


def _same(out: str, read: str) -> bool:
    from pathlib import Path

    return Path(out).exists() and Path(read).exists() and Path(out).samefile(read)


def _run(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from ecg_edge.firmware_bridge.decoders.catalogue import find_device
    from ecg_edge.firmware_bridge.errors import UsageError
    from ecg_edge.firmware_bridge.lead_names import parse_channels
    from ecg_edge.firmware_bridge.ports.capture_file import decode_bytes, document, read_bytes, read_times, save
    from ecg_edge.firmware_bridge.ports.identify import identify
    from ecg_edge.firmware_bridge.recordings.known_files import refuse_files

    if arguments.out and any(f and _same(arguments.out, f) for f in (arguments.file, arguments.times)):
        raise UsageError(f"{arguments.out} is the capture itself", "choose another --out")
    if arguments.out and Path(arguments.out).exists() and not arguments.force:
        raise UsageError(f"{arguments.out} is there already", "choose another --out, or say --force")
    data = sys.stdin.buffer.read() if arguments.file == "-" else read_bytes(Path(arguments.file))
    if arguments.device == "auto":
        refuse_files(data)
        match = identify(data)
        device = match.device
        hint(f"recognised {device.name}: {match.reason}")
    else:
        device = find_device(arguments.device)
    leads = parse_channels(arguments.leads, skip=True) if arguments.leads else None
    decoder = device.decoder(leads, arguments.gain, _rate(arguments.fs))
    times = read_times(Path(arguments.times), len(data)) if arguments.times else None
    decoded = decode_bytes(decoder, data, times)
    if arguments.out:
        save(decoded, Path(arguments.out))
    result = document(decoded)
    if arguments.json:
        emit_json(result)
    else:
        sys.stdout.write(_text(result))
    if not arguments.out:
        given = (("--leads", arguments.leads), ("--gain", arguments.gain), ("--fs", arguments.fs))
        same = "".join(f" {flag} {value}" for flag, value in given if value is not None)
        hint(f"next: ecg-edge decode --as {device.name} {shlex.quote(str(arguments.file))}{same} --out samples.npz")
    return 0


def _rate(text: str | None) -> Fraction | None:
    from fractions import Fraction

    from ecg_edge.firmware_bridge.errors import UsageError

    if text is None:
        return None
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 100_000:
        raise UsageError(
            f"bad sampling rate {text!r}", "give up to 100000 Hz: --fs 250, --fs 10050.25 or --fs 16000000/1592"
        )
    return rate


def _text(result: dict[str, object]) -> str:
    width = max(map(len, result))
    return "".join(f"{key:<{width}}  {value}\n" for key, value in result.items())


DECODE = Verb("decode", "decode captured bytes of a device to samples", _configure, _run)
