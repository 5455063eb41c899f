"""How long a run takes to end after Ctrl-C, whatever goes on.

``python -m ecg_edge.benchmarks.live_path.ctrl_c [--times N] [--scene NAME]`` starts ``ecg-edge run`` against a peer of
each kind. It sends SIGINT in the middle, and prints the seconds until the process has ended.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ecg_edge.firmware_bridge.ecglink.encoder import EcgLinkEncoder
from ecg_edge.firmware_bridge.events import Channel, StreamInfo
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

PATIENCE_S = 60.0
_FS, _TICK_HZ, _LSB, _N = 250, 32768, 5e-4, 10
_GAP = 3540 * _FS
_CONNACK = bytes([0x20, 3, 0, 0, 0])
_CONNACK_311 = bytes([0x20, 2, 0, 0])


class Peer(threading.Thread):
    """Whoever is at the other end of a TCP connection; `ready` is set once Ctrl-C may come."""

    def __init__(self, serve: Callable[[Peer, socket.socket], None]) -> None:
        super().__init__(daemon=True)
        self._serve = serve
        self.ready, self.over = threading.Event(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])

    def run(self) -> None:
        """Serve one connection after another."""
        with contextlib.suppress(OSError):
            while not self.over.is_set():
                client, _ = self.listener.accept()
                with client, contextlib.suppress(OSError):
                    self._serve(self, client)

    def close(self) -> None:
        """Leave."""
        self.over.set()
        self.listener.close()


def _frames(leap_after: int = 1 << 62) -> Iterator[bytes]:
    """An EcgLink patch's bytes, a frame at a time; after so many frames 59 minutes are missing."""
    channels = (Channel("I", _LSB), Channel("II", _LSB))
    encoder = EcgLinkEncoder(StreamInfo("peer", Fraction(_FS), channels, tick_hz=Fraction(_TICK_HZ)))
    heart, index, k = SyntheticHeart(Fraction(_FS), ("I", "II"), seed=1), 0, 0
    while True:
        if k % 25 == 0:
            yield encoder.describe()
        if k == leap_after:
            index += _GAP
        counts = np.rint(heart.read(_N) / _LSB).astype(int)
        yield encoder.samples(counts, index, index * _TICK_HZ // _FS)
        index, k = index + _N, k + 1


def _paced(peer: Peer, client: socket.socket) -> None:
    """A device at its own pace; ready after two seconds of signal."""
    began = time.monotonic()
    for sent, frame in enumerate(_frames()):
        client.sendall(frame)
        if sent * _N > 2 * _FS:
            peer.ready.set()
        if peer.over.wait(max(0.0, began + sent * _N / _FS - time.monotonic())):
            return


def _flood(peer: Peer, client: socket.socket) -> None:
    for k, frame in enumerate(_frames()):
        client.sendall(frame)
        if k == 3000:
            peer.ready.set()


def _silent(peer: Peer, client: socket.socket) -> None:
    peer.ready.set()
    peer.over.wait(PATIENCE_S)


def _leaves(peer: Peer, client: socket.socket) -> None:
    for _, frame in zip(range(100), _frames(), strict=False):
        client.sendall(frame)
    peer.close()
    peer.ready.set()


def _leaps(peer: Peer, client: socket.socket) -> None:
    for k, frame in enumerate(_frames(leap_after=100)):
        client.sendall(frame)
        if k == 110:
            peer.ready.set()
        if k > 100 and peer.over.wait(_N / _FS):
            return


def _slow_broker(peer: Peer, client: socket.socket) -> None:
    """Answers CONNECT and reads no more."""
    said = client.recv(1024)
    client.sendall(_CONNACK if b"MQTT\x05" in said else _CONNACK_311)
    peer.over.wait(PATIENCE_S)


@dataclass(frozen=True)
class Scene:
    """What goes on when Ctrl-C arrives.

    Attributes
    ----------
    device : callable
        The device's end of the connection.
    words : tuple of str
        Further words of the command; ``{out}`` is a folder, ``{broker}`` a broker's port.
    broker : callable, optional
        The broker's end.
    reads : bool
        Whether standard output is read.
    watcher : bool
        Somebody connects to ``--serve`` and never reads.
    """

    device: Callable[[Peer, socket.socket], None]
    words: tuple[str, ...] = ()
    broker: Callable[[Peer, socket.socket], None] | None = None
    reads: bool = True
    watcher: bool = False


SCENES: dict[str, Scene] = {
    "quiet": Scene(_paced, ("--out", "{out}")),
    "flood": Scene(_flood, ("--out", "{out}")),
    "silent port": Scene(_silent),
    "reconnecting": Scene(_leaves, ("--out", "{out}")),
    "gap of 59 minutes": Scene(_leaps, ("--out", "{out}", "--jsonl")),
    "broker that does not read": Scene(_flood, ("--mqtt", "mqtt://127.0.0.1:{broker}/bed"), _slow_broker),
    "broker that does not answer": Scene(_paced, ("--mqtt", "mqtt://127.0.0.1:{broker}/bed"), _silent),
    "output nobody reads": Scene(_flood, ("--jsonl",), reads=False),
    "listener nobody reads": Scene(_flood, ("--serve", "unix:{out}.sock"), watcher=True),
}


def ended_after(scene: Scene) -> float:
    """Seconds from Ctrl-C to the end of the process.

    Raises
    ------
    subprocess.TimeoutExpired
        It has not ended within a minute.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as at_end:
        peers = [Peer(scene.device), *([Peer(scene.broker)] if scene.broker else [])]
        for peer in peers:
            at_end.callback(peer.close)
            peer.start()
        out = str(Path(folder) / "r")
        words = [w.format(out=out, broker=peers[-1].port) for w in scene.words]
        child = _start(f"tcp://127.0.0.1:{peers[0].port}", words)
        at_end.callback(_make_sure, child)
        if scene.reads:
            threading.Thread(target=child.stdout.read if child.stdout else None, daemon=True).start()
        if scene.watcher:
            at_end.enter_context(_watcher(f"{out}.sock"))
        if scene.broker is _silent:
            peers[-1].ready.wait(PATIENCE_S)
        else:
            peers[0].ready.wait(PATIENCE_S)
        time.sleep(0.5)
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        child.wait(PATIENCE_S)
        return time.monotonic() - began


def _start(url: str, words: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ecg_edge", "run", url, *words]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)


def _make_sure(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.kill()
    child.wait()
    if child.stdout:
        child.stdout.close()


def _watcher(path: str) -> socket.socket:
    """Connect to the lines, and read none."""
    until = time.monotonic() + PATIENCE_S
    while True:
        s = socket.socket(socket.AF_UNIX)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        try:
            s.connect(path)
        except OSError:
            s.close()
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return s


def main() -> int:
    """Print the seconds of every scene."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--scene", action="append", choices=SCENES)
    a = parser.parse_args()
    for name in a.scene or SCENES:
        took = sorted(ended_after(SCENES[name]) for _ in range(a.times))
        sys.stdout.write(json.dumps({"scene": name, "seconds": [round(s, 2) for s in took]}) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
