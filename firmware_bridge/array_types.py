"""The array types that signatures name, and when two objects of arrays are equal."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")
FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
AnyFloatArray = npt.NDArray[np.floating]
BoolArray = npt.NDArray[np.bool_]


def locked(item: T) -> T:
    """Return the same dataclass with views of its arrays that cannot be written: for what several hands get.

    What holds no array that can be written is returned as it is.
    """
    views: dict[str, Any] = {}
    for name, value in vars(item).items():
        if isinstance(value, np.ndarray) and value.flags.writeable:
            views[name] = view = value.view()
            view.flags.writeable = False
    if not views:
        return item
    # Not by `replace`: it would check again what was checked, twelve times a second for every sink.
    changed: T = object.__new__(type(item))
    vars(changed).update(vars(item) | views)
    return changed


def same_contents(one: object, other: object, but: str = "") -> bool:
    """Return whether two objects are of one type and every attribute is equal; arrays element by element.

    Parameters
    ----------
    one, other : object
        What is compared.
    but : str
        An attribute that does not count.
    """
    if type(one) is not type(other):
        return False
    mine, theirs = vars(one), vars(other)
    return all(_same(mine[name], theirs.get(name)) for name in mine if name != but)


def _same(a: object, b: object) -> bool:
    if type(a) is not type(b):
        return not isinstance(a, np.ndarray) and not isinstance(b, np.ndarray) and bool(a == b)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return same_contents(a, b) if is_dataclass(a) else bool(a == b)
