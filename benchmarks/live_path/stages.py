"""The live path in its stages: what each takes at full speed, and what a live run takes altogether."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.benchmarks.measuring.process import cpu_s, rss_mb
from ecg_edge.benchmarks.measuring.timing import compare
from ecg_edge.device.analysis.beat_detector import BeatDetector
from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.inference.load import Model
from ecg_edge.device.lead_algebra import provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.monitor.frames import encode_frames
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.sinks.sink import RunHeader
from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.ecglink.encoder import EcgLinkEncoder
from ecg_edge.firmware_bridge.events import Channel, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.ports.transport import open_transport
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from ecg_edge.firmware_bridge.virtual_patch.link_pty import PtyLink

FRAME_S = 0.01
_SIGNAL_S = 20
_LSB = 0.001


def wire(fs: int = 250, seconds: int = _SIGNAL_S) -> tuple[StreamInfo, list[bytes]]:
    """Description and frames of 10 ms as an EcgLink patch sends them, two leads."""
    from fractions import Fraction

    n = round(FRAME_S * fs)
    info = StreamInfo("bench", Fraction(fs), (Channel("I", _LSB), Channel("II", _LSB)), samples_per_frame=n)
    encoder, counts = EcgLinkEncoder(info), _counts(info, seconds)
    frames = [encoder.describe()]
    frames += [encoder.samples(counts[k : k + n], k) for k in range(0, len(counts) - n + 1, n)]
    return info, frames


def _counts(info: StreamInfo, seconds: int = _SIGNAL_S) -> npt.NDArray[np.int32]:
    fs = round(info.fs)
    return np.rint(SyntheticHeart(fs, ("I", "II")).read(seconds * fs) / _LSB).astype(np.int32)


def measure(model: Model, rounds: int = 5) -> dict[str, Any]:
    """Milliseconds per hop of each stage at full speed, alone and in a row through a real pseudo-terminal.

    Returns
    -------
    dict
        ``stages_ms``: by stage, the last what the whole takes beyond their sum; ``whole_ms``: all of them in one
        thread; ``path_percent``: bytes to rows alone, as percent of a core for each second of signal.
    """
    info, frames = wire()
    hops = round(_SIGNAL_S * model.spec.fs / model.spec.hop)
    with tempfile.TemporaryDirectory() as folder:
        works = _stage_works(model, info, frames, Path(folder))
        seconds = compare(works, rounds, dict.fromkeys(works, 1))
    ms = {name: 1e3 * s / hops for name, s in seconds.items()}
    path_ms, whole, feed = ms.pop("path"), ms.pop("whole"), ms.pop("reconstructor")
    stages = {}
    for name, value in ms.items():
        stages[name] = value
        if name == "network":
            stages["head, intervals, flags"] = feed - value
    stages["what is left: gap guard, joining, hand-over"] = whole - sum(stages.values())
    percent = path_ms * model.spec.fs / model.spec.hop / 10
    return {"stages_ms": stages, "whole_ms": whole, "path_percent": percent, "patches_per_core": 100 / percent}


def _stage_works(model: Model, info: StreamInfo, frames: list[bytes], folder: Path) -> dict[str, Callable[[], object]]:
    """Each stage over the whole signal, in the order of a sample's way; then all of them, and bytes to rows."""
    counts, encoder = _counts(info), EcgLinkEncoder(info)
    n, hop = info.samples_per_frame, model.spec.hop
    decoder = EcgLinkDecoder()
    native = [e for f in frames for e in decoder.feed(f) if isinstance(e, SampleBlock)]
    mv = np.concatenate([b.mv for b in native])
    per_hop = round(float(info.fs) * hop / model.spec.fs)
    conditioned = Conditioner(info.fs, model.spec.fs, 2, model.spec.conditioning, 50).feed(mv)
    whole_block = StreamReconstructor(model).feed(conditioned)
    blocks = [whole_block.rows(k, k + hop) for k in range(0, len(whole_block) - hop, hop)]
    good = np.ones(hop, np.bool_)

    def patch() -> None:
        for k in range(0, len(counts) - n + 1, n):
            encoder.samples(counts[k : k + n], k)

    def terminal() -> None:
        with contextlib.closing(PtyLink()) as link, open_transport(link.address) as port:
            for frame in frames:
                link.send(frame)
                port.read()

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

    def reconstruct() -> None:
        stream = StreamReconstructor(model)
        for k in range(0, len(conditioned) - hop + 1, hop):
            stream.feed(conditioned[k : k + hop])

    def beats() -> None:
        b = BeatDetector(model.spec.fs)
        for block in blocks:
            b.feed(block.mv[:, 1], good)

    def record() -> None:
        sink = Recorder(folder)
        sink.open(_header(model, info))
        for native_block in native:
            sink.native(native_block)
        for block in blocks:
            sink.leads(block)
        sink.close()

    def screen() -> None:
        for k, block in enumerate(blocks):
            encode_frames(block, k)

    def whole() -> None:
        sink = Recorder(folder)
        sink.open(_header(model, info))

        def out(block: LeadBlock) -> None:
            sink.leads(block)
            encode_frames(block, 0)

        def sent() -> Iterator[bytes]:
            with contextlib.closing(PtyLink()) as link, open_transport(link.address) as port:
                for k in range(-n, len(counts) - n + 1, n):
                    link.send(encoder.samples(counts[k : k + n], k) if k >= 0 else frames[0])
                    yield port.read()

        path(model, info, sent(), out, sink.native)
        sink.close()

    return {
        "patch: frames": patch,
        "pseudo-terminal": terminal,
        "decoder": decode,
        "conditioner": condition,
        "network": network,
        "beats": beats,
        "recorder": record,
        "monitor's frames": screen,
        "reconstructor": reconstruct,
        "whole": whole,
        "path": lambda: path(model, info, frames),
    }


