"""Words of the command line that argparse misreads, or that are empty."""

import json

import pytest

from ecg_edge.device.cli.main import joined_leads, main


@pytest.mark.parametrize("flag", ["--out", "--leads", "--patient", "--model"])
@pytest.mark.parametrize("form", ["two words", "one"])
def test_an_empty_value_is_refused(flag, form, capsys):
    words = [flag, ""] if form == "two words" else [f"{flag}="]
    assert main(["run", "synthetic:", "--seconds", "1", "--fast", "--json", *words]) == 2
    seen = capsys.readouterr()
    assert json.loads(seen.out)["error"] == f"{flag} is empty" and "Traceback" not in seen.err


def test_leads_that_begin_with_a_skip_are_read_as_printed():
    assert joined_leads(["run", "p", "--leads", "-,I"]) == ["run", "p", "--leads=-,I"]
    assert joined_leads(["run", "--leads", "I,-", "-h"]) == ["run", "--leads", "I,-", "-h"]


def test_a_skipped_channel_runs(capsys):
    assert main(["run", "synthetic:leads=I,II", "--leads", "-,II", "--seconds", "2", "--fast", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["channels"] == ["II"]


@pytest.mark.parametrize("text", ["[[patch]]\nsource = 5\n", "no toml", None])
def test_an_error_of_a_file_is_a_document_too(tmp_path, text, capsys):
    file = tmp_path / "c.toml"
    if text is not None:
        file.write_text(text)
    status = main(["run", "--config", str(file), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert status == found["exit"] != 0 and found["error"] and found["fix"]
