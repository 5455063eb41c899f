"""What a tile says, and what it does not say any more."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.monitor.frames import decode_frame, encode_frames
from ecg_edge.device.sinks.messages import header_message, status_message
from ecg_edge.device.ward.bed import OLD_S, Bed
from ecg_edge.device.ward.limits import Limits
from ecg_edge.device.ward.strip import BLANK, decode_strips, encode_strips, strip_of
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS
from tests.support.monitor_scene import make_block, make_header, make_status


def running(limits=None):
    bed = Bed("bed-7", 3, limits or Limits(), 0.0)
    bed.state = "running"
    bed.take_header(header_message(make_header(("I", "II"))))
    bed.samples_at = 0.0
    return bed


def figures(bed, now, rate=72.0, **more):
    doc = json.loads(status_message(make_status(**more))) | {"heart_rate_bpm": rate}
    bed.samples_at = now
    bed.take_figures(json.dumps(doc), now)


def test_a_figure_that_is_old_is_not_shown():
    bed = running()
    figures(bed, 10.0, battery_percent=80, lead_off=("RA",))
    assert bed.tile(10.0)["hr"] == 72 and bed.tile(10.0)["battery"] == 80 and bed.tile(10.0)["off"] == ["RA"]
    for gone in (bed.tile(10.0 + OLD_S + 0.1), _lost(bed), _ended(bed)):
        assert gone["hr"] is None and gone["battery"] is None and gone["off"] == [] and gone["loss"] is None
        assert gone["level"] >= 3 and gone["state"] in ("old", "lost", "ended")
    assert Bed("b", 0, Limits(), 0.0).tile(1.0)["state"] == "starting"
    assert bed.status(99.0).heart_rate_bpm is None and bed.status(99.0).connected is False


def _lost(bed):
    figures(bed, 20.0, connected=False)
    return bed.tile(20.0)


def _ended(bed):
    figures(bed, 30.0)
    bed.state, bed.why = "ended", "unplugged"
    return bed.tile(30.0)


def test_a_rate_outside_its_limits_is_confirmed_marked_and_logged():
    bed = running(Limits(40, 120))
    said = []
    for now, rate in enumerate([72, 130, 72, 130, 131, 132, 131, 110, 111, 112, 112]):
        figures(bed, float(now), rate)
        said.append(bed.look(float(now)))
    assert [k for k, s in enumerate(said) if s] == [5, 9], "one figure alone is no rate"
    assert said[5] == ["rate above 120: 132/min"] and said[9] == ["no longer rate above 120"]
    for now in (12.0, 13.0, 14.0):
        figures(bed, now, 38)
        bed.look(now)
    assert bed.tile(14.0)["level"] == 5 and bed.tile(14.0)["trouble"][0] == "rate below 40"
    assert "rate below 40" not in bed.tile(20.0)["trouble"], "what was is not what is"


def test_silence_is_marked_once_and_ends():
    bed = running(Limits(silence_s=5))
    figures(bed, 1.0)
    assert bed.look(5.9) == [] and bed.look(6.1) == ["no samples for 5 s"] and bed.look(7.0) == []
    assert bed.tile(7.0)["level"] == 4
    bed.samples_at = 8.0
    assert bed.look(8.0) == ["samples arrive again"]
    never = Bed("bed-8", 0, Limits(), 100.0)
    assert never.look(109) == [] and never.look(111) == ["no samples for 10 s"]


def test_loss_is_of_the_last_minute_and_quality_of_the_worst_lead():
    bed = running()
    for k in range(100):
        lost = 250 if k >= 30 else 0
        doc = {"samples_in": 250 * k, "samples_lost": lost}
        quality = {"I": {"index": 0.9, "reason": ""}, "II": {"index": 0.3, "reason": "noise"}}
        bed.take_figures(json.dumps(json.loads(status_message(make_status(quality=quality))) | doc), float(k))
        if k == 60:
            tile = bed.tile(60.0)
            assert tile["loss"] == pytest.approx(100 / 60, rel=0.05) and tile["level"] == 1
            assert tile["quality"] == {"lead": "II", "index": 0.3, "reason": "noise"} and "II noise" in tile["trouble"]
    assert bed.tile(99.0)["loss"] == 0


@pytest.mark.parametrize("wrong", [(10, None), (None, 400), (90, 60), (60, 60), (float("nan"), None)])
def test_limits_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError):
        Limits(*wrong)
    with pytest.raises(UsageError):
        Limits(silence_s=0)


@given(st.integers(0, 2**31), st.integers(1, 40), st.sampled_from([("I",), ("II",), ("I", "II"), ("V2",)]))
def test_the_strip_is_the_measured_lead(index, n, measured):
    invalid = ("V2",) if measured == ("V2",) else ()
    [frame] = encode_frames(make_block(index, n, measured, invalid=invalid), 0)
    strip = strip_of(frame)
    decoded = decode_frame(frame)
    lead = "II" if "II" in measured else measured[0]
    assert LEADS[strip.lead] == lead and (strip.first, strip.n) == (index, n)
    [(bed, at, first, values)] = decode_strips(encode_strips([(7, 100, [strip])]))
    assert (bed, at, first) == (7, strip.lead, index)
    assert values == ([BLANK] * n if invalid else decoded.uv[:, strip.lead].tolist())


def test_what_is_reconstructed_is_never_a_strip():
    [frame] = encode_frames(make_block(0, 10), 0)
    code = int.from_bytes(frame[16:20], "little") | 0b1010  # I and II are reconstructed now
    strip = strip_of(frame[:16] + code.to_bytes(4, "little") + frame[20:])
    assert set(decode_strips(encode_strips([(0, 100, [strip])]))[0][3]) == {BLANK}
