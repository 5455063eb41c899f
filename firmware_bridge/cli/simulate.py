"""The bridge's verbs."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ecg_edge.firmware_bridge.cli.verb import Verb
from ecg_edge.firmware_bridge.console import emit_json, hint
from ecg_edge.firmware_bridge.flags.numbers import MOST_SECONDS, MOST_SEED, Number, whole

if TYPE_CHECKING:
    from fractions import Fraction

    from ecg_edge.firmware_bridge.emulators.assemble import SourceOptions
    from ecg_edge.firmware_bridge.virtual_patch.faults import Faults
    from ecg_edge.firmware_bridge.virtual_patch.patch import PatchOptions, VirtualPatch

_ABOUT = """\
Be a device: stream a WFDB record or a synthetic heart over a pseudo-terminal or TCP.
It speaks EcgLink, or with --as the protocol of a real device, its handshake included. The
first line of stdout is the port to open. Samples flow when the reader sends START (or at
once with --free-run, and from devices that ask nobody) and stop when it closes the port.
"""


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.description = _ABOUT
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    what = parser.add_argument_group("what is measured")
    source = what.add_mutually_exclusive_group()
    source.add_argument("--record", metavar="WFDB", help="a WFDB record, path without extension")
    source.add_argument("--synthetic", action="store_true", help="a synthetic heart (the default)")
    what.add_argument("--leads", default="", metavar="I,II", help="leads in this order (default I,II)")
    what.add_argument("--fs", metavar="HZ", help="sampling rate (default: the record's own, or 250)")
    what.add_argument(
        "--heart-rate", type=Number("--heart-rate", 30, 220), default=65.0, metavar="BPM", help="synthetic (default 65)"
    )
    what.add_argument(
        "--lsb-uv", type=Number("--lsb-uv", 1e-3, 1e5), default=0.5, metavar="UV", help="microvolts per count (0.5)"
    )
    what.add_argument("--unit", default="", help="of a record that states none: uV, or what one count is: 0.38uV")
    what.add_argument("--loop", action="store_true", help="begin the record again at its end")
    what.add_argument(
        "--seconds", type=Number("--seconds", 1e-3, MOST_SECONDS), metavar="N", help="end after N seconds of samples"
    )
    how = parser.add_argument_group("how it is sent")
    how.add_argument("--as", dest="like", metavar="DEVICE", help="speak as this device: cyton, shimmer3, bitalino …")
    how.add_argument("--link", metavar="PATH", help="make a symbolic link to the pseudo-terminal")
    how.add_argument("--tcp", metavar="HOST:PORT", help="listen on TCP instead (port 0: any)")
    how.add_argument(
        "--speed", type=Number("--speed", 0.01, 1000), default=1.0, metavar="X", help="times the real pace (default 1)"
    )
    how.add_argument("--fast", action="store_true", help="as fast as the reader takes it, losing nothing")
    how.add_argument("--free-run", action="store_true", help="send without being asked to START")
    how.add_argument(
        "--frame-ms",
        type=Number("--frame-ms", 0.1, 1e4),
        default=10.0,
        metavar="MS",
        help="signal per EcgLink frame (default 10)",
    )
    wrong = parser.add_argument_group("what goes wrong")
    wrong.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="LIST",
        help="drop=1%%,corrupt=0.1%%,dup=1%%,stall=T/D,unplug=T/D/N,leadoff=T/D,clock=PPM (per frame, s, ppm)",
    )
    wrong.add_argument("--fault-log", type=Path, metavar="FILE", help="write what was really lost, as JSON")
    wrong.add_argument(
        "--seed",
        type=whole("--seed", 0, MOST_SEED),
        default=0,
        help="of the faults and the synthetic heart (default 0)",
    )
    parser.add_argument("--json", action="store_true", help="end stdout with one JSON document")


def _simulate(args: argparse.Namespace) -> int:
    from ecg_edge.firmware_bridge.emulators import assemble as simulate
    from ecg_edge.firmware_bridge.virtual_patch.faults import parse_faults
    from ecg_edge.firmware_bridge.virtual_patch.patch import VirtualPatch

    faults = parse_faults(",".join(args.fault))
    if args.fault_log:
        simulate.write_fault_log(args.fault_log)
    what = _what(args)
    source = simulate.build_source(what)
    voice = simulate.build_voice(what, source)
    options = _options(args, source.info.fs, faults)
    link = simulate.build_link(args.link, args.tcp, faults)
    with contextlib.closing(link):
        patch = VirtualPatch(source, link, options, voice=voice)
        print(link.address, flush=True)
        hint(f"next: ecg-edge run {link.address}{_reader_flags(what)}")
        with _until_interrupted():
            patch.run(threading.Event())
    document = simulate.account(patch, link)
    if args.fault_log:
        simulate.write_fault_log(args.fault_log, document)
    _tell(patch)
    if args.json:
        emit_json(document)
    return 0


def _what(args: argparse.Namespace) -> SourceOptions:
    from ecg_edge.firmware_bridge.emulators import assemble as simulate
    from ecg_edge.firmware_bridge.emulators.catalogue import find_emulated

    return simulate.SourceOptions(
        record=args.record,
        leads=args.leads,
        fs=simulate.parse_rate(args.fs),
        seed=args.seed,
        unit=args.unit,
        heart_rate_bpm=args.heart_rate,
        lsb_mv=args.lsb_uv / 1000,
        loop=args.loop,
        like=find_emulated(args.like) if args.like else None,
    )


def _reader_flags(what: SourceOptions) -> str:
    """What a run must be given beside the port: EcgLink describes itself, other devices do not."""
    if what.like is None:
        return ""
    leads = f" --leads {shlex.quote(what.leads)}" if what.leads else ""
    return f" --as {what.like.device.name}{leads}"


def _options(args: argparse.Namespace, fs: Fraction, faults: Faults) -> PatchOptions:
    from ecg_edge.firmware_bridge.emulators import assemble as simulate
    from ecg_edge.firmware_bridge.virtual_patch.patch import PatchOptions

    return PatchOptions(
        frame_s=simulate.frame_seconds(args.frame_ms),
        fast=args.fast,
        speed=args.speed,
        free_run=args.free_run,
        max_samples=simulate.samples_in(args.seconds, fs),
        boot=simulate.boot_number(),
        faults=faults,
        seed=args.seed,
    )


def _tell(patch: VirtualPatch) -> None:
    from ecg_edge.firmware_bridge.virtual_patch.faults import UNREAD

    tally, unread = patch.tally, sum(patch.log.count(kind) for kind in UNREAD)
    lost = max(0, sum(b - a for a, b in patch.log.lost()) - unread)
    seconds = float(tally.taken / patch.info.fs)
    said = f"; {unread} not sent while nobody read" if unread else ""
    said += f"; lost by faults or for room: {lost}" if lost else ""
    hint(f"sent {tally.sent} of {tally.taken} samples ({seconds:.1f} s){said}")


@contextlib.contextmanager
def _until_interrupted() -> Iterator[None]:
    """End the block, not the program, on Ctrl-C or a polite kill."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler) if main else None
    try:
        yield
    except KeyboardInterrupt:
        hint("interrupted")
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


SIMULATE = Verb("simulate", "be a device: stream a record or a synthetic heart", _configure, _simulate)
