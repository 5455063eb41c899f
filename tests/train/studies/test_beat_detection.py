import numpy as np
import pytest

from ecg_edge.train.studies.beat_detection import counted, judged


def test_beats_are_counted_one_for_one_behind_the_start():
    truth = np.arange(1.0, 20, 1)
    assert counted(truth + 0.1, truth, 19.5) == (14, 14, 0)
    assert counted(np.concatenate([truth, truth + 0.05]), truth, 19.5) == (
        14,
        14,
        15,
    )  # the second at 5.05 s is behind the start
    assert counted(truth[::2] + 0.2, truth, 19.5) == (0, 14, 8)


@pytest.mark.parametrize(("stated", "result"), [(60.0, (7, 0, 0)), (70.0, (0, 7, 0)), (np.nan, (0, 0, 7))])
def test_a_rate_is_right_wrong_or_none(stated, result):
    assert judged(np.full(19, stated), np.arange(0.5, 20, 1)) == result
