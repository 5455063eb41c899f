"""Every format through every verb: ``python -m tests.support.format_matrix [VERB …]`` prints the matrix."""

import contextlib
import io
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from ecg_edge.device.cli.main import main
from tests.support import recording_samples

VERBS = {
    "replay": lambda path, out: ["replay", path, "--fast", "--out", f"{out}/r"],
    "calibrate": lambda path, out: ["calibrate", "--model", "i-ii-int8", "--reference", path, "--patient", "P",
                                    "--out", f"{out}/x.calibration"],
    "convert": lambda path, out: ["convert", path, "--out", f"{out}/x.edf"],
    "report": lambda path, out: ["report", path, "--out", f"{out}/x.pdf"],
    "reconstruct": lambda path, out: ["reconstruct", path, "--leads", "I,II", "--out", f"{out}/y.csv"],
    "measure": lambda path, out: ["measure", path],
    "simulate": lambda path, out: ["simulate", "--record", path, "--leads", "I,II", "--tcp", "127.0.0.1:0",
                                   "--free-run", "--fast", "--seconds", "2"],
}  # fmt: skip
_WAIT_S = 30


def cell(kind, verb):
    """Exit status of a verb on a sample, and the first line of what it said."""
    with tempfile.TemporaryDirectory() as folder:
        path = recording_samples.make(Path(folder) / "in", kind)
        said = io.StringIO()
        out = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(out):
            words = VERBS[verb](str(path), folder)
            code = _heard(words, out) if verb == "simulate" else main(words)
        return code, said.getvalue().strip().split("\n")[0]


def _heard(words, out):
    """Exit status of a simulation that somebody listens to; it waits for ever where nobody does."""
    codes = []
    thread = threading.Thread(target=lambda: codes.append(main(words)), daemon=True)
    thread.start()
    ends = time.monotonic() + _WAIT_S
    while "\n" not in out.getvalue() and thread.is_alive() and time.monotonic() < ends:
        time.sleep(0.02)
    if address := out.getvalue().split("\n")[0]:
        host, port = address.rpartition("//")[2].rsplit(":", 1)
        with socket.create_connection((host, int(port)), _WAIT_S) as link:
            link.settimeout(_WAIT_S)
            while link.recv(65536):
                pass
    thread.join(_WAIT_S)
    return codes[0] if codes else "it does not end"


if __name__ == "__main__":
    wrong, verbs = [], sys.argv[1:] or list(VERBS)
    sys.stdout.write(f"{'':14}" + "".join(f"{verb:>12}" for verb in verbs) + "\n")
    for kind in recording_samples.KINDS:
        row = {verb: cell(kind, verb) for verb in verbs}
        wrong += [f"{kind} {verb}: {said}" for verb, (code, said) in row.items() if code]
        sys.stdout.write(f"{kind:14}" + "".join(f"{'NO' if code else 'yes':>12}" for code, _ in row.values()) + "\n")
    sys.stdout.write("".join(f"{line}\n" for line in wrong))
    sys.exit(bool(wrong))
