"""The verb ``service``: prints what would make the run a service of systemd, and changes nothing."""

from __future__ import annotations

import argparse
import getpass
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from ecg_edge.device.sinks.systemd import WATCHDOG_S
from ecg_edge.firmware_bridge.console import emit_json, hint, say
from ecg_edge.firmware_bridge.errors import UsageError

_UNIT, _RULE = "/etc/systemd/system/ecg-edge.service", "/etc/udev/rules.d/70-ecg-edge.rules"


def service(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge service`` says; return the exit status."""
    a = arguments
    if a.usb and not re.fullmatch(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}(:[\w.-]+)?", a.usb):
        raise UsageError(f"--usb {a.usb} is no VID:PID", "write 0403:6001, or 0403:6001:SERIAL (ecg-edge ports)")
    words = [w for w in a.run if w != "--"] or (["/dev/ecg-patch"] if a.usb else ["auto"])
    folder = str(Path(a.folder).absolute())
    files = {_UNIT: unit(words, a.user or getpass.getuser(), folder)}
    if a.usb:
        vid, pid, *serial = a.usb.lower().split(":", 2)
        files[_RULE] = udev_rule(vid, pid, a.usb.split(":", 2)[2] if serial else "")
    steps = [f"sudo tee {path} < /dev/stdin   # the text above" for path in files]
    steps += [f"sudo mkdir -p {folder}", "sudo systemctl daemon-reload"]
    steps += ["sudo udevadm control --reload"] if a.usb else []
    steps += ["sudo systemctl enable --now ecg-edge", "journalctl -u ecg-edge -f"]
    if a.json:
        emit_json({"files": files, "steps": steps, "exit": 0})
    else:
        for path, text in files.items():
            say(f"# {path}\n{text}")
        say("# what to do with them (nothing has been changed):\n" + "\n".join(steps))
    hint("next: run the steps above, then ecg-edge doctor")
    return 0


def unit(arguments: Sequence[str], user: str, folder: str) -> str:
    """Text of a service unit that runs ``ecg-edge run`` with these arguments."""
    command = shlex.join([sys.executable, "-m", "ecg_edge", "run", *arguments])
    return f"""[Unit]
Description=ecg-edge: twelve leads live
After=network.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
WatchdogSec={WATCHDOG_S}
ExecStart={command.replace("%", "%%")}
Restart=always
RestartSec=2
KillSignal=SIGINT
User={user}
SupplementaryGroups=dialout
WorkingDirectory={folder}
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths={folder}
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
"""


def udev_rule(vid: str, pid: str, serial: str = "") -> str:
    """Rule that names a patch's port ``/dev/ecg-patch`` and starts the service with it."""
    match = f'SUBSYSTEM=="tty", ATTRS{{idVendor}}=="{vid}", ATTRS{{idProduct}}=="{pid}"'
    if serial:
        match += f', ATTRS{{serial}}=="{serial}"'
    return f'{match}, SYMLINK+="ecg-patch", TAG+="systemd", ENV{{SYSTEMD_WANTS}}="ecg-edge.service"\n'
