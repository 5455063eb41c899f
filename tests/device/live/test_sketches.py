"""What boards print, through the whole live path: the heart rate is right, or none is stated and it is said why."""

import numpy as np
import pytest

from ecg_edge.firmware_bridge.errors import EcgEdgeError
from tests.support.pulse import breathing, ppg
from tests.support.sketch import BPM, heart, play

HZ = 250
X = heart(HZ)
K = range(len(X))
PULSE = 80000 + 3000 * ppg(HZ, len(X), BPM) + np.arange(len(X))


def lines(form, end="\n"):
    """A line a sample; `form` takes k and the millivolts of I and II."""
    return [(form(k, X[k, 0], X[k, 1]) + end).encode() for k in K]


def comma(text):
    return text.replace(".", ",")


DIALECTS = {
    "decimal commas, labels, semicolons": lines(lambda k, i, j: comma(f"ECG:{i:.3f};Temp:{36.5 + k % 9 / 10:.1f}")),
    "microseconds behind": lines(lambda k, i, j: f"{i:.3f} {4000 * k}"),
    "milliseconds in front, from a late start": lines(lambda k, i, j: f"{4294960000 + 4 * k & 0xFFFFFFFF},{i:.3f}"),
    "CR alone": lines(lambda k, i, j: f"{i:.3f}\t{j:.3f}", "\r"),
    "byte order mark and header": [
        b"\xef\xbb\xbfTime;ECG\r\n",
        *lines(lambda k, i, j: f"{k / HZ:.3f};{i:.3f}", "\r\n"),
    ],
    "negative zeros and gaps of nan": lines(
        lambda k, i, j: f"{0.01 * round(100 * i):.2f}".replace("0.00", "-0.00") if k % 500 > 3 else "nan"
    ),
    "JSON": lines(lambda k, i, j: f'{{"t": {4 * k}, "ecg": {i:.3f}, "leads_off": false}}'.replace("false", "0")),
    "log with times": lines(lambda k, i, j: f"12:{k // 15000:02}:{k % 15000 / HZ:06.3f} -> I:{i:.3f} II:{j:.3f}"),
    "a pulse wave beside": lines(lambda k, i, j: f"{PULSE[k]:.0f},{i:.3f}"),
    "breathing, pulse and clock beside": lines(
        lambda k, i, j: f"{4 * k};{breathing(HZ, 1)[0] + np.sin(k / 300):.3f};{PULSE[k]:.0f};{i:.3f}"
    ),
    "microvolts by label": lines(lambda k, i, j: f"lead_I (uV)={1000 * i:.0f}" if k < 0 else f"I_uV={1000 * i:.0f}"),
    "a long line of garbage before": [b"9" * 300_000 + b"\n", *lines(lambda k, i, j: f"{i:.3f},{j:.3f}")],
}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_gives_the_heart_rate(name):
    ran = play(DIALECTS[name])
    assert ran.summary.error is None and ran.told("signal") == []
    assert ran.header.info.leads.count("I") == 1 and abs(ran.rate - BPM) < 2


ODD = {
    "a pulse wave alone": lines(lambda k, i, j: f"{PULSE[k] - 80000 - k:.2f}"),
    "a pulse wave alone, in counts": lines(lambda k, i, j: f"{PULSE[k]:.0f}"),
    "10 bits without a gain": lines(lambda k, i, j: f"{512 + 200 * i:.0f}"),
    "12 bits without a gain": lines(lambda k, i, j: f"ECG:{2048 + 900 * i:.0f}"),
    "16 bits without a gain": lines(lambda k, i, j: f"{32768 + 9000 * i:.0f},{32768 + 9000 * j:.0f}"),
    "24 bits without a gain": lines(lambda k, i, j: f"{4 * k} {8388608 + 150000 * i:.0f}"),
    "microvolts without a word": lines(lambda k, i, j: f"{1000 * i:.1f}"),
}


@pytest.mark.parametrize("name", ODD)
def test_from_numbers_that_are_no_millivolts_no_rate_is_stated(name):
    ran = play(ODD[name])
    assert ran.rate is None and len(ran.told("signal")) == 1
    assert any(word in ran.told("signal")[0] for word in ("--gain", "unit", "pulse"))


