"""What a command-line verb is; each folder's `cli.py` offers its own by entry point."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Verb:
    """One verb of the command line.

    Attributes
    ----------
    name, help : str
        As shown by ``ecg-edge -h``.
    configure : callable
        Adds the verb's arguments to its parser. Must not import anything heavy.
    run : callable
        Does the work and returns the exit code. Heavy imports belong in here.
    """

    name: str
    help: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def hint(text: str) -> None:
    """Write a line for the human (progress, "next: …") to stderr; stdout carries results only."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def emit_json(document: dict[str, Any]) -> None:
    """Write the one JSON document that ends a ``--json`` run."""
    sys.stdout.write(json.dumps(document, allow_nan=False) + "\n")
    sys.stdout.flush()
