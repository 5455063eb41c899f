"""The command ``ecg-edge``: finds its verbs by entry point, imports only the one that is asked for."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points, version
from types import FrameType
from typing import NoReturn

from ecg_edge.firmware_bridge.cli.verb import Verb
from ecg_edge.firmware_bridge.console import emit_json, hint, open_standard_streams, silence_stdout
from ecg_edge.firmware_bridge.errors import EcgEdgeError, MissingExtraError, PluginError, UsageError, as_error

_GROUP = "ecg_edge.verbs"
_ORDER = ("demo", "run", "info", "verify", "doctor", "ports", "simulate", "decode", "train", "evaluate", "export")
_INTERRUPTED = 130
EXAMPLES = {
    "bench": "--suite --out report",
    "calibrate": "--model i-ii-int8 --reference twelve.hea --patient P7 --out P7.calibration",
    "convert": "rec.hea --out rec.edf",
    "data": "get ptb-xl --dest ptb-xl --only records100/",
    "decode": "--as cyton bytes.bin --leads I,II --out samples.npz",
    "demo": "",
    "doctor": "",
    "evaluate": "i-ii-int8 --data ptb-xl --limit 20",
    "export": "runs/mine --int8 --data ptb-xl",
    "gateway": "status",
    "info": "i-ii-int8",
    "measure": "rec_measured.hea",
    "ports": "",
    "reconstruct": "two.edf --out twelve.edf",
    "replay": "rec --monitor",
    "report": "rec --at 5 --out page.pdf",
    "reproduce": "calibration --out results",
    "results": "--check",
    "run": "/dev/ttyUSB0 --monitor --out rec",
    "send": "rec https://server/fhir --token-file token",
    "service": "--usb 0403:6015 -- /dev/ecg-patch --out rec",
    "simulate": "--as cyton --link ./cyton --leads I,II",
    "soak": "--out docs",
    "train": "--recipe i-ii --data ptb-xl --out runs/mine",
    "verify": "i-ii-int8",
}
"""A command for the foot of each verb's help."""


def find_verbs() -> dict[str, EntryPoint]:
    """Return the verbs of the installed package by name, those of everyday use first."""
    ours_last = sorted(entry_points(group=_GROUP), key=lambda e: e.value.startswith("ecg_edge."))
    found = {e.name: e for e in ours_last}  # a stranger's verb replaces none of ours
    first = {name: found.pop(name) for name in _ORDER if name in found}
    return first | dict(sorted(found.items()))


def load_verb(entry: EntryPoint) -> Verb:
    """Import one verb.

    Raises
    ------
    MissingExtraError
        It needs a package that is not installed.
    EcgEdgeError
        The installation does not contain it.
    """
    try:
        verb = entry.load()
    except ImportError as e:
        from ecg_edge.firmware_bridge.extras import extra_of  # the help starts sooner without

        package = (e.name or "").split(".")[0]
        if extra := extra_of(package):
            raise MissingExtraError(package, extra) from e
        raise EcgEdgeError(
            f"{entry.name!r} is not in this installation ({e})", "install the package again: pip install ecg-edge"
        ) from e
    except (Exception, SystemExit) as e:  # a stranger's module may raise anything
        brings = entry.dist.name if entry.dist else entry.value
        raise PluginError(
            f"the verb {entry.name} of {brings} cannot be used: {type(e).__name__}: {e}",
            f"update or remove the package: pip uninstall {brings}",
        ) from e
    if not isinstance(verb, Verb):
        raise EcgEdgeError(f"the entry point {entry.value} is no verb", "install the package again")
    return verb


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    open_standard_streams()
    words = joined_leads(sys.argv[1:] if argv is None else argv)
    try:
        with interrupted_at_once():
            arguments = parse(words)
        verb: Verb = arguments.verb
        status = verb.run(arguments)
        sys.stdout.flush()  # what cannot be written fails here, not after the end
        return status
    except EcgEdgeError as e:
        hint(f"ecg-edge: {e}")
        return e.exit_code
    except KeyboardInterrupt:
        hint("ecg-edge: interrupted")
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; what is buffered must not fail again at exit.
        silence_stdout()
        return 0
    except Exception as e:
        if os.environ.get("ECG_EDGE_TRACEBACK"):
            raise
        if isinstance(e, OSError) and e.errno == errno.ENOSPC:
            silence_stdout()  # it may be stdout's own disk that is full
        error = as_error(e)
        hint(f"ecg-edge: {error}")
        return error.exit_code


def parse(words: list[str]) -> argparse.Namespace:
    """Read a command line without doing what it says."""
    return _parsed(_parser(words), words)


def _parsed(parser: argparse.ArgumentParser, words: list[str]) -> argparse.Namespace:
    """The arguments; a number out of its range is an error like one of the verb's own, in JSON too."""
    try:
        arguments = parser.parse_args(words)
        _refuse_empty(arguments, words)
        return arguments
    except EcgEdgeError as e:
        if "--json" in words:
            emit_json({"error": e.message, "fix": e.fix, "exit": e.exit_code})
        raise


def joined_leads(words: Sequence[str]) -> list[str]:
    """The words, with ``--leads -,I`` as one: argparse takes a value that begins with a dash for a flag."""
    out: list[str] = []
    for word in words:
        if out and out[-1] == "--leads" and word.startswith("-,"):
            out[-1] = f"--leads={word}"
        else:
            out.append(word)
    return out


def _refuse_empty(arguments: argparse.Namespace, words: list[str]) -> None:
    """Refuse a flag whose value is empty, as from a variable of a script that is not set."""
    for flag, word in zip(["", *words], words, strict=False):
        if word == "" and flag.startswith("--"):
            empty = not isinstance(getattr(arguments, flag[2:].replace("-", "_"), ""), bool)
        else:
            flag, empty = word[:-1], word.startswith("--") and word.endswith("=") and word.count("=") == 1
        if empty:
            raise UsageError(f"{flag} is empty", f"give {flag} a value, or leave it out")


@contextlib.contextmanager
def interrupted_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process without a traceback from whatever is being imported."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) in (
        signal.SIG_IGN,
        None,
    ):
        yield
        return
    before = signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    hint("ecg-edge: interrupted")
    os._exit(_INTERRUPTED)


def _parser(words: list[str]) -> argparse.ArgumentParser:
    """Parser that knows the verb asked for, or all of them for the help."""
    parser = argparse.ArgumentParser(
        prog="ecg-edge",
        description="Twelve ECG leads from one or two, live, on the edge. Reconstructed leads are not for diagnosis.",
        epilog="next: ecg-edge demo",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    entries = find_verbs()
    asked = next((w for w in words if not w.startswith("-")), None)
    for name, entry in entries.items():
        if asked in entries and name != asked:
            continue
        try:
            verb = load_verb(entry)
        except EcgEdgeError as e:
            if name == asked:
                raise
            verbs.add_parser(name, help=f"not available: {e.fix}")
            continue
        sub = verbs.add_parser(name, help=verb.help, description=verb.help)
        if name == asked:
            verb.configure(sub)
            if name in EXAMPLES:
                sub.epilog = f"example: ecg-edge {name} {EXAMPLES[name]} {sub.epilog or ''}".rstrip()
            sub.set_defaults(verb=verb)
    return parser


class _Version(argparse.Action):
    """Reads the version when it is asked for: that takes a parser of mails."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        sys.stdout.write(f"ecg-edge {version('ecg-edge')}\n")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
