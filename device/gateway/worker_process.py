"""The supervisor's end of a worker process.

A worker is a fresh interpreter, not a fork: the supervisor has threads, whose locks a fork would copy as they stand.
What all workers share are the pages of the files they map: libraries, onnxruntime among them, and models.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from ecg_edge.device.gateway.link import Document, Link, Samples

Take = Callable[[Document | Samples | None], None]
"""Called in a thread of the worker's own with each message, and with None when it has ended."""


class WorkerEnd(Protocol):
    """What the supervisor needs of a worker."""

    @property
    def pid(self) -> int:
        """Of the process."""
        ...

    def send(self, document: Document) -> None:
        """Give an order."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    def died_of(self) -> str:
        """Why it has ended, in words, once it has; its resources are freed."""
        ...


class WorkerProcess:
    """Starts ``python -m ecg_edge.device.gateway.worker`` and listens to it.

    Parameters
    ----------
    take : callable
        See `Take`.
    """

    def __init__(self, take: Take) -> None:
        ours, theirs = socket.socketpair()
        environment = {k: v for k, v in os.environ.items() if k != "NOTIFY_SOCKET"}  # systemd hears the supervisor
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ecg_edge.device.gateway.worker"],
                stdin=theirs.fileno(),
                env=environment,
                start_new_session=True,
            )
        self._link, self._take = Link(ours), take
        threading.Thread(target=self._read, name=f"worker {self.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def send(self, document: Document) -> None:
        """Give an order; one that has ended takes none."""
        self._link.send(document)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def died_of(self) -> str:
        """Why it has ended, in words."""
        self._process.kill()  # it has closed its link: whatever it still does, it is of no use
        status = self._process.wait()
        self._link.close()
        if status >= 0:
            return f"exit status {status}"
        try:
            return f"signal {signal.Signals(-status).name}"
        except ValueError:
            return f"signal {-status}"

    def _read(self) -> None:
        for message in self._link.receive():
            self._take(message)
        self._take(None)
