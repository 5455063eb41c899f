import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.verification.budget import Budget
from ecg_edge.firmware_bridge.errors import UsageError

LIMITS = st.builds(Budget, st.integers(0, 999).map(lambda n: n / 100), st.integers(0, 999), st.integers(0, 999))


@given(budget=LIMITS)
def test_what_is_printed_is_read_again(budget):
    back = Budget.parse(str(budget))
    assert back.limits() == pytest.approx(budget.limits())


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("rmse=1%", (0.01, 5, 0)),
        ("rmse=0.05", (0.05, 5, 0)),
        ("st=20uV", (0.01, 20, 0)),
        ("st=20µV", (0.01, 20, 0)),
        ("st=20", (0.01, 20, 0)),
        (" rpeak = 10 ms ", None),
        ("rpeak=10ms, st=7uV", (0.01, 7, 10)),
        ("st=7uV,st=8uV", (0.01, 8, 0)),
    ],
)
def test_a_budget_is_read_with_and_without_units(text, limits):
    if limits is None:
        with pytest.raises(UsageError):
            Budget.parse(text)
        return
    b = Budget.parse(text)
    assert (b.rmse, b.st, b.rpeak) == limits


@pytest.mark.parametrize(
    "text",
    ["", "rmse", "rmse=", "rmse=x", "rmse=-1%", "rmse=1000%", "st=1000", "rpeak=nan", "st=inf", "r=1", "rmse=1ms", ","],
)
def test_what_is_no_budget_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match="bad budget") as e:
        Budget.parse(text)
    assert "rmse=1%,st=5uV,rpeak=0ms" in e.value.fix
