"""Several patches on one gateway."""

from __future__ import annotations

import os

import pytest

from ecg_edge.benchmarks.live_path import gateway


def test_a_gateway_that_falls_behind_does_not_look_cheap() -> None:
    rows = [
        {"patches": n, "core_percent": c, "p99_ms": late} for n, c, late in ((1, 8, 5.0), (8, 50, 80.0), (24, 119, 9e3))
    ]
    found = gateway.per_core(rows)
    assert found == {"each_percent": 6.0, "patches_per_core": pytest.approx(100 / 6), "keeps_up_with": 8}
    assert gateway.per_core(rows[2:])["keeps_up_with"] == 24  # nothing better is known


def test_a_thread_that_ends_takes_no_waits_away() -> None:
    before = {"1": 1000, "2": 50_000}
    assert gateway.waits_between(before, {"1": 1010, "3": 5}) == 15
    assert gateway.waits_between(before, before) == 0


def test_this_process_has_threads_that_wait() -> None:
    before = gateway._switches(os.getpid())
    assert before and all(n >= 0 for n in before.values())
    assert gateway.waits_between(before, gateway._switches(os.getpid())) >= 0