def _header(model: Model, info: StreamInfo) -> RunHeader:
    now = datetime(2000, 1, 1, tzinfo=timezone.utc)
    return RunHeader(info, "bench", model.spec, model.path.name, model.file_sha256, provenance(("I", "II")), now)


def path(
    model: Model,
    info: StreamInfo,
    frames: Iterable[bytes],
    sink: Callable[[LeadBlock], object] = lambda _: None,
    native: Callable[[SampleBlock], object] = lambda _: None,
) -> int:
    """Bytes to rows as `device.live.runner` does it, one stream; returns the number of rows."""
    from ecg_edge.device.live.coalesce import coalesce

    decoder, pipeline = EcgLinkDecoder(), Pipeline(model, info, mains_hz=50)
    beats, waiting, have, rows = BeatDetector(model.spec.fs), list[SampleBlock](), 0, 0
    for frame in frames:
        for event in decoder.feed(frame):
            if isinstance(event, SampleBlock):
                native(event)
                waiting.append(event)
                have += len(event)
        if have >= pipeline.missing:
            for joined in coalesce(waiting):
                assert isinstance(joined, SampleBlock)
                for out in pipeline.feed(joined):
                    if isinstance(out, LeadBlock):
                        beats.feed(out.mv[:, 1], out.valid[:, 1])
                        sink(out)
                        rows += len(out)
            waiting, have = [], 0
    return rows


def live(model: str, seconds: float, monitor: bool = True) -> dict[str, Any]:
    """A run of its own process on a virtual patch, at wall-clock pace: processor, memory, latency, cold start.

    Linux only: reads ``/proc``.
    """
    import json

    from ecg_edge.firmware_bridge.virtual_patch.child_process import virtual_patch

    with tempfile.TemporaryDirectory() as folder, virtual_patch() as port:
        command = [sys.executable, "-m", "ecg_edge", "run", port, "--model", model, "--out", folder]
        command += ["--json", "--seconds", str(seconds + 5), *(["--monitor", "--port", "0"] if monitor else [])]
        begun = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
            try:
                first = _first_row(Path(folder), begun)
                cpu, at = cpu_s(child.pid), time.monotonic()
                time.sleep(seconds - 1)
                used, took, rss = cpu_s(child.pid) - cpu, time.monotonic() - at, rss_mb(child.pid)
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
