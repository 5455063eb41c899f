"""The verb ``gateway``: what it cannot do is refused before it speaks to anybody, for people and for programs."""

import json

import pytest

from ecg_edge.device.cli.main import main


@pytest.mark.parametrize(
    ("words", "why", "fix"),
    [
        (["remove"], "gateway remove needs a name", "gateway status"),
        (["status", "bed1"], "gateway status takes no more words", "gateway -h"),
        (["remove", "bed1", "model=i-ii-int8"], "gateway remove takes no more words", "gateway -h"),
    ],
)
def test_words_too_few_or_too_many(words, why, fix, tmp_path, capsys):
    socket = tmp_path / "s"
    socket.touch()
    assert main(["gateway", *words, "--socket", str(socket)]) != 0
    said = capsys.readouterr().err
    assert why in said and fix in said


def test_where_no_gateway_is_a_program_gets_a_document(tmp_path, capsys):
    assert main(["gateway", "status", "--socket", str(tmp_path / "none"), "--json"]) != 0
    doc = json.loads(capsys.readouterr().out)
    assert doc["error"] and doc["fix"] and doc["exit"]
