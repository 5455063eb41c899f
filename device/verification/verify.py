"""Whether a model file does on this machine what it did where it was made, in one call."""

from __future__ import annotations

from pathlib import Path

from ecg_edge.device.inference.load import Model, loaded
from ecg_edge.device.verification.model_checks import Finding, against, checks


def verify(model: Model | Path | str, other: Model | Path | str | None = None) -> tuple[Finding, ...]:
    """Verify a model file on this machine; no data set is needed.

    Parameters
    ----------
    model : Model, Path or str
        A loaded model, a file, or the name of a shipped one.
    other : Model, Path or str, optional
        Another file of the same training run, to compare with.

    Returns
    -------
    tuple of Finding
        ``name``, ``ok`` and ``detail`` of each check.

    Raises
    ------
    ModelFileError
        A file cannot be used, or the two are not of one run.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> all(finding.ok for finding in ee.verify("i-ii-int8"))
    True
    """
    mine, second = loaded(model), None if other is None else loaded(other, "other")
    return (*checks(mine), *(against(mine, second) if second is not None else ()))
