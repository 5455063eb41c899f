"""What a reader copies runs: every block of the README, the tutorials and the how-tos."""

import argparse
import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ecg_edge.device.cli.main import find_verbs, load_verb
from tests.support.page_blocks import blocks_of, script_of
from tests.support.ptbxl_folder import write_folder

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs/tutorials").glob("*.md")),
    *sorted((ROOT / "docs/how-to").glob("*.md")),
]
RUN = [p for p in PAGES if any(b.code for b in blocks_of(p)) and p.name != "add-a-decoder.md"]
"""The decoder's page has a test of its own."""
COMMAND = "import sys; from ecg_edge.device.cli.main import main; sys.argv[0] = 'ecg-edge'; sys.exit(main())"


def programs(folder):
    """Put the commands of a reader's environment into a folder: `ecg-edge` and `python` of this interpreter."""
    folder.mkdir()
    for name, call in (("ecg-edge", f"-c {shlex.quote(COMMAND)}"), ("python", "")):
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {call} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize("page", RUN, ids=lambda p: p.stem)
def test_the_blocks_of_a_page_run(page, tmp_path):
    if page.stem == "4-train":
        pytest.importorskip("torch"), pytest.importorskip("onnx")
        (tmp_path / "ptb-xl").mkdir()
        write_folder(tmp_path / "ptb-xl", {1: 24, 2: 8, 9: 8, 10: 6})
    env = os.environ | {
        "PATH": f"{programs(tmp_path / 'bin')}:{os.environ['PATH']}",
        "ECG_EDGE_CACHE": str(tmp_path / "cache"),
    }
    said = tmp_path / "said"
    with said.open("w") as out, subprocess.Popen(
        ["bash", "-c", script_of(blocks_of(page))], cwd=tmp_path, env=env, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
    ) as child:  # fmt: skip
        try:
            status = child.wait(300)
        finally:
            _end_group(child.pid)
    assert status == 0, said.read_text()[-3000:]


def _end_group(leader):
    """End what the blocks started in the background."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGTERM)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_every_command_is_one_with_flags_that_it_has(page):
    """Also of the blocks that need hardware."""
    known = find_verbs()
    for block in blocks_of(page):
        assert block.code or block.reason
        for line in block.shown.splitlines() if block.kind == "sh" else ():
            for verb, rest in re.findall(r"\becg-edge ([a-z]+)([^|&;#]*)", line):
                assert verb in known, line
                assert [
                    f
                    for f in re.findall(r"(?<![\w-])(--[a-z][a-z0-9-]*)", rest.partition(" -- ")[0])
                    if f not in flags(verb)
                ] == []


def flags(verb):
    """Every flag in the help of a verb."""
    parser = argparse.ArgumentParser()
    load_verb(find_verbs()[verb]).configure(parser)
    subs = [p for a in parser._actions if isinstance(a, argparse._SubParsersAction) for p in a.choices.values()]
    return {flag for p in (parser, *subs) for action in p._actions for flag in action.option_strings}
