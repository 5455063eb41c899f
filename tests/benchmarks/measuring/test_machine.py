"""What a machine says of itself, from made-up trees of the kernel."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np
import pytest

from ecg_edge.benchmarks.measuring import machine


def fake_sys(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("intel_rapl", "intel-rapl:0")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_facts_say_what_the_machine_says(tmp_path: Path) -> None:
    sys = fake_sys(
        tmp_path,
        devices__system__cpu__cpu0__cpufreq__scaling_governor="performance\n",
        class__thermal__thermal_zone0__temp="48250\n",
    )
    facts = machine.facts(sys)
    assert facts["governor"] == "performance"
    assert facts["temperature_c"] == pytest.approx(48.25)
    assert facts["packages"]["numpy"] == np.__version__
    assert "frequency_mhz" not in facts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("throttled=0x0", "now: none; since start: none"),
        ("throttled=0x50005", "now: under-voltage, throttled; since start: under-voltage, throttled"),
        ("nonsense", "unknown"),
    ],
)
def test_throttling_in_words(text: str, words: str) -> None:
    assert machine.read_throttled(text) == words


def test_the_hottest_zone_counts_and_what_is_no_number_is_missing(tmp_path: Path) -> None:
    sys = fake_sys(
        tmp_path,
        class__thermal__thermal_zone0__temp="41000",
        class__thermal__thermal_zone1__temp="62500\n",
        class__thermal__thermal_zone2__temp="<unknown>",
        devices__system__cpu__cpu0__cpufreq__scaling_cur_freq="1800000\n",
        devices__system__cpu__cpu0__cpufreq__scaling_governor="",
    )
    found = machine.readings(sys)
    assert found["temperature_c"] == pytest.approx(62.5)
    assert found["frequency_mhz"] == pytest.approx(1800)
    assert "governor" not in found


def test_a_frozen_machine_has_a_temperature(tmp_path: Path) -> None:
    sys = fake_sys(tmp_path, class__thermal__thermal_zone0__temp="-5000")
    assert machine.readings(sys)["temperature_c"] == pytest.approx(-5)


def test_a_machine_without_a_tree_says_its_name_and_cores(tmp_path: Path) -> None:
    facts = machine.facts(tmp_path / "nothing")
    assert facts["cores"] == os.cpu_count() and facts["machine"] == platform.machine()
    assert not {"governor", "temperature_c", "frequency_mhz"} & facts.keys()
    assert all(value not in ("", None) for value in facts.values())


@pytest.mark.parametrize(
    ("bit", "word"), [(0, "under-voltage"), (1, "frequency capped"), (3, "soft temperature limit")]
)
def test_each_bit_of_the_firmware_has_a_word_now_and_before(bit: int, word: str) -> None:
    assert machine.read_throttled(f"throttled=0x{1 << bit:x}") == f"now: {word}; since start: none"
    assert machine.read_throttled(f"throttled=0x{1 << 16 + bit:x}") == f"now: none; since start: {word}"
