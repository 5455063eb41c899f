"""Whether a client knows the secret, and how often it may guess."""

from __future__ import annotations

import base64
import contextlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum

from ecg_edge.device.listeners.fair_queue import neighbourhood

_BURST = 10
_PER_S = 1.0
_REMEMBERED = 1024


class Verdict(Enum):
    """What becomes of who gave a token."""

    RIGHT = "right"
    WRONG = "wrong"
    LATER = "later"
    """This address has guessed too often; the token was not looked at."""


class TokenCheck:
    """Compares tokens in constant time; an address has ten wrong guesses, and one more per second.

    Parameters
    ----------
    token : str or None
        None: everybody is right.
    now : callable
        Seconds of a clock that never goes back.
    also : str, optional
        Another token that is right, too.
    """

    def __init__(self, token: str | None, now: Callable[[], float] = time.monotonic, also: str | None = None) -> None:
        self._token = token
        self._right = [t.encode() for t in (token, also) if t is not None]
        self._now = now
        self._wrong: OrderedDict[str, tuple[float, float]] = OrderedDict()

    @property
    def wanted(self) -> bool:
        """Whether there is a secret at all."""
        return self._token is not None

    def check(self, given: str, address: str) -> Verdict:
        """Judge the token that a client at this address gave."""
        if self._token is None:
            return Verdict.RIGHT
        key = neighbourhood(address)
        left = self._left(key)
        if left < 1:
            return Verdict.LATER
        word = given.encode(errors="replace")
        equal = [hmac.compare_digest(word, right) for right in self._right]  # all of them: no early end
        if any(equal):
            return Verdict.RIGHT
        self._wrong[key] = left - 1, self._now()
        self._wrong.move_to_end(key)
        if len(self._wrong) > _REMEMBERED:
            self._wrong.popitem(last=False)
        return Verdict.WRONG

    def _left(self, key: str) -> float:
        """Guesses this address has left."""
        left, at = self._wrong.get(key, (float(_BURST), self._now()))
        return min(_BURST, left + (self._now() - at) * _PER_S)


def secret_of(authorization: str) -> str:
    """The secret of an Authorization header: a bearer's token, or the password of basic authentication."""
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            return base64.b64decode(rest, validate=True).decode(errors="replace").partition(":")[2]
    return rest.strip() if scheme.lower() == "bearer" else ""
