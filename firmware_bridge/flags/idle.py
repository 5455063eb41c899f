"""Flags that have no effect beside the others: they are refused, for who gives one expects something of it."""

from __future__ import annotations

from collections.abc import Mapping

from ecg_edge.firmware_bridge.errors import UsageError


def refuse_idle(idle: Mapping[str, tuple[object, str]]) -> None:
    """Refuse flags.

    Parameters
    ----------
    idle : dict of str to (object, str)
        By flag: what is true where it has no effect, and the way out.

    Raises
    ------
    UsageError
        The first of them.
    """
    for flag, (is_idle, fix) in idle.items():
        if is_idle:
            raise UsageError(f"{flag} would do nothing here", fix)
