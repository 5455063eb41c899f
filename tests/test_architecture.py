"""The plan of the house: which room may import which, how large a room is, what is never imported.

A room is a sub-package of one of the five folders. The hall is the folder's root files. Rooms of one floor do
not know each other; arrows go down only, lazy imports included.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("firmware_bridge", "device", "train", "export", "benchmarks")
FLOORS: dict[str, tuple[str, ...]] = {
    "firmware_bridge": (
        "extras",
        "clock errors",
        "plugins flags",
        "array_types tally progress console lead_names near_names units private_files",
        "events",
        "decoder",
        "framing ecglink synthetic_heart recordings",
        "decoders virtual_patch",
        "ports emulators",
        "conformance",
        "cli",
    ),
    "device": (
        "arguments lead_algebra conditioning lead_drawing listeners torso",
        "placement",
        "inference lead_block",
        "lead_columns",
        "analysis sinks",
        "measurements",
        "page",
        "reconstruction recording monitor",
        "verification personal_calibration sources ward hand_on",
        "live offline",
        "gateway",
        "cli",
        "api main",
    ),
    "train": (
        "data network",
        "runs head",
        "evaluation",
        "diagnosis",
        "learning pages",
        "jobs",
        "gpu studies intervals",
        "cli",
    ),
    "benchmarks": ("measuring", "hop_cost rivals live_path", "page", "cli"),
}
"""Rooms and hall files, from the ground floor up."""
MOST_MODULES = {"export": 16}
MAY_IMPORT_A_CLI = {"ecg_edge.firmware_bridge.cli.verb"}
"""What a verb is: every folder's verbs need it."""
NEVER = {
    "device/sinks": ("device/reconstruction", "device/inference/load", "device/live"),
    "device/recording": ("device/reconstruction", "device/inference/load", "device/live"),
    "device/monitor": ("device/reconstruction", "device/inference/load", "device/live"),
    "device/analysis": ("device/inference",),
}
"""Who draws, writes or reads the signal knows what a block of leads is, and nothing that computes it."""
SPEAKS = {"cli", "live", "jobs", "studies", "main", "api"}
"""Where ``hint`` and ``say`` may be used; a library takes a callable."""


def modules(folder: str) -> list[Path]:
    return sorted(p for p in (ROOT / folder).rglob("*.py") if "__pycache__" not in p.parts)


def file_of(name: str) -> Path | None:
    """The file of a dotted module of ours, or None."""
    parts = name.split(".")[1:]
    base = ROOT.joinpath(*parts)
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if parts and path.is_file():
            return path
    return None


@cache
def imported(path: Path) -> frozenset[tuple[str, str, bool]]:
    """(module, name, at module level) of every import of ours in a file; those for types alone do not count."""
    tree = ast.parse(path.read_text())
    ignored, lazy = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            ignored |= {id(n) for n in ast.walk(node)}
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lazy |= {id(n) for n in ast.walk(node)}
    found = set()
    for node in ast.walk(tree):
        if id(node) in ignored:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ecg_edge"):
            found |= {(node.module or "", a.name, id(node) not in lazy) for a in node.names}
        elif isinstance(node, ast.Import):
            found |= {(a.name, "", id(node) not in lazy) for a in node.names if a.name.startswith("ecg_edge")}
    return frozenset(found)


def arrows(path: Path) -> Iterator[Path]:
    """The files of ours that a file imports."""
    for module, name, _ in imported(path):
        target = file_of(f"{module}.{name}") if name else None
        if target := target or file_of(module):
            yield target


def room(path: Path) -> tuple[str, str]:
    """(folder, room or hall file) a file lies in."""
    folder, *rest = path.relative_to(ROOT).parts
    return folder, rest[0].removesuffix(".py")


def level(folder: str, name: str) -> int:
    for height, floor in enumerate(FLOORS[folder]):
        if name in floor.split():
            return height
    raise AssertionError(f"{folder}/{name} is on no floor of the plan: give it one in FLOORS")


def where(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_room_has_its_tests_in_the_mirrored_place(folder: str) -> None:
    rooms = {path.parent for path in modules(folder) if path.name not in ("__init__.py", "__main__.py")}
    assert not [where(r) for r in sorted(rooms) if not list((ROOT / "tests" / where(r)).glob("test_*.py"))]


@pytest.mark.parametrize("folder", sorted(FLOORS))
def test_arrows_go_down(folder: str) -> None:
    wrong = []
    for path in modules(folder):
        own = room(path)
        if own[1] == "__init__":
            continue
        for target in arrows(path):
            there = room(target)
            other = there[0] == folder and there != own and there[1] != "__init__"
            if other and level(*there) >= level(*own):
                wrong.append(f"{where(path)} -> {where(target)}")
    assert not wrong, "\n".join(sorted(set(wrong)))


@pytest.mark.parametrize("folder", sorted(FLOORS))
def test_the_plan_names_what_is_there(folder: str) -> None:
    there = {room(p)[1] for p in modules(folder)} - {"__init__"}
    assert {name for floor in FLOORS[folder] for name in floor.split()} == there


def test_no_file_is_in_a_circle() -> None:
    graph = {p: set(arrows(p)) - {p} for f in FOLDERS for p in modules(f) if p.name != "__init__.py"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as e:
        pytest.fail(" -> ".join(where(p) for p in e.args[1]))


def test_a_room_holds_at_most_fifteen_modules() -> None:
    for folder in FOLDERS:
        for place in {p.parent for p in modules(folder)}:
            held = [p for p in place.glob("*.py") if p.name not in ("__init__.py", "__main__.py")]
            assert len(held) <= MOST_MODULES.get(where(place), 15), f"{where(place)} holds {len(held)} modules"


def test_nobody_but_a_cli_imports_a_cli() -> None:
    allowed = {"device/main.py", "device/api/__main__.py"}
    for path in (p for f in FOLDERS for p in modules(f)):
        if "cli" in path.parts or path.name == "cli.py" or where(path) in allowed:
            continue
        for module, name, _ in imported(path):
            full = f"{module}.{name}" if file_of(f"{module}.{name}") else module
            assert ".cli" not in full or full in MAY_IMPORT_A_CLI, f"{where(path)} imports {full}"


@pytest.mark.parametrize("place", sorted(NEVER))
def test_what_a_room_never_imports(place: str) -> None:
    for path in (ROOT / place).rglob("*.py"):
        for target in arrows(path):
            assert not where(target).startswith(NEVER[place]), f"{where(path)} imports {where(target)}"


def test_no_private_name_crosses_files() -> None:
    for path in (p for f in FOLDERS for p in modules(f)):
        for module, name, _ in imported(path):
            assert not name.startswith("_"), f"{where(path)} imports {name} of {module}"


def test_only_those_who_speak_to_a_person_use_hint_and_say() -> None:
    for path in (p for f in FOLDERS for p in modules(f)):
        is_a_program = "\ndef main(" in path.read_text()
        if is_a_program or SPEAKS & set(path.relative_to(ROOT).with_suffix("").parts):
            continue
        for module, name, _ in imported(path):
            spoken = module == "ecg_edge.firmware_bridge.console" and name in ("hint", "say")
            assert not spoken, f"{where(path)} uses {name}"
