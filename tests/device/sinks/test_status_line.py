import io
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from ecg_edge.device.lead_block import Note
from ecg_edge.device.sinks.sink import RunHeader, Status
from ecg_edge.device.sinks.status_line import StatusLine, status_text
from tests.support import fakes

STATUS = Status(12.2, 3050, 1220, 7, 249.96, 1.25, 6.789, 61.6, ("LA", "V1"), 3, True, 88)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(out, model):
    line = StatusLine(out)
    line.open(RunHeader(fakes.info(), "x:", model.spec, "m.onnx", "0", (), datetime.now(timezone.utc)))
    line.status(STATUS)
    line.note(Note("gap", 5, 9, "four lost"))
    line.note(Note("gap", 6, 9, "said already"))
    line.note(Note("held", 7, 8, "not worth a line"))
    line.status(STATUS)
    line.native(None)
    line.leads(None)
    line.close()
    return out.getvalue()


def test_a_line_holds_all_figures():
    assert status_text(STATUS) == (
        "12 s  250.0 Hz  lost 7  latency 1.2/6.8 ms  heart 62/min  off: LA V1  dropped 3  battery 88 %"
    )
    calm = replace(STATUS, heart_rate_bpm=None, lead_off=(), dropped_blocks=0, battery_percent=None, connected=False)
    assert status_text(calm) == "12 s  disconnected  lost 7  latency 1.2/6.8 ms  heart --/min"


def test_a_log_gets_plain_lines(model):
    text = shown(io.StringIO(), model)
    assert "\x1b" not in text and "\r" not in text
    assert text.count("heart 62/min\n") == 0 and text.count("battery 88 %\n") == 2
    assert "said already" not in text and "held" not in text
    assert "gap at sample 5: four lost\n" in text and "not for diagnosis" in text


def test_a_terminal_is_redrawn_and_left_clean(model):
    text = shown(Terminal(), model)
    assert text.count("\r12 s") == 2 and "\r\x1b[Kgap at sample 5" in text and text.endswith("\n")


def test_it_writes_to_stderr_by_default(model, capsys):
    StatusLine().status(STATUS)
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1


@pytest.mark.parametrize("text", ["a\nb", "x"])
def test_notes_stay_one_line(text, model):
    out = io.StringIO()
    StatusLine(out).note(Note("gap", 0, 1, text))
    assert out.getvalue().count("\n") == 1
