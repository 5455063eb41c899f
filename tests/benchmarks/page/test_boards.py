"""How to measure a board: its commands are ones that this version understands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomllib

from ecg_edge.benchmarks.page.boards import BOARDS
from ecg_edge.device.cli import main as command

ROOT = Path(__file__).parents[3]
COMMANDS = [
    part.strip().split()[1:]
    for block in re.findall(r"```sh\n(.*?)```", BOARDS, re.DOTALL)
    for line in block.splitlines()
    for part in line.partition("#")[0].split("&&")
    if part.strip().startswith("ecg-edge")
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_of_the_page_is_understood(words: list[str]) -> None:
    assert command._parser(words).parse_args(words).verb.name == words[0]


def test_there_are_commands_to_try() -> None:
    assert {words[0] for words in COMMANDS} == {"doctor", "verify", "bench"}


def test_the_extras_and_files_it_names_are_there() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (named,) = re.findall(r'"\.\[(.*?)\]"', BOARDS)
    assert set(named.split(",")) <= extras.keys()
    (file,) = re.findall(r"-r (\S+)", BOARDS)
    assert (ROOT / file).is_file()
