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
from ecg_edge.firmware_bridge.array_types import Float32Array
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
        ``stages_ms``: by stage; the last is what the whole takes beyond their sum. ``whole_ms``: all stages in one
        thread. ``path_percent``: bytes to rows alone, in percent of a core at the real pace.
    """
    info, frames = wire()
    hops = round(_SIGNAL_S * model.spec.fs / model.spec.hop)
    with tempfile.TemporaryDirectory() as folder:
        works = _Stages(model, info, frames, Path(folder)).works()
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


class _Stages:
    """Each stage over the whole signal, in the order of a sample's way; then all of them, and bytes to rows."""

    def __init__(self, model: Model, info: StreamInfo, frames: list[bytes], folder: Path) -> None:
        self._model, self._info, self._frames, self._folder = model, info, frames, folder
        self._counts, self._encoder = _counts(info), EcgLinkEncoder(info)
        self._hop, decoder = model.spec.hop, EcgLinkDecoder()
        self._native = [e for f in frames for e in decoder.feed(f) if isinstance(e, SampleBlock)]
        self._mv = np.concatenate([b.mv for b in self._native])
        self._conditioned = self._conditioner().feed(self._mv)
        block = StreamReconstructor(model).feed(self._conditioned)
        self._blocks = [block.rows(k, k + self._hop) for k in range(0, len(block) - self._hop, self._hop)]

    def works(self) -> dict[str, Callable[[], object]]:
        """What to time, by the name of its stage."""
        return {
            "patch: frames": self._patch,
            "pseudo-terminal": self._terminal,
            "decoder": self._decode,
            "conditioner": self._condition,
            "network": self._network,
            "beats": self._beats,
            "recorder": self._record,
            "monitor's frames": self._screen,
            "reconstructor": self._reconstruct,
            "whole": self._whole,
            "path": lambda: path(self._model, self._info, self._frames),
        }

    def _conditioner(self) -> Conditioner:
        spec = self._model.spec
        return Conditioner(self._info.fs, spec.fs, 2, spec.conditioning, 50)

    def _hops(self) -> Iterator[Float32Array]:
        for k in range(0, len(self._conditioned) - self._hop + 1, self._hop):
            yield self._conditioned[k : k + self._hop]

    def _patch(self) -> None:
        n = self._info.samples_per_frame
        for k in range(0, len(self._counts) - n + 1, n):
            self._encoder.samples(self._counts[k : k + n], k)

    def _terminal(self) -> None:
        with contextlib.closing(PtyLink()) as link, open_transport(link.address) as port:
            for frame in self._frames:
                link.send(frame)
                port.read()

    def _decode(self) -> None:
        decoder = EcgLinkDecoder()
        for frame in self._frames:
            decoder.feed(frame)

    def _condition(self) -> None:
        conditioner = self._conditioner()
        per_hop = round(float(self._info.fs) * self._hop / self._model.spec.fs)
        for k in range(0, len(self._mv), per_hop):
            conditioner.feed(self._mv[k : k + per_hop])

    def _network(self) -> None:
        state = self._model.backend.initial_state()
        for hop in self._hops():
            _, state = self._model.backend.step(hop, state)

    def _reconstruct(self) -> None:
        stream = StreamReconstructor(self._model)
        for hop in self._hops():
            stream.feed(hop)

    def _beats(self) -> None:
        detector, good = BeatDetector(self._model.spec.fs), np.ones(self._hop, np.bool_)
        for block in self._blocks:
            detector.feed(block.mv[:, 1], good)

    def _record(self) -> None:
        sink = self._recorder()
        for native in self._native:
            sink.native(native)
        for block in self._blocks:
            sink.leads(block)
        sink.close()

    def _recorder(self) -> Recorder:
        sink = Recorder(self._folder)
        sink.open(_header(self._model, self._info))
        return sink

    def _screen(self) -> None:
        for k, block in enumerate(self._blocks):
            encode_frames(block, k)

    def _whole(self) -> None:
        sink = self._recorder()

        def out(block: LeadBlock) -> None:
            sink.leads(block)
            encode_frames(block, 0)

        path(self._model, self._info, self._sent(), out, sink.native)
        sink.close()

    def _sent(self) -> Iterator[bytes]:
        """What arrives through a pseudo-terminal, frame by frame."""
        n = self._info.samples_per_frame
        with contextlib.closing(PtyLink()) as link, open_transport(link.address) as port:
            for k in range(-n, len(self._counts) - n + 1, n):
                link.send(self._encoder.samples(self._counts[k : k + n], k) if k >= 0 else self._frames[0])
                yield port.read()


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
