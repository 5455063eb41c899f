"""Fuzz the decoders: ``python tests/firmware_bridge/fuzz/fuzz_decoders.py --seconds 600 --device NAME``.

Seeds (`corpus/`, built by `make_corpus.py`) are changed at random and decoded in two cuttings and with
arrival times. What must hold: no exception, a bounded buffer, the same result for both cuttings, a sample
axis without a hole that no `Gap` tells, bounded time per byte, and memory that does not grow. With atheris
installed its coverage leads the changes for `--seconds`, and a minute of random ones follows, in which memory
is watched; without it all changes are random. A failing input is written beside the report, cut small.
"""

from __future__ import annotations

import argparse
import functools
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from ecg_edge.firmware_bridge.decoder import Decoder
from ecg_edge.firmware_bridge.decoders.catalogue import DEVICES, find_device
from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.events import Event, Gap, SampleBlock
from tests.firmware_bridge.fuzz.mutate import mutated, repaired

CORPUS = Path(__file__).parent / "corpus"
LIVE = "-live"
"""Ending of the name of a decoder that only runs use."""
NAMES = (*(d.name for d in DEVICES), *(d.name + LIVE for d in DEVICES if d.live), "ecglink")
BUFFER = 1 << 17
"""Bytes a decoder may keep."""
TRIES = 150
"""Attempts to make a failing input smaller."""
GROWTH_KB, WARM = 32 << 10, 2000
"""What the process may grow by, once so many inputs have been tried."""
PIECE_S = 90.0
"""One process of atheris: its instrumentation keeps some 130 kB for every input, whatever is decoded."""
AFTER_S = 60.0
SECONDS_PER_BYTE, SECONDS = 40e-6, 0.05
"""Time a stream in one piece may take: a share for its bytes, a share for the start of a decoder."""


class Broken(Exception):
    """A rule that must hold for every input does not."""


def make(device: str) -> Decoder:
    """Return a fresh decoder."""
    if device == "ecglink":
        return EcgLinkDecoder()
    return find_device(device.removesuffix(LIVE)).decoder(live=device.endswith(LIVE))


@functools.cache
def seeds(device: str) -> tuple[bytes, ...]:
    """Seeds of a device."""
    return tuple(path.read_bytes() for path in sorted(CORPUS.glob(f"{device.removesuffix(LIVE)}.*.bin")))


def held(decoder: Any) -> int:
    """Bytes a decoder keeps for later."""
    return decoder._splitter.pending if isinstance(decoder, EcgLinkDecoder) else decoder.buffered


def run(decoder: Decoder, data: bytes, cuts: Sequence[int], arrivals: Sequence[float] = ()) -> list[Event]:
    """Decode `data` cut at `cuts`; the buffer stays bounded and is empty in the end."""
    events: list[Event] = []
    start = 0
    for k, stop in enumerate([*cuts, len(data)]):
        events += decoder.feed(data[start:stop], arrivals[k] if arrivals else 0.0)
        start = stop
        if held(decoder) > BUFFER:
            raise Broken(f"{held(decoder)} bytes kept after {stop}")
    events += decoder.close()
    if held(decoder):
        raise Broken(f"{held(decoder)} bytes kept after the end")
    return events


def account(decoder: Decoder, events: Sequence[Event], size: int) -> tuple[object, ...]:
    """All that must not depend on the cutting; blocks and gaps must cover the sample axis, and the tally agree."""
    at, found, rows = 0, False, []
    lost = 0
    for event in events:
        if isinstance(event, Gap):
            if event.start != at or event.stop < event.start:
                raise Broken(f"{event} at {at}")
            lost, at = lost + event.stop - event.start, event.stop
        elif isinstance(event, SampleBlock):
            if event.index != at:
                raise Broken(f"block at {event.index}, the axis is at {at}")
            at += len(event)
            found = True
            rows.append(event)
    tally = decoder.tally
    if tally.samples != sum(map(len, rows)) or tally.lost != lost:
        raise Broken(f"{sum(map(len, rows))} samples and {lost} lost, but {tally}")
    if lost != sum(b - a for a, b in tally.lost_ranges) or not 0 <= tally.skipped_bytes <= size or (lost and not found):
        raise Broken(f"{tally} of {size} bytes")
    parts = [
        (b.counts.tobytes(), b.mv.tobytes(), b.valid.tobytes(), np.full(len(b), b.lead_off).tobytes()) for b in rows
    ]
    others = [e for e in events if not isinstance(e, SampleBlock)]
    return (*(b"".join(column) for column in zip(*parts, strict=True)), repr(others), repr(tally))


