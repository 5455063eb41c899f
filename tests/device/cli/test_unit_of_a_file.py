"""A file that states no unit: every verb takes the unit that its error asks for, and reports what it took."""

import argparse
import re

import pytest

from ecg_edge.device.cli.main import find_verbs, load_verb, main
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from tests.support import stored_files

VERBS = [
    ("measure", []),
    ("report", ["--out", "y.png"]),
    ("convert", ["--out", "y.csv"]),
    ("reconstruct", ["--out", "y.hea"]),
    ("replay", ["--fast", "--json"]),
]


def flags_of(verb):
    parser = argparse.ArgumentParser()
    load_verb(find_verbs()[verb]).configure(parser)
    return {flag for action in parser._actions for flag in action.option_strings}


def told(capsys):
    """What was said, and the flags named in its way out."""
    err = capsys.readouterr().err
    return err, set(re.findall(r"(?<![\\w-])--[a-z][a-z-]*", err.partition("fix: ")[2].partition("\n")[0]))


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Microvolts without a unit."""
    monkeypatch.chdir(tmp_path)
    rows = 1000 * stored_files.twelve(12)
    return str(stored_files.table(tmp_path / "x.csv", rows, heads=["time [s]", *stored_files.TWELVE]))


@pytest.mark.parametrize(("verb", "more"), VERBS, ids=[v for v, _ in VERBS])
def test_the_fix_of_the_error_works(path, capsys, verb, more):
    if verb == "report":
        pytest.importorskip("matplotlib")
    code = main([verb, path, *more])
    err, named = told(capsys)
    if verb != "convert":  # it writes what is no voltage in its own unit
        assert code == 1 and "--unit" in named and named <= flags_of(verb), err
    assert main([verb, path, *more, "--unit", "uV", *(["--force"] if verb == "convert" else [])]) == 0
    assert "no unit: uV as given" in capsys.readouterr().err
    if verb == "convert":
        assert open_recording("y.csv").mv([1]).max() == pytest.approx(stored_files.twelve(12)[:, 1].max(), abs=0.01)


def test_simulate_and_calibrate_take_it_too(path, capsys):
    assert main(["simulate", "--record", path, "--seconds", "1", "--tcp", "127.0.0.1:0"]) == 1
    err, named = told(capsys)
    assert "--unit" in named and named <= flags_of("simulate"), err
    words = ["calibrate", "--model", "i-ii-int8", "--reference", path, "--patient", "p", "--out", "c.json"]
    assert main(words) == 1
    err, named = told(capsys)
    assert "--unit" in named and named <= flags_of("calibrate"), err
    assert main([*words, "--unit", "uV"]) == 0


@pytest.mark.parametrize(
    ("flag", "value", "word"),
    [("--unit", "uV", "unit uV as given not used"), ("--fs", "500", "500 Hz as given not used")],
)
def test_a_unit_or_rate_that_has_no_effect_is_reported(tmp_path, monkeypatch, capsys, flag, value, word):
    monkeypatch.chdir(tmp_path)
    stored_files.wfdb_record(tmp_path, "r", stored_files.twelve(12), leads=stored_files.TWELVE)
    for verb, more in VERBS:
        if verb == "report":
            pytest.importorskip("matplotlib")
        name = "--in-fs" if (verb, flag) == ("reconstruct", "--fs") else flag
        assert main([verb, "r.hea", *more, name, value]) == 0
        assert word in capsys.readouterr().err, verb


def test_a_unit_is_for_recordings(capsys):
    assert main(["run", "synthetic:", "--unit", "uV"]) == 2
    assert "--unit" in capsys.readouterr().err
    assert main(["measure", "nowhere", "--unit", "uV"]) == 1


def test_what_is_no_unit_is_refused(path, capsys):
    for verb, more in VERBS:
        assert main([verb, path, *more, "--unit", "parsec"]) == (2 if verb == "replay" else 1)
        assert "'parsec'" in capsys.readouterr().err, verb


@pytest.mark.parametrize(
    "content",
    [
        "",
        "words\n",
        "I [mV]\n0.1\n0.2\n",
        "time [s],I [mV],I [mV]\n" + "".join(f"{k / 250},0,0\n" for k in range(3000)),
    ],
)
@pytest.mark.parametrize("verb", [v for v, _ in VERBS])
def test_a_fix_names_only_flags_that_the_verb_has(tmp_path, monkeypatch, capsys, verb, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text(content)
    assert main([verb, "x.csv", *dict(VERBS)[verb]]) == 1
    err, named = told(capsys)
    elsewhere = {"--in-fs", "--leads"} if "reconstruct: --in-fs" in err or "run and replay name" in err else set()
    assert named - elsewhere <= flags_of(verb), err
