"""Under systemd: readiness and watchdog messages (sd_notify), and the unit and udev rule to install."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

from ecg_edge.device.sinks.sink import RunHeader, SinkBase, Status

WATCHDOG_S = 20


class SystemdSink(SinkBase):
    """Tells systemd that the run is ready, what it does, and once a second that it is alive.

    The figures come from the run's own loop: where that stands still, so does the watchdog.
    """

    name = "systemd"
    takes = ()
    outlet = False

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")

    @property
    def wanted(self) -> bool:
        """Whether systemd listens."""
        return bool(self._address)

    def open(self, header: RunHeader) -> None:
        """Say that it is ready."""
        self.say(f"READY=1\nSTATUS={header.info.device} at {header.source}")

    def status(self, status: Status) -> None:
        """Say that it is alive."""
        state = f"{status.rate_hz:.1f} Hz, {status.samples_lost} lost" if status.connected else "device not connected"
        self.say(f"WATCHDOG=1\nSTATUS={state}")

    def close(self) -> None:
        """Say that it ends."""
        self.say("STOPPING=1")

    def say(self, text: str) -> None:
        """Send a message of sd_notify; where systemd does not listen, do nothing."""
        if self._address:
            address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
                s.sendto(text.encode(), address)
