"""What sketches print, and what is made of it: separators, units, labels, clocks and counters beside the signal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.decoders.catalogue import find_device
from ecg_edge.firmware_bridge.events import SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.framing.text_columns import counts, named, undecided
from ecg_edge.firmware_bridge.framing.text_dialect import Column, Dialect, dialect_of
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from tests.support.pulse import acceleration, breathing, ppg, temperature
from tests.support.wire import as_summary, decode

N = 500
NO_WORDS = (Column(b"", b""), Column(b"", b""))
MV = SyntheticHeart(250, ("I", "II"), seed=3).read(N)
ONE, TWO = MV[:, 0], MV[:, 1]


def text(form, end="\n", head=""):
    """A line for each sample: `form` takes k, ms, i and ii (mV), iu and iiu (whole µV), di and dii (with commas)."""
    lines = []
    for k in range(N):
        i, ii = round(ONE[k], 4), round(TWO[k], 4)
        comma = {"di": f"{i:.3f}".replace(".", ","), "dii": f"{ii:.3f}".replace(".", ",")}
        comma |= {"m": k // 15000, "s": k % 15000 / 250}
        lines.append(form.format(k=k, ms=4 * k, i=i, ii=ii, iu=round(1e3 * i), iiu=round(1e3 * ii), **comma) + end)
    return (head + "".join(lines)).encode()


DIALECTS = {
    "space": ("{i:.4f} {ii:.4f}", "\n", ""),
    "tab and CR LF": ("{i:.4f}\t{ii:.4f}", "\r\n", ""),
    "comma": ("{i:.4f},{ii:.4f}", "\n", ""),
    "comma and space": ("{i:.4f}, {ii:.4f}", "\n", ""),
    "semicolon": ("{i:.4f};{ii:.4f}", "\n", ""),
    "CR alone": ("{i:.4f} {ii:.4f}", "\r", ""),
    "LF CR": ("{i:.4f} {ii:.4f}", "\n\r", ""),
    "NUL behind the line": ("{i:.4f} {ii:.4f}", "\r\n\0", ""),
    "empty lines": ("{i:.4f} {ii:.4f}", "\n\n\n", ""),
    "labels": ("I:{i:.4f},II:{ii:.4f}", "\n", ""),
    "labels and spaces": ("I: {i:.4f} II: {ii:.4f}", "\n", ""),
    "equals": ("I={i:.4f};II={ii:.4f}", "\n", ""),
    "spoken labels": ("lead_I:{i:.4f} ECG-II:{ii:.4f}", "\n", ""),
    "units": ("I:{i:.4f}mV II:{ii:.4f}mV", "\n", ""),
    "units apart": ("I:{i:.4f} mV, II:{ii:.4f} mV", "\n", ""),
    "microvolts": ("I:{iu}uV,II:{iiu}uV", "\n", ""),
    "Greek microvolts": ("I:{iu}µV,II:{iiu}μV", "\n", ""),
    "microvolts in the header": ("{iu},{iiu}", "\n", "I_uV,II (µV)\n"),
    "header": ("{i:.4f}\t{ii:.4f}", "\n", "AD8232 ready, go\nI\tII\n"),
    "decimal commas": ("{di};{dii}", "\n", ""),
    "decimal commas and labels": ("I:{di} II:{dii}", "\n", ""),
    "exponents": ("{i:.4e} {ii:.4e}", "\n", ""),
    "signs": ("{i:+.4f} {ii:+.4f}", "\n", ""),
    "times of a serial monitor": ("12:{m:02}:{s:06.3f} -> {i:.4f}\t{ii:.4f}", "\r\n", ""),
    "times of a log": ("2026-11-29T12:{m:02}:{s:06.3f}Z,{i:.4f},{ii:.4f}", "\n", ""),
    "times in brackets": ("[12:{m:02}:{s:06.3f}] {i:.4f} {ii:.4f}", "\n", ""),
    "times behind": ("{i:.4f};{ii:.4f};12:{m:02}:{s:06.3f}", "\n", ""),
    "JSON": ('{{"I": {i:.4f}, "II": {ii:.4f}, "t": {ms}}}', "\n", ""),
    "JSON of an array": ('{{"ecg":[{i:.4f},{ii:.4f}]}}', "\n", ""),
    "an array": ("[{i:.4f}, {ii:.4f}]", "\n", ""),
    "quotes": ('"{i:.4f}","{ii:.4f}"', "\n", '"I","II"\n'),
    "byte order mark": ("{i:.4f}\t{ii:.4f}", "\r\n", "\ufeffI\tII\r\n"),
    "colours": ("\x1b[2J\x1b[31mI:{i:.4f}\x1b[0m,\x1b]0;title\x07II:{ii:.4f}", "\n", ""),
    "spaces about the equals": ("I = {i:.4f}, II = {ii:.4f}", "\n", ""),
    "Teleplot": (">I:{i:.4f},II:{ii:.4f}", "\n", ""),
    "SerialPlot": ("${i:.4f} {ii:.4f};", "\n", ""),
    "semicolon at the end": ("{i:.4f};{ii:.4f};", "\r\n", ""),
}


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("live", [False, True])
def test_every_dialect_gives_the_same_millivolts(name, live):
    form, end, head = DIALECTS[name]
    data = text(form, end, head)
    decoder = find_device("plotter").decoder(live=live)
    events = [e for k in range(0, len(data), 97) for e in decoder.feed(data[k : k + 97])] + decoder.close()
    mv = np.concatenate([e.mv for e in events if isinstance(e, SampleBlock)])[:, :2]
    assert decoder.info.leads[0] == "I" and decoder.info.leads[1] in ("II", "ch2")
    error = np.abs(mv[-400:] - MV[-400:])
    assert error.max() < 0.0011 and decoder.tally.lost == 0 and len(mv) >= N - 1


@pytest.mark.parametrize("name", DIALECTS)
def test_cuts_do_not_matter(name):
    form, end, head = DIALECTS[name]
    data = text(form, end, head)[:9000]
    for cut in (1, 2, 3, 64):
        assert decode("plotter", data, cut) == as_summary(decode("plotter", data))


BESIDE = {
    "a clock in front": ("{ms} {i:.4f}", "", (None, "I")),
    "a counter of a byte": ("{k8} {i:.4f}", "", (None, "I")),
    "a clock with jitter": ("{jitter} {i:.4f}", "", (None, "I")),
    "seconds": ("{s:.3f},{i:.4f}", "", (None, "I")),
    "a constant": ("0 {i:.4f}", "", ("ch1", "I")),
    "a constant behind": ("{i:.4f} 100", "", ("I", "ch2")),
    "a clock behind": ("{i:.4f} {ms}", "", ("I", None)),
    "clock, constant, signal": ("{ms},5,{i:.4f}", "", (None, "ch2", "I")),
    "a label says clock": ("t:{i:.4f},ecg:{i:.4f}", "", (None, "I")),
    "a label says which": ("resp:{ii:.4f},ecg:{i:.4f}", "", (None, "I")),
    "a header says clock": ("{ms},{i:.4f}", "time_ms,ECG\n", (None, "I")),
    "a header says which": ("{ii:.4f},{i:.4f}", "noise,V2\n", ("noise", "V2")),
    "a header of a recorder": ("{k},{i:.4f}", "Sample Index, EXG Channel 0\n", (None, "I")),
    "two labels that say nothing": ("x:{i:.4f},y:{ii:.4f}", "", ("x", "y")),
    "two signals": ("{i:.4f} {ii:.4f}", "", ("I", "ch2")),
    "a pulse wave in front": ("{ppg:.0f},{i:.4f}", "", ("ch1", "I")),
    "a pulse wave behind": ("{i:.4f},{ppg:.0f}", "", ("I", "ch2")),
    "clock, red, infrared, signal": ("{ms},{ppg:.0f},{red:.0f},{i:.4f}", "", (None, "ch2", "ch3", "I")),
    "breathing": ("{resp:.3f} {i:.4f}", "", ("ch1", "I")),
    "an acceleration at rest": ("{acc:.2f} {i:.4f}", "", ("ch1", "I")),
    "a temperature without a word": ("{temp:.2f} {i:.4f}", "", ("ch1", "I")),
    "a column without numbers": ("nan {i:.4f}", "", ("ch1", "I")),
    "temperature": ("Temp:36.{k8} ECG:{i:.4f}", "", (None, "I")),
}


def beside(name):
    form, head, leads = BESIDE[name]
    rng = np.random.default_rng(0)
    late = np.cumsum(rng.integers(3, 6, N))
    drift = np.arange(N)
    other = {
        "ppg": 80000 + 3000 * ppg(250, N) + drift,
        "red": 60000 + 900 * ppg(250, N, seed=0) - drift,
        "resp": breathing(250, N),
        "acc": acceleration(N),
        "temp": temperature(N),
    }
    more = [{"k8": k % 256, "jitter": late[k], "s": k / 250, "ms": 4 * k, "k": k} for k in range(N)]
    more = [at | {name: x[k] for name, x in other.items()} for k, at in enumerate(more)]
    lines = [form.format(i=ONE[k], ii=TWO[k], **more[k]) for k in range(N)]
    return (head + "\n".join(lines) + "\n").encode(), leads


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.parametrize("live", [False, True])
def test_what_stands_beside_the_signal_is_no_lead(name, live):
    data, leads = beside(name)
    decoder = find_device("plotter").decoder(live=live)
    decoder.feed(data)
    decoder.close()
    told = tuple(None if c.lsb_mv != c.lsb_mv else c.lead for c in decoder.info.channels)
    assert told == leads


def test_leads_that_are_named_are_those():
    data, _ = beside("clock, constant, signal")
    assert decode("plotter", data, leads=("-", "-", "II")).info.leads[2] == "II"
    assert decode("plotter", b"1 2\n3 4\n5 6\n", leads=("II", "I")).mv.tolist() == [[1, 2], [3, 4], [5, 6]]


@given(
    start=st.integers(-1000, 10**9), step=st.integers(1, 5000), wrap=st.sampled_from([16, 100, 256, 65536, 2**32]),
    seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_counters_are_known_whatever_their_step_and_losses(start, step, wrap, seed):
    rng = np.random.default_rng(seed)
    k = np.flatnonzero(rng.random(300) > 0.02)  # some lines are lost
    assert counts((start + step * (k % wrap)).astype(float))
    assert counts(-(step * (k % wrap)).astype(float))


@pytest.mark.parametrize("fs", [100, 250, 1000])
@pytest.mark.parametrize("scale", [1.0, 200.0, 5000.0])
@pytest.mark.parametrize("decimals", [0, 2, 4])
def test_no_heart_counts(fs, scale, decimals):
    for seed in range(8):
        x = np.round(scale * SyntheticHeart(fs, ("I", "V2"), seed=seed).read(4 * fs), decimals)
        for at in range(0, 4 * fs - 256, 97):
            assert not counts(x[at : at + 256, 0]) and not counts(x[at : at + 256, 1])


def test_one_comma_is_a_point_only_where_it_must_be():
    assert dialect_of([b"0,012\n", b"0,995\n", b"-0,120\n", b"1,003\n"] * 3) == Dialect(comma=True)
    assert dialect_of([b"512,510\n", b"99,511\n"] * 9) == Dialect()
    assert dialect_of([b"0,12\n", b"0,512\n"] * 9) == Dialect()
    assert dialect_of([b"0.1, 0.2\n"] * 9) == Dialect()


def test_a_stream_that_is_another_than_its_first_lines_is_read_anew():
    data = b"1\n2\n" + b"".join(b"%d %d\n" % (k % 7, k * k % 11) for k in range(400))
    decoder = find_device("plotter").decoder()
    events = decoder.feed(data) + decoder.close()
    shapes = [len(e.channels) for e in events if isinstance(e, StreamInfo)]
    assert shapes == [1, 2]
    live = find_device("plotter").decoder(live=True)
    assert [len(e.channels) for e in live.feed(data) + live.close() if isinstance(e, StreamInfo)] == [2]


def test_fractions_of_millivolts_are_kept_in_the_counts():
    blocks = [e for e in find_device("plotter").decoder().feed(b"I:0.4\nI:0.3\nI:0.4\n") if isinstance(e, SampleBlock)]
    decoder = find_device("plotter").decoder()
    channel = next(e for e in decoder.feed(b"I:0.4\nI:0.3\n") if isinstance(e, StreamInfo)).channels[0]
    counts_ = np.concatenate([b.counts for b in blocks])[:, 0]
    mv = np.concatenate([b.mv for b in blocks])[:, 0]
    assert counts_.tolist() == [4000, 3000, 4000]
    assert np.allclose((counts_ - channel.offset) * channel.lsb_mv, mv, atol=1e-7) and np.allclose(mv, [0.4, 0.3, 0.4])


@pytest.mark.parametrize("fs", [100, 128, 250, 500])
@pytest.mark.parametrize("bpm", [42, 65, 110])
def test_a_pulse_wave_is_passed_over_once_the_heart_has_beaten(fs, bpm):
    x = SyntheticHeart(fs, ("I",), heart_rate_bpm=bpm, seed=4).read(6 * fs)[:, 0]
    data = "".join(f"{p:.3f} {v:.3f}\n" for p, v in zip(2 * ppg(fs, 6 * fs, bpm), x, strict=True)).encode()
    decoder = find_device("plotter").decoder(live=True)
    for k in range(0, len(data), 50):
        decoder.feed(data[k : k + 50], arrival=6 * k / len(data))
    assert decoder.info.leads == ("ch1", "I") and decoder.tally.samples > 1


@pytest.mark.parametrize("seed", range(6))
def test_what_moves_without_the_heart_is_no_lead_and_nothing_is_guessed(seed):
    """An accelerometer of a walker, of one who turns, and at rest, before an ECG; smooth ones are passed over."""
    rng, t = np.random.default_rng(seed), np.arange(1000) / 250
    mv = SyntheticHeart(250, ("I",), seed=seed).read(1000)[:, 0] + 0.005 * rng.standard_normal(1000)
    steps = sum(np.exp(-(((t - at) / 0.06) ** 2)) for at in np.arange(0.3, 4, 0.52))
    shake = np.convolve(rng.standard_normal(1019), np.hanning(20), "valid")
    for moving in (1 + steps + 0.1 * rng.standard_normal(1000), shake, 16384 + rng.standard_normal(1000).round(2)):
        found = named(NO_WORDS, (), np.column_stack((moving, mv)))
        assert [c.name for c in found] == ["ch1", "ch2"]
        assert undecided(NO_WORDS, (), np.column_stack((moving, mv)), 250.0)
    swings = np.sin(2 * np.pi * 1.9 * t) + 0.3 * np.sin(2 * np.pi * 3.8 * t + seed)
    assert [c.name for c in named(NO_WORDS, (), np.column_stack((swings, mv)))] == ["ch1", "I"]
    flat = 0.05 * SyntheticHeart(250, ("II",), seed=seed).read(1000)[:, 0] + 0.004 * rng.standard_normal(1000)
    assert named(NO_WORDS, (), np.column_stack((flat, mv)))[0].name == "I"  # a small lead of the same heart


def test_two_leads_keep_their_order_whatever_they_look_like():
    """A weak lead I before a strong lead II is still the first."""
    data = "".join(f"{0.15 * a:.4f} {b:.4f}\n" for a, b in zip(ONE, TWO, strict=True)).encode()
    assert decode("plotter", data).info.leads == ("I", "ch2")


@pytest.mark.parametrize("none", ["nan", "-nan", "inf", "-inf", "Infinity", "ovf", "null", "!"])
def test_what_is_written_for_no_number_is_no_value_and_no_damage(none):
    lines = [f"{v:.3f} {none if k % 3 else f'{w:.3f}'}\n" for k, (v, w) in enumerate(zip(ONE, TWO, strict=True))]
    summary = decode("plotter", "".join(lines).encode())
    assert summary.tally.bad_frames == 0 and len(summary.mv) >= N - 1
    assert summary.valid[:, 0].all() and summary.valid[-400:, 1].tolist() == [k % 3 == 0 for k in range(N)][-400:]


def test_cuts_do_not_matter_where_a_line_is_too_long_before_it_is_undressed():
    line = b'{"ecg": 0.12, "ii": 0.34}\n'
    long = b'{"ecg": 0.12,' + b'"" ' * 90 + b' "ii": 0.34}\n'
    data = line * 40 + long + line * 40
    whole = as_summary(decode("plotter", data))
    for cut in (1, 7, 64, 300):
        assert decode("plotter", data, cut) == whole
    assert decode("plotter", data).tally.bad_frames == 1


def test_a_damaged_line_is_not_mended_by_undressing_it():
    good = b"0.12 0.34\n" * 40
    summary = decode("plotter", good + b'0.1"2"3 0.34\n0.12 0.{34}\n0.[1]2 0.3\n' + good)
    assert summary.tally.bad_frames == 3 and len(summary.mv) == 80
