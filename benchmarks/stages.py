"""The live path in its stages: what each costs at full speed, and what a live run costs altogether."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.benchmarks.timing import compare
from ecg_edge.device.conditioning import Conditioner
from ecg_edge.device.heart import BeatDetector
from ecg_edge.device.model import Model
from ecg_edge.device.pipeline import Pipeline
from ecg_edge.device.stream import LeadBlock
from ecg_edge.firmware_bridge.ecglink_decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.ecglink_encoder import EcgLinkEncoder
from ecg_edge.firmware_bridge.samples import Channel, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.synthetic import SyntheticHeart

FRAME_S = 0.01
_SIGNAL_S = 20
_LSB = 0.001


def wire(fs: int = 250, seconds: int = _SIGNAL_S) -> tuple[StreamInfo, list[bytes]]:
    """Description and frames of 10 ms as an EcgLink patch sends them, two leads."""
    from fractions import Fraction

    n = round(FRAME_S * fs)
    info = StreamInfo("bench", Fraction(fs), (Channel("I", _LSB), Channel("II", _LSB)), samples_per_frame=n)
    encoder = EcgLinkEncoder(info)
    counts = np.rint(SyntheticHeart(fs, ("I", "II")).read(seconds * fs) / _LSB).astype(np.int32)
    frames = [encoder.describe()]
    frames += [encoder.samples(counts[k : k + n], k) for k in range(0, len(counts) - n + 1, n)]
    return info, frames


def measure(model: Model, rounds: int = 3) -> dict[str, Any]:
    """Percent of a core per stream, for each stage and for all of them as the run puts them together."""
    info, frames = wire()
    decoder = EcgLinkDecoder()
    blocks = [e for f in frames for e in decoder.feed(f) if isinstance(e, SampleBlock)]
    mv = np.concatenate([b.mv for b in blocks])
    per_hop = round(float(info.fs) * model.spec.hop / model.spec.fs)
    conditioned = Conditioner(info.fs, model.spec.fs, 2, model.spec.conditioning, 50).feed(mv)
    rows = np.ones(len(conditioned), np.bool_)
    hop = model.spec.hop

    def decode() -> None:
        d = EcgLinkDecoder()
        for frame in frames:
            d.feed(frame)

    def condition() -> None:
        c = Conditioner(info.fs, model.spec.fs, 2, model.spec.conditioning, 50)
        for k in range(0, len(mv), per_hop):
            c.feed(mv[k : k + per_hop])

    def network() -> None:
        state = model.backend.initial_state()
        for k in range(0, len(conditioned) - hop + 1, hop):
            _, state = model.backend.step(conditioned[k : k + hop], state)

    def beats() -> None:
        b = BeatDetector(model.spec.fs)
        for k in range(0, len(conditioned), hop):
            b.feed(conditioned[k : k + hop, 1], rows[k : k + hop])

    works: dict[str, Callable[[], object]] = {
        "decoder": decode,
        "conditioner": condition,
        "network": network,
        "beats": beats,
        "whole path": lambda: path(model, info, frames),
    }
    seconds = compare(works, rounds, dict.fromkeys(works, 1))
    percent = {name: 100 * s / _SIGNAL_S for name, s in seconds.items()}
    known = sum(v for k, v in percent.items() if k != "whole path")
    whole = percent.pop("whole path")
    percent["head, flags, gaps, queues"] = max(0.0, whole - known)
    return {"stages_percent": percent, "whole_percent": whole, "patches_per_core": 100 / whole}


def path(model: Model, info: StreamInfo, frames: list[bytes]) -> int:
    """Bytes to rows as `device.run` does it, one stream; returns the number of rows."""
    from ecg_edge.device.coalesce import coalesce

    decoder, pipeline = EcgLinkDecoder(), Pipeline(model, info, mains_hz=50)
    beats, waiting, have, rows = BeatDetector(model.spec.fs), list[SampleBlock](), 0, 0
    for frame in frames:
        for event in decoder.feed(frame):
            if isinstance(event, SampleBlock):
                waiting.append(event)
                have += len(event)
        if have >= pipeline.missing:
            for joined in coalesce(waiting):
                assert isinstance(joined, SampleBlock)
                for out in pipeline.feed(joined):
                    if isinstance(out, LeadBlock):
                        beats.feed(out.mv[:, 1], out.valid[:, 1])
                        rows += len(out)
            waiting, have = [], 0
    return rows


def live(model: str, seconds: float, monitor: bool = True) -> dict[str, Any]:
    """A run of its own process on a virtual patch, at wall-clock pace: processor, memory, latency, cold start.

    Linux only: reads ``/proc``.
    """
    import json

    from ecg_edge.device.demo_verb import virtual_patch

    with tempfile.TemporaryDirectory() as folder, virtual_patch() as port:
        command = [sys.executable, "-m", "ecg_edge.device.main", "run", port, "--model", model, "--out", folder]
        command += ["--json", "--seconds", str(seconds + 5), *(["--monitor", "--port", "0"] if monitor else [])]
        begun = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
            try:
                first = _first_row(Path(folder), begun)
                cpu, at = _cpu_s(child.pid), time.monotonic()
                time.sleep(seconds - 1)
                used, took, rss = _cpu_s(child.pid) - cpu, time.monotonic() - at, _rss_mb(child.pid)
                out, _ = child.communicate(timeout=60)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    child.send_signal(signal.SIGTERM)
    doc = json.loads(out.splitlines()[-1])
    return {
        "core_percent": 100 * used / took,
        "rss_mb": rss,
        "cold_start_s": first,
        "latency_ms": doc["latency_ms"],
        "seconds": seconds,
        "monitor": monitor,
    }


def _first_row(folder: Path, begun: float, patience_s: float = 30.0) -> float:
    """Seconds until the recorder has written the first reconstructed rows."""
    while time.monotonic() - begun < patience_s:
        if any(p.stat().st_size for p in folder.glob("*Z.dat")):
            return time.monotonic() - begun
        time.sleep(0.01)
    return float("nan")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")
