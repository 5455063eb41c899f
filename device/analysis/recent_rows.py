"""The last rows of a stream, kept as they come: joining them with every hop would cost more than what looks at them."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt


class Tail:
    """The last rows of a stream, joined when somebody looks.

    Parameters
    ----------
    n : int
        How many.
    first : ndarray of shape (m, n_leads)
        To begin with.
    """

    def __init__(self, n: int, first: npt.NDArray[Any]) -> None:
        self._n, self._parts, self._held = n, deque([first]), len(first)

    def add(self, rows: npt.NDArray[Any]) -> None:
        """Take the next rows; they must not be written to afterwards."""
        self._parts.append(rows)
        self._held += len(rows)
        while self._held - len(self._parts[0]) >= self._n:
            self._held -= len(self._parts.popleft())

    def rows(self) -> npt.NDArray[Any]:
        """The last `n` of all rows, fewer if there have been fewer."""
        joined = np.concatenate(self._parts)[-self._n :]
        self._parts, self._held = deque([joined]), len(joined)
        return joined
