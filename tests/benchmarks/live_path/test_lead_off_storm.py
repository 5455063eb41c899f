"""A short storm holds, and the comparison notices a sample under a false name."""

import numpy as np

from ecg_edge.benchmarks.cli.soak import page
from ecg_edge.benchmarks.live_path.lead_off_storm import storm


def test_what_is_kept_is_what_was_said(tmp_path):
    r = storm(60, tmp_path)
    assert r["wrong"] == {"recording": 0, "EDF": 0, "page": 0, "measured record": 0}
    assert r["rows"] == 6000 and r["estimated_rows"] > 100 and r["lead_offs"] > 5
    assert "Lead-off storm" in page({"machine": {}, "model": "m", "soaks": [], "storm": r})


def test_an_estimate_under_the_name_of_a_measurement_is_noticed(tmp_path, monkeypatch):
    def as_before(self, block):
        extra = len(self.columns) - 12
        nothing = np.zeros((len(block), extra))
        return np.concatenate([block.mv, nothing], axis=1), np.concatenate([block.valid, nothing > 0], axis=1)

    monkeypatch.setattr("ecg_edge.device.lead_columns.LeadColumns.spread", as_before)
    wrong = storm(20, tmp_path)["wrong"]
    assert wrong["recording"] > 100 and wrong["EDF"] > 100 and wrong["page"] > 100 and not wrong["measured record"]