def test_a_moving_accelerometer_before_the_ecg_is_asked_about():
    shake = np.convolve(np.random.default_rng(0).standard_normal(len(X) + 19), np.hanning(20), "valid")
    text = lines(lambda k, i, j: f"{1 + shake[k] / 9:.3f} {i:.3f}")
    ran = play(text)
    assert isinstance(ran.summary.error, EcgEdgeError) and "--leads" in ran.summary.error.fix
    assert ran.rate is None and not len(ran.mv)


@pytest.mark.parametrize("hz", [128, 200, 360, 500])
def test_another_true_rate_is_said_and_given(hz):
    x = heart(hz)
    pieces = [f"{v:.3f}\n".encode() for v in x[:, 0]]
    ran = play(pieces, hz=hz, seconds=9 * hz / HZ)
    assert ran.rate is None and f"--fs {hz}" in ran.told("rate")[0]
    assert abs(play(pieces, hz=hz, fs=hz).rate - BPM) < 2


def test_a_reset_amid_the_stream_costs_its_lines_only():
    boot = [b"ets Jul 29 2019 12:21:46\r\n", b"rst:0x1 (POWERON_RESET)\r\n", b"AD8232 ready\r\n", b"time,ecg\r\n"]
    text = lines(lambda k, i, j: f"{4 * (k % 1000)},{i:.3f}")
    ran = play([b"time,ecg\r\n", *text[:1000], *boot, *text[1000:]], seconds=12)
    assert ran.header.info.leads[1] == "I" and abs(ran.rate - BPM) < 2
    assert ran.summary.counts.lost <= len(boot) + 1


@pytest.mark.parametrize("after", ["two", "three"])
def test_columns_that_become_others_end_the_run_with_the_reason(after):
    one, two = lines(lambda k, i, j: f"{i:.3f}"), lines(lambda k, i, j: f"{i:.3f},{j:.3f}")
    three = lines(lambda k, i, j: f"{i:.3f},{j:.3f},{j - i:.3f}")
    before, later = (one, two) if after == "two" else (two, three)
    ran = play([*before[:1000], *later[1000:]], seconds=16)
    assert ran.summary.error is not None and "now sends" in ran.summary.error.message and ran.summary.error.fix
    assert 950 <= ran.summary.counts.samples_in <= 1001


STRANGE = {
    "HTTP": (
        [b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html>no</html>\r\n"],
        "text, beginning 'HTTP",
    ),
    "GPS": ([b"$GPGGA,%06d.00,4807.038,N,01131.000,E,1,08,0.9*47\r\n" % k for k in K], "text, beginning '$GPGGA"),
    "hex": ([b"A5 5A 02 %02X 02 00 02 00\r\n" % (k % 256) for k in K], "text, beginning 'A5 5A"),
    "UTF-16": ([f"{v:.3f}\r\n".encode("utf-16-le") for v in X[:, 0]], "UTF-16"),
}


@pytest.mark.parametrize("device", ["auto", "plotter"])
@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_stream_is_refused_with_what_was_seen(name, device):
    pieces, told = STRANGE[name]
    error = refusal(pieces, device)
    assert told in error.message and error.fix


def refusal(pieces, device):
    """The error that ends a run, wherever it is raised."""
    try:
        return play(pieces, device=device, until=30).summary.error
    except EcgEdgeError as error:
        return error


def test_bytes_that_are_no_samples_are_not_called_silence():
    """A stream that turns into something else: no figure outlives it, and what arrives is said."""
    garbage = [bytes((7 * k * j) & 0xFF | 0x80 for j in range(12)) + b"\n" for k in range(18_000)]
    ran = play(
        [*DIALECTS["JSON"][:1500], *garbage], seconds=30, until=75, samples=1500
    )  # the runner gets to see some of it
    assert ran.rate is None
    told = [note.text for note in ran.notes if note.kind in ("silent", "gap", "bad")]
    assert any("no samples" in text or "none are samples" in text for text in told), told
