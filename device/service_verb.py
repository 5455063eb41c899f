"""The verb ``service``: prints what would make the run a service of systemd, and changes nothing."""

from __future__ import annotations

import argparse
import getpass
import re
from pathlib import Path

from ecg_edge.device.console import say
from ecg_edge.device.systemd import udev_rule, unit
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.verb import emit_json, hint

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