def cuttings(size: int, rng: random.Random) -> list[int]:
    """Where to cut: often few places, sometimes into pieces of one small length."""
    if rng.random() < 0.3:
        step = rng.choice((1, 2, 3, 7, 20, 64))
        first = rng.randint(0, size)
        return list(range(first, min(size, first + 60 * step), step))
    return sorted(rng.randint(0, size) for _ in range(rng.randint(1, 20)))


def check(device: str, data: bytes, rng: random.Random, clock: Callable[[], float] | None = None) -> None:
    """Hold every rule against one input.

    Raises
    ------
    Broken
        One does not hold.
    """
    whole = make(device)
    expected = account(whole, _timed(device, data, whole, clock), len(data))
    cuts = cuttings(len(data), rng)
    decoder = make(device)
    if account(decoder, run(decoder, data, cuts), len(data)) != expected:
        raise Broken(f"cut at {cuts} the result is another one")
    decoder = make(device)
    jumps = [rng.choice((0.0, 0.001, 0.01, 0.3, 5.0)) for _ in range(len(cuts) + 1)]
    arrivals = (1000 + np.cumsum(jumps)).tolist()
    account(decoder, run(decoder, data, cuts, arrivals), len(data))


def _timed(device: str, data: bytes, decoder: Decoder, clock: Callable[[], float] | None) -> list[Event]:
    """Decode in one piece; what seems slow is tried twice more, lest something else was."""
    if clock is None:
        return run(decoder, data, ())
    began = clock()
    events = run(decoder, data, ())
    allowed, took = SECONDS + SECONDS_PER_BYTE * len(data), clock() - began
    for _ in range(2):
        if took > allowed:
            again, began = make(device), clock()
            run(again, data, ())
            took = min(took, clock() - began)
    if took > allowed:
        raise Broken(f"{took:.3f} s for {len(data)} bytes")
    return events


def case(device: str, rng: random.Random) -> bytes:
    """One input: a seed with changes, its checksums often made right; sometimes long."""
    own = seeds(device)
    others = own if rng.random() < 0.8 else seeds(rng.choice(NAMES))
    data = rng.choice(own)
    if rng.random() < 0.02:
        data *= (1 << 14) // len(data) + 1
    data = mutated(data, rng, others)
    return repaired(device, data, rng) if rng.random() < 0.5 else data


def fuzz(
    device: str, seed: int, more: Callable[[int], bool], clock: Callable[[], float] | None = None
) -> tuple[int, bytes]:
    """Try inputs while ``more(tried)``; return how many held, and the one that did not (or nothing).

    The generator of each input starts from `seed` and its number, so that one can be had again alone.

    Raises
    ------
    Broken
        Memory grows, whatever the input.
    """
    tried, warm = 0, 0
    while more(tried):
        rng = random.Random(seed * 1_000_003 + tried)
        data = case(device, rng)
        if failure(device, data, rng, clock):
            return tried, data
        tried += 1
        if tried == WARM:
            warm = memory_kb()
        elif tried > WARM and tried % 500 == 0 and memory_kb() > warm + GROWTH_KB:
            raise Broken(f"{memory_kb() - warm} kB more after {tried} inputs")
    return tried, b""


