"""The verb ``service``: prints what would make the run a service of systemd, and changes nothing."""

from __future__ import annotations

import argparse
import getpass
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from ecg_edge.device.live.options import Options, add_settings
from ecg_edge.device.sinks.systemd import WATCHDOG_S
from ecg_edge.firmware_bridge.console import emit_json, hint, say
from ecg_edge.firmware_bridge.errors import UsageError

_PASSWORD = re.compile(r"mqtts?://[^/@]*:.*@")
_SECRET_FILES = ("token-file", "metrics-token-file", "mqtt-password-file", "tls-key", "tls-cert", "mqtt-ca")
_UNIT, _RULE = "/etc/systemd/system/ecg-edge.service", "/etc/udev/rules.d/70-ecg-edge.rules"


def service(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge service`` says; return the exit status."""
    a = arguments
    if a.usb and not re.fullmatch(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}(:[\w.-]+)?", a.usb):
        raise UsageError(f"--usb {a.usb} is no VID:PID", "write 0403:6001, or 0403:6001:SERIAL (ecg-edge ports)")
    words = _with_source([w for w in a.run if w != "--"], "/dev/ecg-patch" if a.usb else "auto")
    folder = str(Path(a.folder).absolute())
    words, secrets = credentials(words)
    files = {_UNIT: unit(words, a.user or getpass.getuser(), folder, tuple(secrets))}
    if a.usb:
        vid, pid, *serial = a.usb.lower().split(":", 2)
        files[_RULE] = udev_rule(vid, pid, a.usb.split(":", 2)[2] if serial else "")
    steps = [f"sudo tee {path} > /dev/null <<'EOF'\n{text}EOF" for path, text in files.items()]
    steps += [f"sudo install -d -m 700 -o {shlex.quote(a.user or getpass.getuser())} {shlex.quote(folder)}"]
    steps += [f"sudo install -D -m 600 {shlex.quote(file)} {place}" for place, file in secrets.items()]
    steps += ["sudo systemctl daemon-reload"]
    steps += ["sudo udevadm control --reload"] if a.usb else []
    steps += ["sudo systemctl enable --now ecg-edge", "journalctl -u ecg-edge -f"]
    if a.json:
        emit_json({"files": files, "steps": steps, "exit": 0})
    else:
        say("# nothing has been changed; these lines install it:\n" + "\n".join(steps))
    hint(f"it may write below {folder} alone\nnext: run the steps above, then ecg-edge doctor")
    return 0


def _with_source(words: list[str], source: str) -> list[str]:
    """Put a source before options that name none: `run` would take ``auto``."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--config")
    add_settings(parser)
    try:
        given, _ = parser.parse_known_args(words)
    except (argparse.ArgumentError, SystemExit):
        return words  # `run` will say what is wrong with it
    return words if given.config or given.source != Options.source or Options.source in words else [source, *words]


def credentials(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Let systemd hand over the files with secrets: the service's user need not be able to read them.

    Returns
    -------
    words, files
        The arguments with the places that systemd gives the files, and where each is to be installed from.

    Raises
    ------
    UsageError
        A secret itself is among the arguments: units are readable by everybody.
    """
    out, files = list(words), dict[str, str]()
    for k, word in enumerate(words):
        if word.split("=")[0] == "--token" or _PASSWORD.search(word):
            fix = "write it to a file: --token-file FILE, --mqtt-password-file FILE"
            raise UsageError("a unit file is readable by everybody; a secret does not belong in it", fix)
        name = word.removeprefix("--")
        if name in _SECRET_FILES and k + 1 < len(words):
            files[f"/etc/ecg-edge/{name}"] = words[k + 1]
            out[k + 1] = f"%d/{name}"
    return out, files


def _systemd_word(word: str) -> str:
    """One argument as systemd reads it: quoted, with its own signs doubled; ``%d`` is its folder of credentials.

    Raises
    ------
    UsageError
        It has a line break or another control character, which would begin a setting of its own.
    """
    if not word.isprintable():
        raise UsageError(f"{word!r} cannot stand in a unit file", "leave control characters and line breaks out")
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    text = text if word.startswith("%d/") else text.replace("%", "%%")
    return text if re.fullmatch(r"[\w@%+=:,./$-]+", text) else f'"{text}"'


def _path_word(path: str) -> str:
    """A folder for a setting that takes several: quoted, no variables there."""
    return _systemd_word(path).replace("$$", "$")


def unit(arguments: Sequence[str], user: str, folder: str, secrets: Sequence[str] = ()) -> str:
    """Text of a service unit that runs ``ecg-edge run`` with these arguments.

    Parameters
    ----------
    secrets : sequence of str
        Files that systemd hands over as credentials, by their last name.

    Raises
    ------
    UsageError
        An argument, the folder or the user cannot stand in a unit file.
    """
    command = " ".join(map(_systemd_word, [sys.executable, "-m", "ecg_edge", "run", *arguments]))
    if not re.fullmatch(r"[\w.@-]+\$?", user):
        raise UsageError(f"{user!r} is no user", "name one with --user")
    load = "".join(f"LoadCredential={Path(file).name}:{file}\n" for file in secrets)
    return f"""[Unit]
Description=ecg-edge: twelve leads live
After=network.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
WatchdogSec={WATCHDOG_S}
{load}ExecStart={command}
Restart=always
RestartSec=2
KillSignal=SIGINT
User={user}
SupplementaryGroups=dialout
WorkingDirectory={_systemd_word(folder).strip('"').replace("$$", "$")}
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths={_path_word(folder)}
UMask=0077
PrivateTmp=yes
RuntimeDirectory=ecg-edge
RuntimeDirectoryMode=0700
Environment=XDG_RUNTIME_DIR=%t/ecg-edge

[Install]
WantedBy=multi-user.target
"""


def udev_rule(vid: str, pid: str, serial: str = "") -> str:
    """Rule that names a patch's port ``/dev/ecg-patch`` and starts the service with it."""
    match = f'SUBSYSTEM=="tty", ATTRS{{idVendor}}=="{vid}", ATTRS{{idProduct}}=="{pid}"'
    if serial:
        match += f', ATTRS{{serial}}=="{serial}"'
    return f'{match}, SYMLINK+="ecg-patch", TAG+="systemd", ENV{{SYSTEMD_WANTS}}="ecg-edge.service"\n'
