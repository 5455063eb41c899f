"""A next line works as printed, and does the same to the same input."""

import shlex

import pytest

from ecg_edge.device.cli.main import main


def next_of(capsys):
    line = next(x for x in capsys.readouterr().err.splitlines() if x.startswith("next: "))
    program, *words = shlex.split(line.removeprefix("next: "))
    assert program == "ecg-edge"
    return words


def test_the_line_of_a_run_runs_the_same_again_and_records_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    how = ["--model", "i-int8", "--leads", "I", "--mains", "60"]
    assert main(["run", "synthetic:leads=II", *how, "--seconds", "1", "--fast"]) == 0
    words = next_of(capsys)
    assert all(word in words for word in how)
    assert main([*words, "--seconds", "1", "--fast"]) == 0
    words = next_of(capsys)
    assert words[1].startswith("replay:recordings/") and words[-2:] == ["--model", "i-int8"]
    words.remove("--monitor")
    assert main([*words, "--fast"]) == 0


@pytest.mark.parametrize("verb", ["report", "convert"])
def test_the_lines_of_a_page_and_an_edf_file_lead_to_each_other(verb, tmp_path, monkeypatch, capsys):
    pytest.importorskip("edfio")
    monkeypatch.chdir(tmp_path)
    main(["run", "synthetic:", "--seconds", "3", "--fast", "--out", "a b"])
    record = next_of(capsys)[1].removeprefix("replay:").removesuffix("_measured")
    assert main([verb, record]) == 0
    line = next(x for x in capsys.readouterr().err.splitlines() if x.startswith("next: "))
    words = shlex.split(line[line.index("ecg-edge") :])[1:]
    assert words[1] == record and main(words) == 0
