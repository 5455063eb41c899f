"""What a monitor holds of a run: enough to make a page of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Held:
    """What the monitor holds of a run, as its browsers received it.

    Attributes
    ----------
    header, status : str
        JSON messages; empty where there was none yet.
    notes : sequence of str
        JSON messages.
    frames : sequence of bytes
        The oldest first.
    """

    header: str
    status: str
    notes: Sequence[str]
    frames: Sequence[bytes]


NOTHING = Held("", "", (), ())
