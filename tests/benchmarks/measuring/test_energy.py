"""Joules from made-up trees of what boards offer, and from a meter's record."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecg_edge.benchmarks.measuring.energy import Energy, external_meter, ina_rail, pmic_watts
from ecg_edge.firmware_bridge.errors import UsageError

PMIC = """3V7_WL_SW_A current(0)=0.5A
   1V8_SYS_A current(1)=0.25A
  3V7_WL_SW_V volt(8)=4.0V
    1V8_SYS_V volt(9)=2.0V
    EXT5V_V volt(24)=5.1V
"""


class Clock:
    """Advances with the work."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self) -> None:
        self.now += 0.05


def tree(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("colon", ":")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_rapl_counters_wrap(tmp_path: Path) -> None:
    zone = tmp_path / "class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "energy_uj").write_text("900000")
    (zone / "max_energy_range_uj").write_text("1000000")
    clock = Clock()

    def work() -> None:
        clock.work()
        (zone / "energy_uj").write_text("200000")

    energy = Energy(tmp_path, lambda: "")
    joules, calls = energy.over(work, 1.0, clock)
    assert energy.source == "RAPL"
    assert joules == pytest.approx(0.3)
    assert calls == pytest.approx(20, abs=1)


@pytest.mark.parametrize(
    "files",
    [
        {  # JetPack 5 and later: the kernel's ina3221, the input rail is not the first
            "bus__i2c__drivers__ina3221__1-0040__hwmon__hwmon3__in1_input": "900",
            "bus__i2c__drivers__ina3221__1-0040__hwmon__hwmon3__curr1_input": "1000",
            "bus__i2c__drivers__ina3221__1-0040__hwmon__hwmon3__in1_label": "VDD_CPU_GPU_CV",
            "bus__i2c__drivers__ina3221__1-0040__hwmon__hwmon3__in2_input": "5000",
            "bus__i2c__drivers__ina3221__1-0040__hwmon__hwmon3__curr2_input": "1000",
            "bus__i2c__drivers__ina3221__1-0040__hwmon__hwmon3__in2_label": "VDD_IN",
        },
        {  # JetPack 4: NVIDIA's ina3221x
            "bus__i2c__drivers__ina3221x__6-0040__iiocolondevice0__rail_name_0": "POM_5V_IN",
            "bus__i2c__drivers__ina3221x__6-0040__iiocolondevice0__in_power0_input": "5000",
        },
        {"bus__i2c__drivers__ina2xx__1-0040__hwmon__hwmon0__power1_input": "5000000"},
    ],
)
def test_a_jetsons_input_rail_gives_joules(tmp_path: Path, files: dict[str, str]) -> None:
    clock = Clock()
    energy = Energy(tree(tmp_path, **files), lambda: "")
    joules, calls = energy.over(clock.work, 1.0, clock)
    assert energy.source == "INA"
    assert joules == pytest.approx(5 * 0.05 * calls)


def test_a_pi_5_sums_its_rails() -> None:
    assert pmic_watts(PMIC) == pytest.approx(0.5 * 4 + 0.25 * 2)
    assert pmic_watts("vc_gencmd_read_response returned -1") is None


def test_a_pi_5s_power_is_integrated(tmp_path: Path) -> None:
    clock = Clock()
    energy = Energy(tmp_path, lambda: PMIC)
    joules, calls = energy.over(clock.work, 1.0, clock)
    assert energy.source == "PMIC"
    assert joules == pytest.approx(2.5 * 0.05 * calls)


def test_a_machine_that_tells_nothing_has_no_source(tmp_path: Path) -> None:
    assert Energy(tmp_path, lambda: "").source == ""
    assert ina_rail(tmp_path) is None


def test_an_external_meter_is_integrated_over_the_run(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("time_s,power_w\n0,2\n10,4\n20,4\n")
    assert external_meter(path, 5, 15) == pytest.approx(5 * 2 + 5 * 4)
    with pytest.raises(UsageError, match="does not cover"):
        external_meter(path, 5, 25)
    path.write_text("t,w\n1,2\n")
    with pytest.raises(UsageError, match="no meter's record"):
        external_meter(path, 0, 1)
