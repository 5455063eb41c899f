"""Secrets from a file or the environment: a command line is in the process list and in the journal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ecg_edge.firmware_bridge.errors import UsageError

_MOST = 4096


def find_secret(
    given: str | None, file: str | None, variable: str, environment: Mapping[str, str] = os.environ
) -> str | None:
    """Return a secret: as given, else the file's first line, else the environment's; None where there is none.

    Raises
    ------
    UsageError
        The file cannot be read, or has no text in its first line.
    """
    if given is not None:
        return given
    if file is None:
        return environment.get(variable) or None
    try:
        with Path(file).open("rb") as f:
            text = f.readline(_MOST).decode("utf-8-sig").strip()
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) and e.strerror else "it is no text"
        raise UsageError(f"cannot read the secret in {file}: {reason}", "name a file with one line of text") from e
    if not text:
        raise UsageError(f"{file} holds no secret", "write it in the first line")
    return text
