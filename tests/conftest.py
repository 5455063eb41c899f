"""Where real data lie, and the rule that a required test must not be skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_skipped: list[str] = []


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
