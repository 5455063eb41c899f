"""On what a file is proved: the right inputs, the hidden leads alone, every listed lead set of an any-lead one."""

from __future__ import annotations

import numpy as np
import pytest

from ecg_edge.device.lead_algebra import BASIS, measured, missing_basis
from ecg_edge.export.proof_cases import calibration_inputs, cases
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.network.lead_subsets import SPECIALISTS, mask_of
from ecg_edge.train.network.unet import NetSpec
from tests.support.nets import SMALL, exporter_of, lively

X = np.random.default_rng(0).normal(0, 0.4, (7, 400, 8)).astype(np.float32)
DATA = Prepared(X, list(range(7)), [""] * 7, [""] * 7, {})


def spec_of(leads: tuple[str, ...], **more: bool):
    return exporter_of(lively(NetSpec(leads, **SMALL, **more))).spec  # type: ignore[arg-type]


def test_fixed_leads_are_one_case_of_all_records() -> None:
    (case,) = cases(spec_of(("II", "V2")), DATA)
    assert (case.name, case.hidden, len(case.x)) == ("", missing_basis(("II", "V2")), 7)
    np.testing.assert_array_equal(case.x, measured(X, ("II", "V2")))
    np.testing.assert_array_equal(case.truth, X[..., [BASIS.index(lead) for lead in case.hidden]])
    np.testing.assert_array_equal(case.measured, X[..., BASIS.index("II")])
    assert case.outputs == list(range(len(case.hidden)))


def test_an_any_lead_file_is_proved_on_each_specialists_leads_on_every_third_record() -> None:
    found = cases(spec_of(BASIS, any_lead=True), DATA)
    assert [case.name for case in found] == ["+".join(leads) for leads in SPECIALISTS]
    for case, leads in zip(found, SPECIALISTS, strict=True):
        assert len(case.x) == 3
        np.testing.assert_array_equal(case.x[..., 8:], np.broadcast_to(mask_of(leads), (3, 400, 8)))
        np.testing.assert_array_equal(case.x[..., :8], X[::3] * mask_of(leads))
        assert [BASIS[k] for k in case.outputs] == list(case.hidden)


def test_few_records_are_all_used() -> None:
    few = Prepared(X[:3], [1, 2, 3], [""] * 3, [""] * 3, {})
    assert all(len(case.x) == 3 for case in cases(spec_of(BASIS, any_lead=True), few))


def test_the_first_two_seconds_do_not_count_and_a_short_estimate_does() -> None:
    (case,) = cases(spec_of(("I", "II")), DATA)
    estimate = case.truth[:, :350].copy()
    estimate[:, : case.first] = 9.0
    table = case.score(estimate)
    assert table["mean"]["rmse_mv"] == 0 and table["records"] == 7  # type: ignore[index]
    assert table["set"] == "PTB-XL fold 9 (validation)"
    estimate[:, case.first] += 1
    assert case.score(estimate)["mean"]["rmse_mv"] > 0  # type: ignore[index]


def test_eight_bit_parameters_are_chosen_from_what_the_network_sees() -> None:
    np.testing.assert_array_equal(calibration_inputs(spec_of(("I", "II")), DATA), measured(X, ("I", "II")))
    seen = calibration_inputs(spec_of(BASIS, any_lead=True), DATA)
    assert (seen.shape, seen.dtype) == ((7, 400, 16), np.float32)
    np.testing.assert_array_equal(seen[..., :8], X * seen[..., 8:])
    assert set(np.unique(seen[..., 8:])) == {0.0, 1.0}
    assert len({tuple(mask) for mask in seen[:, -1, 8:]}) > 1, "one lead set is not all kinds"
    np.testing.assert_array_equal(seen, calibration_inputs(spec_of(BASIS, any_lead=True), DATA))
    assert seen[:, 0, 8:].sum(axis=1) == pytest.approx(seen[:, 0, 8:].sum(axis=1).clip(1, 8))
