"""Wrong rates, shapes, lead names and units are refused with the way out."""

import ast
from fractions import Fraction

import numpy as np
import pytest

from ecg_edge.device.reconstruction.array_input import (
    check_columns,
    check_unit,
    exact_leads,
    exact_rate,
    exact_rows,
    swing_mv,
)
from ecg_edge.device.reconstruction.offline import reconstruct
from ecg_edge.device.reconstruction.reconstructor import Reconstructor
from ecg_edge.firmware_bridge.errors import LeadMismatchError, UnitsError, UsageError
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

MV = np.zeros((500, 2))


@pytest.mark.parametrize(
    ("fs", "fix"),
    [
        (0.004, "fs=250"),
        (0, "samples per second"),
        (-250, "samples per second"),
        (float("nan"), "fs=250"),
        (float("inf"), "fs=250"),
        ("250 Hz", "fs=250"),
        (None, "fs=250"),
        (49, "samples per second"),
        (1e6, "samples per second"),
    ],
)
def test_rates(model, fs, fix):
    for use in (lambda: reconstruct(MV, fs=fs, leads=("I", "II"), model=model),
                lambda: Reconstructor(model, fs=fs, leads=("I", "II"))):  # fmt: skip
        with pytest.raises(UsageError) as caught:
            use()
        assert fix in caught.value.fix
    with pytest.raises(UsageError, match=r"outside|not a rate"):
        reconstruct(MV, fs=250, leads=("I", "II"), model=model, out_fs=fs if fs is not None else 0)


def test_rates_are_exact():
    assert exact_rate(360) == 360 and exact_rate(1000 / 3) == Fraction(1000, 3) and exact_rate(np.float32(250)) == 250
    assert exact_rate(np.int64(500)) == 500
    assert exact_rate(Fraction(16_000_000, 62_500)) == 256


@pytest.mark.parametrize(
    ("mv", "fix"),
    [
        (MV.T, "pass mv.T"),
        (MV[:, :1], "name every column"),
        (np.zeros((500, 3)), "name every column"),
        (MV[:, 0], "name every column"),
        (MV[None], "name every column"),
        (3.0, "name every column"),
        ([["a", "b"]], "floats in mV"),
        (MV + 1j, "floats in mV"),
        ([None, None], "floats in mV"),
    ],
)
def test_shapes(model, mv, fix):
    for use in (lambda: reconstruct(mv, fs=250, leads=("I", "II"), model=model),
                lambda: Reconstructor(model, fs=250, leads=("I", "II")).feed(mv)):  # fmt: skip
        with pytest.raises(UsageError) as caught:
            use()
        assert fix in caught.value.fix


def test_one_lead_may_be_flat():
    assert exact_rows([1, 2, 3], 1).shape == (3, 1)


@pytest.mark.parametrize(
    ("leads", "error", "text"),
    [
        (("I", "V7"), UsageError, "unknown lead 'V7'"),
        (("I", "I"), UsageError, "every column once"),
        ((), UsageError, "every column once"),
        (("I", 2), UsageError, "unknown lead '2'"),
        ("I;II", UsageError, "unknown lead"),
        (("I", "V2"), LeadMismatchError, "II missing"),
    ],
)
def test_leads(model, leads, error, text):
    mv = MV[:, : len(leads)] if isinstance(leads, tuple) else MV
    with pytest.raises(error, match=text):
        reconstruct(mv, fs=250, leads=leads, model=model)


def test_a_model_is_chosen_for_the_leads():
    heart = SyntheticHeart(250).read(500)
    for leads in (("I",), ("II",), ("II", "I"), ("I", "II", "V2"), ("V1",), ("aVR",), ("RA-V5",), ("I", "II", "III")):
        columns = [0, 1, 2][: len(leads)]
        block = reconstruct(heart[:, columns], fs=250, leads=leads)
        assert block.mv.shape == (200, 12), leads


@pytest.mark.parametrize(
    ("scale", "offset", "looks"),
    [
        (1, 0, None),
        (1, 300, None),  # a DC-coupled board with 300 mV of electrode offset
        (3, -80, None),
        (0.1, 0, None),  # low voltage
        (1000, 0, "microvolts"),
        (1000, 1e5, "microvolts"),
        (200, 2048, "counts"),
        (1e-3, 0, "volts"),
        (1e-3, 0.3, "volts"),
    ],
)
def test_units(model, scale, offset, looks):
    mv = SyntheticHeart(250, ("I", "II")).read(2500) * scale + offset
    if looks is None:
        reconstruct(mv, fs=250, leads=("I", "II"), model=model)
        return
    with pytest.raises(UnitsError, match=looks) as caught:
        reconstruct(mv, fs=250, leads=("I", "II"), model=model)
    assert "pass millivolts" in caught.value.fix
    with pytest.raises(UnitsError, match=looks):
        Reconstructor(model, fs=250, leads=("I", "II")).feed(mv)


