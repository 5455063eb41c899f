"""Every format through every verb: ``python -m tests.support.format_matrix`` prints the matrix."""

import contextlib
import io
import sys
import tempfile
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
}  # fmt: skip


def cell(kind, verb):
    """Exit status of a verb on a sample, and the first line of what it said."""
    with tempfile.TemporaryDirectory() as folder:
        path = recording_samples.make(Path(folder) / "in", kind)
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = main(VERBS[verb](str(path), folder))
        return code, said.getvalue().strip().split("\n")[0]


if __name__ == "__main__":
    wrong = []
    sys.stdout.write(f"{'':14}" + "".join(f"{verb:>12}" for verb in VERBS) + "\n")
    for kind in recording_samples.KINDS:
        row = {verb: cell(kind, verb) for verb in VERBS}
        wrong += [f"{kind} {verb}: {said}" for verb, (code, said) in row.items() if code]
        sys.stdout.write(f"{kind:14}" + "".join(f"{'NO' if code else 'yes':>12}" for code, _ in row.values()) + "\n")
    sys.stdout.write("".join(f"{line}\n" for line in wrong))
    sys.exit(bool(wrong))
