"""The package is what the tree says: the wheel holds every file, and the device side needs little."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    tomllib = None

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("firmware_bridge", "device", "train", "export", "benchmarks")
LEFT_OF = {
    "firmware_bridge": {"device", "train", "export", "benchmarks"},
    "device": {"train", "export", "benchmarks"},
    "train": {"export", "benchmarks"},
    "export": {"benchmarks"},
    "benchmarks": set(),
}
CORE = {"numpy", "scipy", "onnxruntime", "serial", "ecg_edge"}


def tracked(folder: str) -> set[str]:
    out = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name for name in out.splitlines() if (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    out = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source")
    for name in (*(n for f in FOLDERS for n in tracked(f)), "pyproject.toml", "README.md", "LICENSE"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(out), str(source)],
        check=True,
        capture_output=True,
    )
    with zipfile.ZipFile(next(out.glob("*.whl"))) as z:
        return {n for n in z.namelist() if n.startswith("ecg_edge/")}


def test_the_wheel_holds_the_tree(wheel: set[str]) -> None:
    # The C library is for firmware authors, who take it from the repository.
    tree = {n for f in FOLDERS for n in tracked(f) if not n.startswith("firmware_bridge/c/")}
    front = "device/api/"  # the package itself
    assert wheel == {f"ecg_edge/{name.removeprefix(front)}" for name in tree}


def imports(path: Path) -> list[tuple[str, bool]]:
    """(module, at module level) of every import in a file; type-checking blocks do not count."""
    found = []
    tree = ast.parse(path.read_text())
    lazy = set()
    for node in ast.walk(tree):
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if typing_only or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            lazy |= {id(n) for n in ast.walk(node)}
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module or ""]
        found += [(name, id(node) not in lazy) for name in names]
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_on_the_left_imports_anything_on_the_right(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        for name, _ in imports(path):
            parts = name.split(".")
            if parts[0] == "ecg_edge" and len(parts) > 1:
                assert parts[1] not in LEFT_OF[folder], f"{path.name} imports {name}"


@pytest.mark.parametrize("folder", ["firmware_bridge", "device"])
def test_the_device_side_names_only_the_core_at_module_level(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        for name, top in imports(path):
            package = name.split(".")[0]
            if top and package not in sys.stdlib_module_names:
                assert package in CORE, f"{path.name} imports {name} at module level"


def test_every_file_has_one_reason_to_exist() -> None:
    sizes = {p: p.read_text().count("\n") for f in FOLDERS for p in (ROOT / f).rglob("*.py")}
    assert max(sizes.values()) <= 400, max(sizes, key=lambda p: sizes[p])


@pytest.mark.skipif(tomllib is None, reason="tomllib comes with Python 3.11")
def test_every_verb_is_there() -> None:
    import importlib

    from ecg_edge.firmware_bridge.cli.verb import Verb

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name, target in project["entry-points"]["ecg_edge.verbs"].items():
        module, attribute = target.split(":")
        verb = getattr(importlib.import_module(module), attribute)
        assert isinstance(verb, Verb)
        assert verb.name == name
        assert verb.help


def test_the_version_in_the_changelog_is_the_packages() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version
    assert f"## {version[1]}" in (ROOT / "CHANGELOG.md").read_text()
