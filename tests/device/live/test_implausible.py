"""What cannot be millivolts of a heart has no figures, whatever the outlet, until it has been right for a while."""

import json

import numpy as np
import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.live.run_settings import Models, RunSettings
from ecg_edge.device.live.runner import Runner
from ecg_edge.device.sinks.sink_thread import SinkThread
from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from tests.support import fakes, stored_files

FS = 250
HEART = SyntheticHeart(FS, ("I", "II"), 65, 3).read(40 * FS)
T = np.arange(len(HEART))[:, None] / FS
RNG = np.random.default_rng(3)
NOISE = 0.3 * RNG.standard_normal(HEART.shape)
STRANGE = {
    "large": 1000 * HEART,
    "small": 0.005 * HEART + 0.002 * RNG.standard_normal(HEART.shape),
    "noise": NOISE,
    "counter": np.hstack([0.003 * FS * T % 20, 0.007 * FS * T % 20]),
    "tone": np.hstack([np.sin(20 * np.pi * T), np.sin(20 * np.pi * T + 1)]),
}


class Paced(fakes.ListSource):
    """Gives a tenth of a second at a time, at its own pace; `pauses` seconds of nothing at a place."""

    def __init__(self, mv, clock, pause_at=None, pause_s=0):
        step = FS // 10
        counts = np.rint(mv / fakes.LSB).astype(np.int64).clip(-(2**31), 2**31 - 1).astype(np.int32)
        lists = [[fakes.block(counts[k : k + step], k)] for k in range(0, len(counts), step)]
        if pause_at is not None:
            lists[pause_at * 10 : pause_at * 10] = [[] for _ in range(round(10 * pause_s))]
        super().__init__([[fakes.info(fs=FS)], *lists])
        self.live, self._clock = True, clock

    def get(self, timeout=None):
        self._clock.advance(0.1)
        return super().get(timeout)


def ran(mv, model="i-ii-int8", **pause):
    clock, sink = ManualClock(), fakes.ListSink()
    source = Paced(mv, clock, **pause)
    settings = RunSettings(measure=True)
    summary = Runner(source, Models(lambda leads: load_model(model)), (SinkThread(sink),), settings, clock=clock).run()
    return summary, sink


def figures(status):
    return [status.heart_rate_bpm, *status.st_mv.values(), *status.measurements.values()]


@pytest.mark.parametrize("word", STRANGE)
def test_no_figure_is_stated_of_what_is_no_ecg_and_the_lead_stays_unfit(word):
    summary, sink = ran(STRANGE[word][: 25 * FS])
    assert all(x is None for s in sink.statuses for x in figures(s))
    assert summary.heart_rate_bpm is None
    late = [s for s in sink.statuses if s.elapsed_s > 7]
    assert all(q["index"] == 0 and q["reason"] == word for s in late for q in s.quality.values())
    said = [n.text for n in sink.notes if n.kind == "signal"]
    assert not any("again" in text or "too noisy" in text for text in said), said
    valid = np.concatenate([b.valid for b in sink.blocks])
    assert not valid[7 * 100 :, 6:].any()


def test_figures_go_with_the_signal_and_are_back_when_it_has_been_right_for_a_while():
    mv = np.concatenate([HEART[: 15 * FS], 1000 * HEART[: 10 * FS], HEART[: 20 * FS]])
    _, sink = ran(mv)
    rates = [(s.elapsed_s, s.heart_rate_bpm) for s in sink.statuses]
    assert all(bpm == pytest.approx(65, abs=3) for at, bpm in rates if 6 <= at <= 15)
    assert all(x is None for s in sink.statuses if 19 <= s.elapsed_s <= 28 for x in figures(s))
    assert rates[-1][1] == pytest.approx(65, abs=3)
    after = next(at for at, bpm in rates if at > 25 and bpm is not None)
    assert after >= 29
    said = [n.text for n in sink.notes if n.kind == "signal"]
    assert sum("may be an ECG again" in text for text in said) == 2


def test_one_implausible_lead_takes_only_what_rests_on_it():
    mv = np.stack([NOISE[:, 0], HEART[:, 1]], axis=1)
    _, sink = ran(mv[: 30 * FS])
    last = sink.statuses[-1]
    assert last.heart_rate_bpm == pytest.approx(65, abs=3)
    assert last.st_mv["I"] is None and last.st_mv["III"] is None and last.st_mv["II"] is not None


def test_figures_are_gone_two_seconds_after_the_last_sample():
    _, sink = ran(HEART, pause_at=20, pause_s=2.6)
    there = [s.heart_rate_bpm is not None for s in sink.statuses if s.elapsed_s >= 8]
    gone = there.index(False)
    assert not figures_left(sink.statuses, gone + len(sink.statuses) - len(there)) and there[-1]
    assert all(s.connected for s in sink.statuses)


def figures_left(statuses, k):
    return [x for x in figures(statuses[k]) if x is not None]


@pytest.mark.parametrize("name", ["large", "noise"])
def test_a_record_of_it_is_replayed_without_figures(tmp_path, capsys, name):
    mv = STRANGE[name][: 20 * FS]
    gain = 1000 if name == "noise" else 20
    stored_files.wfdb_record(tmp_path, "r", mv, FS, gain=gain)
    out = tmp_path / "out"
    assert main(["run", f"replay:{tmp_path / 'r'}", "--fast", "--json", "--measure", "--out", str(out)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["heart_rate_bpm"] is None
    assert all(document["provenance_s"][lead].get("reconstructed", 0) < 5 for lead in ("V1", "V6"))
    notes = b"".join(p.read_bytes() for p in out.glob("*.atr")).decode("latin-1")
    assert "Heart rate" not in notes and "again" not in notes