def test_one_electrode_off_is_no_wrong_unit():
    mv = SyntheticHeart(250, ("I", "II")).read(2500)
    mv[:, 0] = 400 * np.sin(np.arange(2500))
    check_unit(swing_mv(mv, Fraction(250)))
    mv[:, 0] = 0.0
    check_unit(swing_mv(mv, Fraction(250)))
    check_unit(swing_mv(np.zeros((2500, 2)), Fraction(250)))
    check_unit(swing_mv(np.full((2500, 2), np.nan), Fraction(250)))
    check_unit(swing_mv(np.zeros((0, 2)), Fraction(250)))


def test_a_set_has_no_order_of_columns():
    with pytest.raises(UsageError, match="no order"):
        exact_leads({"I", "II"})
    assert exact_leads(np.array(["I", "II"])) == ("I", "II")


def test_what_is_masked_is_missing():
    mv = np.ma.masked_greater(np.arange(6.0).reshape(3, 2), 3)
    np.testing.assert_array_equal(exact_rows(mv, 2), [[0, 1], [2, 3], [np.nan, np.nan]])


@pytest.mark.parametrize(
    ("columns", "fix"),
    [
        (["II", "I"], "table[['I', 'II']]"),
        (["ii", "i"], "table[['i', 'ii']]"),
        (["II_mV", "I_mV"], "table[['I_mV', 'II_mV']]"),
        (["IImV", "ImV"], "table[['ImV', 'IImV']]"),
        (["mv_II", "mv_I"], "table[['mv_I', 'mv_II']]"),
        (["II-mV", "I-mV"], "table[['I-mV', 'II-mV']]"),
        ([b"II", b"I"], "table[[b'I', b'II']]"),
        ([("ecg", "II"), ("ecg", "I")], "table[[('ecg', 'I'), ('ecg', 'II')]]"),
        (["Lead II", "Lead I"], "table[['Lead I', 'Lead II']]"),
        (["II [mV]", "I [mV]"], "table[['I [mV]', 'II [mV]']]"),
        (["time", "I", "II"], "table[['I', 'II']]"),
        (["I", "II", "time"], "table[['I', 'II']]"),
    ],
)
def test_a_tables_own_names_are_heard_and_its_columns_named_as_they_are(columns, fix):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(np.zeros((3, len(columns))), columns=columns)
    with pytest.raises(UsageError) as caught:
        check_columns(table, ("I", "II"))
    assert fix in caught.value.fix
    right = table[ast.literal_eval(fix.removeprefix("table[").removesuffix("]"))]  # the fix, as a user types it
    assert right.shape == (3, 2)
    check_columns(right, ("I", "II"))


@pytest.mark.parametrize(
    ("columns", "fix"),
    [
        (["II", "x"], "table[['II']] with leads=('II',)"),
        (["I_mV", "V2_mV"], "pass leads=('I', 'V2')"),
        (["II", "II"], "rename the columns"),
    ],
)
def test_where_a_lead_is_missing_the_fix_names_the_leads_that_are_there(columns, fix):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(UsageError) as caught:
        check_columns(pandas.DataFrame(np.zeros((3, 2)), columns=columns), ("I", "II"))
    assert fix in caught.value.fix


@pytest.mark.parametrize("columns", [["I", "II"], ["a", "b"], [0, 1], ["I - II", "diff_I_II"], ["lead_I", "ECG II mV"]])
def test_columns_that_contradict_nothing_pass(columns):
    pandas = pytest.importorskip("pandas")
    check_columns(pandas.DataFrame(np.zeros((3, 2)), columns=columns), ("I", "II"))


@pytest.mark.parametrize(
    "columns", [["LII", "LI"], ["L2", "L1"], ["lead2", "lead1"], ["lead_ii", "lead_i"], ["2", "1"], [2, 1]]
)
def test_numbered_columns_in_another_order_are_refused(columns):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(UsageError, match="the columns are called"):
        check_columns(pandas.DataFrame(np.zeros((3, 2)), columns=columns), ("I", "II"))
    check_columns(pandas.DataFrame(np.zeros((3, 2)), columns=columns[::-1]), ("I", "II"))


@pytest.mark.parametrize("columns", [["I_uV", "II_uV"], ["I (µV)", "II (µV)"], ["I [V]", "II [V]"], ["uV_I", "uV_II"]])
def test_columns_called_after_another_unit_are_refused(columns):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(UsageError, match="is not in mV"):
        check_columns(pandas.DataFrame(np.zeros((3, 2)), columns=columns), ("I", "II"))


def test_no_lead_is_called_after_a_unit():
    pandas = pytest.importorskip("pandas")
    leads = ("aVR", "aVL", "aVF", "V1", "V6")
    for columns in (leads, ["avr", "avl", "avf", "v1", "v6"], ["aVR_mV", "aVL mV", "aVF [mV]", "V 1", "V_6"]):
        check_columns(pandas.DataFrame(np.zeros((3, 5)), columns=list(columns)), leads)
