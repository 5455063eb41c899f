"""Where real data lie, and the rule that a required test must not be skipped."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, settings

# A property is no benchmark: a busy machine must not fail it.
settings.register_profile("ecg-edge", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ecg-edge")

# The suite runs in as many processes as there are cores: threads of one would wait for those of the others.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_skipped: list[str] = []
_left_out: dict[str, set[str]] = {}
EXAMPLES = 20
CORE_ONLY = bool(os.environ.get("ECG_EDGE_CORE_ONLY"))
"""Set where the core alone is installed: files that import what is missing there are left out, and listed."""
if CORE_ONLY:  # what is asked here is whether another Python and other packages do; the whole suite looks for examples
    settings.register_profile("core-only", settings.get_profile("ecg-edge"), max_examples=EXAMPLES)
    settings.load_profile("core-only")

    class Fewer(settings):
        """Also where a test states how many examples it looks for."""

        def __init__(self, *parent: settings, **stated: object) -> None:
            super().__init__(*parent, **stated | {"max_examples": min(EXAMPLES, stated.get("max_examples", EXAMPLES))})

    hypothesis.settings = Fewer  # test files import it after this one


def missing_imports(path: Path) -> set[str]:
    """Packages that a test file imports at its top and that are not installed."""
    missing = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            of = node.module or ""
            names = [of, *(f"{of}.{a.name}" for a in node.names if of.startswith("tests."))]
        for name in names:
            package = name.split(".")[0]
            if package == "tests":
                helper = Path(__file__).parent.joinpath(*name.split(".")[1:]).with_suffix(".py")
                missing |= missing_imports(helper) if helper.is_file() else set()
            elif find_spec(package) is None:
                missing.add(package)
    return missing


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    if not CORE_ONLY or collection_path.suffix != ".py" or not collection_path.name.startswith("test_"):
        return None
    if missing := missing_imports(collection_path):
        _left_out[str(collection_path)] = missing
    return True if missing else None


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder ``ECG_EDGE_DATA``: ``ptb-xl/``, ``wearable/``, ``nstdb/``, ``ptbdb/``."""
    text = os.environ.get("ECG_EDGE_DATA")
    if not text:
        pytest.skip("ECG_EDGE_DATA is not set: no real records")
    return Path(text)


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder ``ECG_EDGE_CAPTURES``: bytes of real devices."""
    text = os.environ.get("ECG_EDGE_CAPTURES")
    if not text:
        pytest.skip("ECG_EDGE_CAPTURES is not set: no captures of real devices")
    return Path(text)


@pytest.fixture(scope="session")
def faults() -> Path:
    """The folder ``ECG_EDGE_FAULTS``, or ``faults`` beside the captures: inputs that once went wrong."""
    text = os.environ.get("ECG_EDGE_FAULTS")
    beside = os.environ.get("ECG_EDGE_CAPTURES")
    folder = Path(text) if text else Path(beside).parent / "faults" if beside else None
    if folder is None or not (folder / "stored_files.py").is_file():
        pytest.skip("neither ECG_EDGE_FAULTS nor ECG_EDGE_CAPTURES leads to the inputs that went wrong")
    return folder


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """With the core alone, a test that needs an extra is skipped, and says which."""
    outcome = yield
    error = call.excinfo.value if call.excinfo else None
    if CORE_ONLY and (needed := _missing_extra(error)):
        report = outcome.get_result()  # type: ignore[attr-defined]
        report.outcome, report.longrepr = "skipped", (str(item.path), 0, needed)


def _missing_extra(error: BaseException | None) -> str:
    while error is not None:
        if type(error).__name__ in ("MissingExtraError", "ModuleNotFoundError"):
            return str(error).splitlines()[0]
        error = error.__cause__ or error.__context__
    return ""


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and {"data", "browser"} & set(report.keywords):
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get("ECG_EDGE_NO_SKIPS") and _skipped:
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get("ECG_EDGE_NO_SKIPS") and _skipped:
        terminalreporter.section("skipped, but required here", red=True)
        for nodeid in _skipped:
            terminalreporter.line(nodeid)
    if _left_out:
        needed = sorted(set().union(*_left_out.values()))
        terminalreporter.section(f"{len(_left_out)} files left out: they need {', '.join(needed)}")
