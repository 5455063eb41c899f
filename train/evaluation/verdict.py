"""The sentence about a network that gains nothing: the same in a report and on a model card."""

from __future__ import annotations

from collections.abc import Mapping


def verdict(rmse_mv: float, baselines: Mapping[str, float], of: str = "this network") -> str:
    """Say that a network is no better than something simpler; empty where it is.

    Parameters
    ----------
    rmse_mv : float
        The network's, a mean over the hidden leads.
    baselines : mapping of str to float
        The same of each baseline, on the same records.
    of : str
        What is judged.
    """
    better = [name for name, theirs in baselines.items() if not rmse_mv < theirs]
    return f"Worse than {' and '.join(better)}: {of} gains nothing." if better else ""
