"""A setting is written once: what the command line, a file and a program give are the same options."""

import argparse
import subprocess
import sys

import pytest

from ecg_edge.device.live.config_file import read_config
from ecg_edge.device.live.options import LABEL, NAMES, SCALES, SWITCH, Options, add_settings, settings
from ecg_edge.device.sources.rescaled import Scale
from ecg_edge.firmware_bridge.extras import EXTRAS


def parsed(*words):
    parser = argparse.ArgumentParser()
    add_settings(parser)
    return Options(**vars(parser.parse_args(words)))


def configured(tmp_path, text):
    path = tmp_path / "one.toml"
    path.write_text(f"[[patch]]\n{text}\n")
    (options,) = read_config(path)
    return options


def test_no_flag_and_no_key_is_used_twice():
    every = [about for _, about, _ in settings()]
    for used in ([a.flag for a in every if a.flag], [a.key for a in every if a.key]):
        assert len(used) == len(set(used))
    assert all(a.flag or a.key for a in every), "a setting that nobody can set"
    assert all(a.help for a in every)


def test_a_run_without_flags_has_the_defaults():
    assert parsed() == Options()


def test_every_extra_exists():
    assert {x for _, about, _ in settings() for x in about.extras} <= {x.name for x in EXTRAS}


@pytest.mark.parametrize("field", [name for name, about, _ in settings() if about.flag and about.key])
def test_the_command_line_and_a_file_say_the_same(field, tmp_path):
    about, default = next((a, d) for name, a, d in settings() if name == field)
    word = about.choices[0] if about.choices else "75"
    if about.kind is SWITCH:
        flag, text = [about.flag], "false" if default else "true"
    elif not about.flag.startswith("-"):
        flag, text = [word], f"'{word}'"
    else:
        flag = [about.flag, word]
        text = f"['{word}']" if list in about.kind.types else word if int in about.kind.types else f"'{word}'"
    source = "" if field == "source" else "source = 'x'\n"
    there = configured(tmp_path, f"{source}name = ''\n{about.key} = {text}")
    here = parsed(*([] if field == "source" else ["x"]), *flag, *([f"--{about.implies}"] if about.implies else []))
    assert there == here
    assert getattr(here, field) != default or field == "source" or word == default


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (SWITCH, [True, False], [1, "yes"]),
        (NAMES, [[], ["I", "II"]], ["I,II", [1]]),
        (LABEL, ["bed", 7], [["bed"], True]),
        (SCALES, [{}, {"ch1": {"uv_per_count": 2}}, {"1": {"uv_per_count": 2.4, "zero": 7}}],
         [[], {"ch1": 2}, {"ch1": {"zero": 1}}, {"ch1": {"uv_per_count": 0}}, {"ch1": {"uv_per_count": 1, "x": 1}}]),
    ],
)  # fmt: skip
def test_a_kind_knows_its_values(kind, good, bad):
    assert all(map(kind.accepts, good))
    assert not any(map(kind.accepts, bad))


def test_scales_are_read_by_channel(tmp_path):
    options = configured(tmp_path, "source = 'x'\nscale.1 = { uv_per_count = 2 }")
    assert options.scales == {"1": Scale(2.0, 0.0)} and options.name == "patch 1"


def test_the_help_of_a_run_loads_no_numpy():
    code = "import sys; import ecg_edge.device.cli.verbs; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_settings_have_names_only():
    with pytest.raises(TypeError):
        Options("synthetic:")
