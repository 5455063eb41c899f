"""Numbers on the command line: each flag has a range, and what is no number in it ends in one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from ecg_edge.firmware_bridge.errors import UsageError

MOST_SECONDS = 1e9
MOST_ROWS = 10**9
MOST_PROCESSES = 1024
MOST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Number:
    """Type of a flag for argparse: a number of a range.

    Attributes
    ----------
    flag : str
        As it is typed.
    low, high : float
        Both are allowed.
    whole : bool
        Whether it must be an integer.
    """

    flag: str
    low: float
    high: float
    whole: bool = False

    def __call__(self, text: str) -> float:
        """Return the number.

        Raises
        ------
        UsageError
            It is none, or out of range.
        """
        try:
            value = int(text) if self.whole else float(text)
        except ValueError:
            value = float("nan")
        if self.low <= value <= self.high:
            return value
        raise UsageError(
            f"{self.flag} {text[:40]} is no {'whole ' if self.whole else ''}number from {self.low:g} to {self.high:g}",
            f"give {self.flag} a number from {self.low:g} to {self.high:g}",
        )


def whole(flag: str, low: int, high: int) -> Number:
    """Type of a flag that takes an integer."""
    return Number(flag, low, high, whole=True)
