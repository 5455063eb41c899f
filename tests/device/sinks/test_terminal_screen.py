"""The terminal's strips."""

import io
import re

import numpy as np
import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.device.lead_block import Note
from ecg_edge.device.sinks.sink import Status
from ecg_edge.device.sinks.terminal_screen import TerminalScreen, braille
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS
from tests.device.recording.test_recorder import header
from tests.support import fakes


class Terminal(io.StringIO):
    def isatty(self):
        return True


def dots(lines):
    """The picture of braille characters as booleans."""
    order = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1)]
    grid = np.zeros((4 * len(lines), 2 * len(lines[0])), bool)
    for r, line in enumerate(lines):
        for c, ch in enumerate(line):
            for bit, (dr, dc) in enumerate(order):
                grid[4 * r + dr, 2 * c + dc] = ord(ch) - 0x2800 >> bit & 1
    return grid


def test_a_step_is_drawn_where_it_belongs():
    mv = np.concatenate([np.zeros(10), np.full(10, 1.0), np.full(5, np.nan)])
    lines = braille(mv, 20, 3, 1.0)
    assert len(lines) == 3 and {len(line) for line in lines} == {20}
    grid = dots(lines)
    assert not grid[:, -5:].any() and not grid[:, :15].any()  # nothing where there is nothing
    low, high = np.flatnonzero(grid[:, 20]), np.flatnonzero(grid[:, 30])
    assert low.tolist() == [round(1.8 / 3 * 11)] and high.tolist() == [round(0.8 / 3 * 11)]
    assert grid[high[0] : low[0] + 1, 25].all()  # the rise is a line


def test_what_is_too_large_stays_on_the_strip_and_is_marked_as_cut():
    high, low = braille(np.array([0.0, 0.0, 50.0, 0.0, 0.0, 0.0, -50.0, 0.0]), 4, 2, 1.0)
    assert (high.index("▲"), low.index("▼")) == (1, 3) and high.count("▲") == low.count("▼") == 1
    assert not set("▲▼") & set("".join(braille(np.array([1.8, -1.2]), 4, 2, 1.0)))


def test_the_screen_shows_every_lead_with_its_provenance(model):
    out = Terminal()
    screen = TerminalScreen(out, (100, 30))
    pipeline, head = header(model, fakes.info())
    screen.open(head)
    screen.note(Note("gap", 0, 0, "lost\x1b[2J"))
    screen.status(Status(1.0, 250, 100, 0, 250.0, 1.0, 2.0, 70.0))
    for item in pipeline.feed(fakes.block(fakes.walk(1000))):
        screen.leads(item)
    screen.close()
    text = out.getvalue()
    assert text.startswith("\x1b[?1049h") and text.endswith("\x1b[?1049l")
    last = text.rpartition("\x1b[H")[2]
    for lead in LEADS:
        word = "" if lead in ("I", "II") else " der." if lead in LEADS[:6] else " recon."
        assert f"m{lead}{word}" in last
    assert "4 s a strip, -1.2 to 1.8 mV" in last
    assert "estimates, not for diagnosis" in last and "250.0 Hz" in last
    assert "gap: lost [2J" in last  # what came from outside draws nothing
    assert re.search(r"[\u2801-\u28ff]", last)
    assert last.count("\r\n") <= 30


def test_no_terminal_or_a_small_one_is_refused(model):
    _, head = header(model, fakes.info())
    for stream, size in ((io.StringIO(), (100, 30)), (Terminal(), (40, 10))):
        with pytest.raises(UsageError, match="--tui needs"):
            TerminalScreen(stream, size).open(head)


def test_without_a_terminal_the_verb_says_so(model, capsys):
    command = ["run", "synthetic:", "--fast", "--seconds", "1", "--model", str(model.path), "--tui"]
    assert main(command) == 2
    assert "--tui needs a terminal" in capsys.readouterr().err
