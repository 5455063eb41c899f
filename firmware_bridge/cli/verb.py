"""What a command-line verb is; each folder's `cli` offers its own by entry point."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass


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
