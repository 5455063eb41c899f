"""A source that a program passes: its own object, or the name of one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast
from weakref import WeakSet

from ecg_edge.device.sources.source import Source
from ecg_edge.firmware_bridge.errors import UsageError, blamed, owner_of
from ecg_edge.firmware_bridge.events import ReaderEvent, StreamInfo
from ecg_edge.firmware_bridge.ports.checked_decoder import named_twice, spelt
from ecg_edge.firmware_bridge.ports.used_up import used_up

_METHODS = ("start", "stop", "get")
_BEGUN: WeakSet[object] = WeakSet()
_PARTS = ("url", "live", "ended", "dropped_blocks", *_METHODS)


class _Foreign:
    """A source of others: what it raises is theirs, and names them."""

    def __init__(self, source: object) -> None:
        self._source = source

    def __getattr__(self, name: str) -> object:
        if name not in _PARTS:
            return getattr(self._source, name)
        with blamed(self._source, "the source"):
            value = getattr(self._source, name)
        return self._call(name, value) if name in _METHODS else value

    def _call(self, name: str, method: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object) -> object:
            with blamed(self._source, "the source"):
                answer = method(*args)
                return list(map(_exact, cast("list[object]", answer))) if name == "get" else answer

        return call


def _exact(event: object) -> object:
    """An event of a source of others, with leads spelt as ours."""
    if not isinstance(event, ReaderEvent):
        raise TypeError(f"get() returned {type(event).__name__} among its events")
    if not isinstance(event, StreamInfo):
        return event
    channels = tuple(replace(channel, lead=spelt(channel.lead)) for channel in event.channels)
    if twice := named_twice(channels):
        raise ValueError(f"its StreamInfo names {twice} twice")
    return replace(event, channels=channels)


def check_source(given: object, **options: object) -> None:
    """Refuse what looks like a source and is none, and options that do nothing for one.

    Parameters
    ----------
    given : object
        What a program passes as the source.
    **options
        Of a port; None where they are left out.

    Raises
    ------
    UsageError
        A class, a part is missing, or an option is given for an object.
    """
    if not all(hasattr(given, part) for part in ("start", "get")):
        return
    if isinstance(given, type):
        raise UsageError(f"source={given.__name__} is a class", f"pass an object of it: {given.__name__}(…)")
    if missing := [part for part in _PARTS if not hasattr(given, part)]:
        parts = ", ".join(missing)
        raise UsageError(f"source={type(given).__name__} is no source: it has no {parts}", "see ecg_edge.Source")
    for name, value in options.items():
        if value is not None:
            raise UsageError(f"{name} does nothing for a source object", f"leave {name} out: it is for a port")


def source_of(given: object, opened: Callable[[Path | str], Source]) -> Source:
    """Return a source that a program passes: itself, or what it names, opened.

    Raises
    ------
    UsageError
        It is neither, or has ended.
    """
    check_source(given)
    if not all(hasattr(given, part) for part in _PARTS):
        return opened(cast(str, given))
    source = cast(Source, _Foreign(given) if owner_of(given) else given)
    if source.ended or _begun(given):
        raise used_up(source.url)
    return source


def _begun(given: object) -> bool:
    """Whether a source of others has been passed before; ours know it themselves."""
    with contextlib.suppress(TypeError):  # it cannot be hashed, or not be referred to
        begun = given in _BEGUN
        if owner_of(given):
            _BEGUN.add(given)
        return begun
    return False
