"""Arguments of a program, checked before anything is opened: a wrong one is refused by its name."""

from __future__ import annotations

from numbers import Real

from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.errors import UsageError

_CLOCK = [part for part in vars(Clock) if not part.startswith("_")]
_EVENT = ("is_set", "set", "wait")


def check_flags(**given: object) -> None:
    """Refuse what is neither True nor False.

    Raises
    ------
    UsageError
        ``"no"`` would mean yes.
    """
    for name, value in given.items():
        if not isinstance(value, bool):
            raise UsageError(f"{name}={value!r} is no flag", f"pass {name}=True or {name}=False")


def check_callables(**given: object) -> None:
    """Refuse what cannot be called.

    Raises
    ------
    UsageError
        It is no callable.
    """
    for name, value in given.items():
        if not callable(value):
            raise UsageError(f"{name}={value!r} cannot be called", f"pass a function, or leave {name} out")


def check_text(**given: object) -> None:
    """Refuse what is neither a text nor None.

    Raises
    ------
    UsageError
        It is of another type.
    """
    for name, value in given.items():
        if not isinstance(value, str | None):
            raise UsageError(f"{name}={value!r} is no text", f"pass it in quotes, or leave {name} out")


def check_gain(gain: object) -> None:
    """Refuse a gain in V/V that is no number above 0; None is none.

    Raises
    ------
    UsageError
        It is none.
    """
    number = isinstance(gain, Real) and not isinstance(gain, bool) and 0 < float(gain) < float("inf")
    if gain is not None and not number:
        raise UsageError(f"gain={gain!r} is no gain", "give it in V/V, above 0: gain=1000 (--gain 1000)")


def check_clock(clock: object) -> None:
    """Refuse what does not tell the time as a `Clock` does; None is the machine's own.

    Raises
    ------
    UsageError
        A method is missing.
    """
    if clock is not None and (missing := _missing(clock, _CLOCK)):
        raise UsageError(f"clock={clock!r} is no clock: it has no {missing}", "leave clock out for the machine's own")


def check_event(**given: object) -> None:
    """Refuse what cannot be waited for; None is none.

    Raises
    ------
    UsageError
        It is no event.
    """
    for name, value in given.items():
        if value is not None and (missing := _missing(value, _EVENT)):
            raise UsageError(f"{name}={value!r} is no event: it has no {missing}", f"pass {name}=threading.Event()")


def _missing(given: object, parts: list[str] | tuple[str, ...]) -> str:
    """Methods that an object lacks; a class, whose methods need an object, lacks them all."""
    return ", ".join(p for p in parts if isinstance(given, type) or not callable(getattr(given, p, None)))
