"""Parts that other packages bring, found by entry point: decoders, sinks and formats of recordings."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ecg_edge.firmware_bridge.errors import PluginError


@dataclass
class Plugins:
    """The plug-ins of one group.

    Attributes
    ----------
    good : dict of str to object
        What each name stands for.
    broken : dict of str to PluginError
        Why a name cannot be used.
    package : dict of str to str
        Package that brings a name, with its version.
    """

    good: dict[str, Any] = field(default_factory=dict)
    broken: dict[str, PluginError] = field(default_factory=dict)
    package: dict[str, str] = field(default_factory=dict)


def find_plugins(group: str, taken: Collection[str], fits: Callable[[str, Any], str]) -> Plugins:
    """Import every plug-in of a group; one that fails is noted and harms no other.

    Parameters
    ----------
    group : str
        Name of the entry-point group.
    taken : collection of str
        Names that are built in.
    fits : callable
        Takes name and object; returns what is wrong with it, or an empty text.
    """
    found = Plugins()
    for entry in entry_points(group=group):
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
        if entry.name in found.package:
            found.broken[entry.name] = _error(entry, package, f"{found.package[entry.name]} has the same name")
            found.good.pop(entry.name, None)
            continue
        found.package[entry.name] = package
        try:
            found.good[entry.name] = _load(entry, package, taken, fits)
        except PluginError as e:
            found.broken[entry.name] = e
    return found


def _load(entry: EntryPoint, package: str, taken: Collection[str], fits: Callable[[str, Any], str]) -> Any:
    if entry.name in taken:
        raise _error(entry, package, "that name is built in")
    try:
        made = entry.load()
    except (Exception, SystemExit) as e:  # a stranger's module may raise anything
        raise _error(entry, package, f"{type(e).__name__}: {e}") from e
    try:
        wrong = fits(entry.name, made)
    except (Exception, SystemExit) as e:  # to look at an object may run a stranger's code, too
        raise _error(entry, package, f"{type(e).__name__}: {e}") from e
    if wrong:
        raise _error(entry, package, wrong)
    return made


def _error(entry: EntryPoint, package: str, why: str) -> PluginError:
    return PluginError(
        f"the plug-in {entry.name} of {package} cannot be used: {why}",
        f"update or remove the package: pip uninstall {package.split()[0]}",
    )