def memory_kb() -> int:
    """Most memory the process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def failure(device: str, data: bytes, rng: random.Random, clock: Callable[[], float] | None = None) -> str:
    """Say what goes wrong with an input; empty where nothing does."""
    try:
        check(device, data, rng, clock)
    except Exception as e:  # noqa: BLE001 - whatever a decoder raises is what we look for
        return f"{type(e).__name__}: {e}"
    return ""


def smaller(device: str, data: bytes) -> bytes:
    """Cut a failing input while it still fails (in some of a few cuttings)."""

    def fails(candidate: bytes) -> bool:
        return any(failure(device, candidate, random.Random(k)) for k in range(15))

    step, tries = len(data) // 2, 0
    while step and fails(data):
        at = 0
        while at < len(data) and tries < TRIES:
            tries += 1
            shorter = data[:at] + data[at + step :]
            if fails(shorter):
                data = shorter
            else:
                at += step
        step //= 2
    return data


def _guided(device: str, seconds: float, folder: Path) -> int:
    """Let atheris choose the inputs, in processes one after the other that hand on what they found worth keeping."""
    with tempfile.TemporaryDirectory() as kept:
        for path in CORPUS.glob(f"{device.removesuffix(LIVE)}.*.bin"):
            shutil.copy(path, kept)
        end, status = time.monotonic() + seconds, 0
        while not status and (left := end - time.monotonic()) > 1:
            piece = ["--device", device, "--seconds", str(min(left, PIECE_S)), "--out", str(folder), "--kept", kept]
            status = subprocess.run([sys.executable, __file__, *piece], check=False).returncode
    return status


def _piece(device: str, seconds: int, folder: Path, kept: Path) -> None:
    """Fuzz with atheris, which ends the process itself. A failing input lies in `folder`."""
    import atheris

    def one(data: bytes) -> None:
        rng = random.Random(len(data))
        check(device, data if len(data) % 2 else repaired(device, data, rng), rng)

    make(device)  # imports what is to be followed
    for name, module in list(sys.modules.items()):
        if name.startswith("ecg_edge.firmware_bridge"):
            _follow(atheris, module)
    limits = ["-max_len=16384", "-timeout=20", "-rss_limit_mb=6000", "-print_final_stats=1", "-verbosity=0"]
    places = [f"-max_total_time={seconds}", f"-artifact_prefix={folder}/", str(kept)]
    atheris.Setup([sys.argv[0], *limits, *places], one)
    atheris.Fuzz()


def _follow(atheris: Any, module: Any) -> None:
    """Instrument the functions and methods of a module."""
    for owner in [
        module,
        *(v for v in vars(module).values() if isinstance(v, type) and v.__module__ == module.__name__),
    ]:
        for name, value in list(vars(owner).items()):
            if isinstance(value, types.FunctionType) and value.__module__ == module.__name__:
                setattr(owner, name, atheris.instrument_func(value))


def has_atheris() -> bool:
    """Whether atheris can be imported."""
    try:
        import atheris  # noqa: F401
    except ImportError:
        return False
    return True


def _report(device: str, data: bytes, seed: int, tried: int, folder: Path) -> None:
    rng = random.Random(seed * 1_000_003 + tried)
    case(device, rng)
    why = failure(device, data, rng, time.process_time)
    path = folder / f"{device}.{seed}-{tried}.fail"
    path.write_bytes(smaller(device, data))
    sys.stdout.write(f"{device}: {why[:300]}\n  input: {path} ({path.stat().st_size} bytes)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the fuzzer; 1 where something failed."""
    parser = argparse.ArgumentParser(description="Fuzz the decoders.")
    parser.add_argument("--seconds", type=float, default=30, help="time for each decoder (default: 30)")
    parser.add_argument("--device", choices=NAMES, help="one decoder (default: all)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other inputs")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for failing inputs")
    parser.add_argument("--random", action="store_true", help="do not use atheris, even where it is installed")
    parser.add_argument("--kept", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.kept:
        _piece(given.device, max(1, int(given.seconds)), given.out, given.kept)
    status, seconds = 0, given.seconds
    if given.device and not given.random and has_atheris():
        status, seconds = _guided(given.device, seconds, given.out), AFTER_S
    for device in [given.device] if given.device else NAMES:
        end = time.monotonic() + seconds
        tried, data = fuzz(device, given.seed, lambda _, end=end: time.monotonic() < end, time.process_time)
        sys.stdout.write(f"{device}: {tried} inputs held\n")
        sys.stdout.flush()
        if data:
            status = 1
            _report(device, data, given.seed, tried, given.out)
    return status


if __name__ == "__main__":
    sys.exit(main())
