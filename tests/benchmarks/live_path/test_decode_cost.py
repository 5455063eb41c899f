"""The benchmark of the decoders: pieces, figures, table."""

import itertools
import json

import pytest

from ecg_edge.benchmarks.live_path import decode_cost as b
from ecg_edge.firmware_bridge.decoders.catalogue import find_device
from ecg_edge.firmware_bridge.errors import NotAnEcgStreamError, UsageError
from tests.support.wire import STREAMS_BY_DEVICE, decode


def ticking(step):
    times = itertools.count()
    return lambda: next(times) * step


def test_pieces_are_what_arrives_in_ten_milliseconds():
    data = bytes(range(250)) * 2
    parts = list(b.pieces(data, 20000))
    assert b"".join(piece for piece, _ in parts) == data
    assert [len(piece) for piece, _ in parts] == [200, 200, 100]
    assert [at for _, at in parts] == pytest.approx([1000.01, 1000.02, 1000.03])


def test_a_slow_device_sends_nothing_in_most_pieces():
    parts = list(b.pieces(bytes(10), 25))
    assert b"".join(piece for piece, _ in parts) == bytes(10)
    assert max(len(piece) for piece, _ in parts) == 1


def test_the_rate_is_that_of_the_samples_and_the_fastest_run_counts():
    stream = STREAMS_BY_DEVICE["olimex"]
    cost = b.measure("olimex", "built", stream.clean, repeats=3, clock=ticking(0.0012))
    assert cost.signal_s == 60 / 250
    assert cost.bytes_per_s == 17 * 250
    assert cost.core_percent == pytest.approx(100 * 0.0012 / 0.24)
    assert cost.us_per_piece == pytest.approx(1200 / 24)


def test_no_stream_no_figure():
    with pytest.raises(NotAnEcgStreamError):
        b.measure("olimex", "noise", bytes(1000))


def test_synthetic_spikerbox_is_one():
    data = b.synthetic_spikerbox(0.2)
    got = decode("spikerbox", data)
    assert len(got.counts) == round(0.2 * float(find_device("spikerbox").fs))
    assert got.tally.skipped_bytes == 0


def test_sources_without_captures_and_with(tmp_path):
    assert [(device, source) for device, source, _ in b.sources(None)] == [("spikerbox", "synthetic")]
    (tmp_path / "olimex_demo.bin").write_bytes(b"1")
    (tmp_path / "spikerbox_heart_brain.bin").write_bytes(b"2")
    found = list(b.sources(tmp_path))
    assert found == [("olimex", "olimex_demo", b"1"), ("spikerbox", "spikerbox_heart_brain", b"2")]


def test_table_and_page_follow_the_figures(tmp_path, capsys):
    stream = STREAMS_BY_DEVICE["olimex"]
    (tmp_path / "olimex_demo.bin").write_bytes(stream.clean)
    (tmp_path / "spikerbox_heart_brain.bin").write_bytes(b.synthetic_spikerbox(0.1))
    page, figures = tmp_path / "page.md", tmp_path / "figures.json"
    page.write_text(f"before\n{b.BEGIN}\nold\n{b.END}\nafter\n")
    told = ["--captures", str(tmp_path), "--repeats", "1", "--out", str(figures), "--page", str(page), "--json"]
    assert b.main(told) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result == json.loads(figures.read_text())
    assert [cost["device"] for cost in result["devices"]] == ["olimex", "spikerbox"]
    once = page.read_text()
    assert once == f"before\n{b.BEGIN}\n{b.table(result)}{b.END}\nafter\n"
    assert b.main(["--figures", str(figures), "--page", str(page)]) == 0
    assert page.read_text() == once


def test_wrong_use_names_the_way_out(tmp_path, capsys):
    with pytest.raises(UsageError, match="put the lines"):
        b.paged("no marks", b.document([], 1))
    assert b.main(["--repeats", "0"]) == UsageError.exit_code
    assert b.main(["--figures", str(tmp_path / "none.json")]) == UsageError.exit_code
    assert "fix:" in capsys.readouterr().err
