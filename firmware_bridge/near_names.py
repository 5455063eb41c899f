"""What a mistyped name may have meant."""

from __future__ import annotations

from collections.abc import Iterable


def near_names(name: str, known: Iterable[str], otherwise: Iterable[str]) -> list[str]:
    """Return up to three known names that are like this one; where there are none, all of `otherwise`.

    Parameters
    ----------
    name : str
        As written, in the case of `known`.
    known, otherwise : iterable of str
        Names to look among, and those to offer where none is like it.
    """
    import difflib

    return difflib.get_close_matches(name, list(known), n=3, cutoff=0.5) or list(otherwise)
