"""A patch anywhere: pairs of electrodes from the synthetic heart and from a twelve-lead record."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ecg_edge.firmware_bridge.emulators.assemble import SourceOptions, build_source
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from ecg_edge.firmware_bridge.virtual_patch.recorded_signal import record_source
from tests.support.ptbxl_folder import heart, write_record


def test_the_heart_measures_pairs() -> None:
    x = SyntheticHeart(Fraction(250), ("RA-LA", "I", "ra-v5", "RA-V2", "V2-V5")).read(500)
    np.testing.assert_allclose(x[:, 0], x[:, 1], atol=1e-12)
    np.testing.assert_allclose(x[:, 2] - x[:, 3], x[:, 4], atol=1e-12)


def test_a_record_of_twelve_leads_gives_pairs(tmp_path: Path) -> None:
    twelve = heart(1)
    path = str(tmp_path / write_record(tmp_path, 1, twelve))
    source = record_source(path, ("RA-V5", "II", "ra-la", "V2-V5"), lsb_mv=0.0005)
    assert source.info.leads == ("RA-V5", "II", "RA-LA", "V2-V5")
    mv = source.read(len(twelve))[0] * 0.0005
    i, ii, v2, v5 = twelve[:, 0], twelve[:, 1], twelve[:, 7], twelve[:, 10]
    np.testing.assert_allclose(mv, np.stack([v5 + (i + ii) / 3, ii, i, v5 - v2], axis=1), atol=0.0006)


@pytest.mark.parametrize("leads", ["RA-V9", "RA-RA", "RA-V5,RA-V5", "RL-V5"])
def test_what_is_no_pair_is_refused(leads: str) -> None:
    with pytest.raises(UsageError):
        build_source(SourceOptions(leads=leads))
