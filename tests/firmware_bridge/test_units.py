import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.units import mv_per

NAMES = {
    1e3: ["V", "volt", "Volts"],
    1.0: ["mV", "MV", "millivolt", "milliVolts", "MDC_DIM_MILLI_VOLT"],
    1e-3: ["uV", "µV", "μV", "microvolt", "micro volts", "MDC_DIM_MICRO_VOLT"],
    1e-6: ["nV", "nanovolt", "MDC_DIM_NANO_VOLT"],
}
PAIRS = [(name, mv) for mv, names in NAMES.items() for name in names]


@given(pair=st.sampled_from(PAIRS), dress=st.sampled_from(["{}", " {} ", "[{}]", "({})"]))
def test_a_unit_of_voltage_is_known_however_it_is_dressed(pair, dress):
    assert mv_per(dress.format(pair[0])) == pair[1]


@pytest.mark.parametrize("unit", ["", " ", "m", "A", "mmHg", "bpm", "kV", "pV", "V/s", "mVs", "counts", "NU", "1"])
def test_what_is_no_voltage_has_no_millivolts(unit):
    assert mv_per(unit) is None


@given(text=st.text(max_size=12))
def test_any_text_is_a_voltage_or_none(text):
    assert mv_per(text) in (None, *NAMES)


@pytest.mark.parametrize(
    ("text", "mv"),
    [("0.38uV", 0.00038), ("2.5 µV", 0.0025), ("1mV", 1.0), ("0uV", None), ("0.38", None), ("uV2", None)],
)
def test_a_number_before_a_unit_is_what_one_count_is(text, mv):
    assert mv_per(text) == (None if mv is None else pytest.approx(mv))
