"""Every number on the command line has a range: what is none, or outside, ends in one sentence that names both."""

import argparse

import pytest

from ecg_edge.device.cli.main import find_verbs, load_verb, main
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError
from ecg_edge.firmware_bridge.flags.numbers import Number
from tests.support import stored_files

WRONG = ("nan", "inf", "-1", "1e300")


def actions(parser):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from actions(sub)
        elif action.option_strings:
            yield action


def flags():
    for name, entry in find_verbs().items():
        try:
            verb = load_verb(entry)
        except EcgEdgeError:  # of another package, or without its extra
            continue
        parser = argparse.ArgumentParser()
        verb.configure(parser)
        yield from ((name, action) for action in actions(parser))


FLAGS = list(flags())
NUMBERS = [(verb, a.option_strings[0], a.type) for verb, a in FLAGS if isinstance(a.type, Number)]


def test_no_number_is_without_a_range():
    assert len(NUMBERS) > 40
    assert [(verb, a.option_strings) for verb, a in FLAGS if a.type in (int, float)] == []


@pytest.mark.parametrize(("verb", "flag", "number"), NUMBERS, ids=[f"{v} {f}" for v, f, _ in NUMBERS])
def test_what_is_no_number_in_the_range_is_refused(verb, flag, number):
    assert number.flag == flag
    for text in (*WRONG, "x", ""):
        with pytest.raises(UsageError, match=rf"{flag} .*is no .*number from {number.low:g} to") as e:
            number(text)
        assert flag in e.value.fix
    assert number(str(number.low)) == number.low


TEXTS = [
    *("measure r --fs", "report r --fs", "convert r --fs", "send r http://127.0.0.1:1/ --fs", "replay r --fs"),
    *("reconstruct r.hea --out o.csv --fs", "reconstruct r.hea --out o.csv --in-fs"),
    "calibrate --model i-ii-int8 --reference r --patient p --out c.json --fs",
    *("run synthetic: --seconds 1 --fast --metrics", "run synthetic: --seconds 1 --fast --out o --rotate"),
    *("simulate --tcp 127.0.0.1:0 --seconds 1 --fs", "decode b.bin --as cyton --fs"),
    *("measure r --at", "report r --at"),
]


@pytest.mark.parametrize("words", TEXTS)
def test_a_rate_or_a_second_that_is_none_ends_in_one_sentence(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    stored_files.wfdb_record(tmp_path, "r", stored_files.twelve(12), leads=stored_files.TWELVE)
    (tmp_path / "b.bin").write_bytes(bytes(1000))
    flag = words.split()[-1]
    for text in WRONG:
        assert main([*words.split(), text]) == 2
        err = capsys.readouterr().err
        assert flag.lstrip("-") in err and "fix: " in err and "Traceback" not in err
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["b.bin", "r.dat", "r.hea"]
