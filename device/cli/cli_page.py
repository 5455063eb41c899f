"""The page of the command line, made from the verbs: ``python -m ecg_edge.device.cli.cli_page`` prints it."""

from __future__ import annotations

import argparse
import sys

from ecg_edge.device.cli.main import find_verbs, load_verb

_HEAD = """\
# Command line

*Made from the verbs by `python -m ecg_edge.device.cli.cli_page`.* `ecg-edge VERB -h` prints the same.

Exit status: 0 done, 1 error, 2 wrong argument, 3 a budget is broken, 4 the device was lost, 130 Ctrl-C.
"""


def cli_page() -> str:
    """Return the page in Markdown: a section for each verb, a row for each argument."""
    out = [_HEAD]
    for name, entry in find_verbs().items():
        verb = load_verb(entry)
        parser = argparse.ArgumentParser(prog=f"ecg-edge {name}")
        verb.configure(parser)
        out.append(f"\n## {name}\n\n{_sentence(verb.help)}\n\n{_table(parser)}")
    return "".join(out)


def _table(parser: argparse.ArgumentParser) -> str:
    return "| argument | |\n|---|---|\n" + "".join(_rows(parser))


def _rows(parser: argparse.ArgumentParser) -> list[str]:
    rows: list[str] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, about in zip(action.choices, action._choices_actions, strict=True):
                rows += [_row(f"**{name}**", about.help or ""), *_rows(action.choices[name])]
        elif action.dest != "help":
            rows.append(_row(f"`{_flag(action)}`", _help(action)))
    return rows


def _flag(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else None
    value = metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper())
    if not action.option_strings:
        return value
    flag = ", ".join(action.option_strings)
    return flag if action.nargs == 0 else f"{flag} {value}"


def _help(action: argparse.Action) -> str:
    return (action.help or "") % {"default": action.default, "prog": "ecg-edge"}


def _row(argument: str, text: str) -> str:
    return f"| {argument.replace('|', chr(92) + '|')} | {' '.join(text.replace('|', chr(92) + '|').split())} |\n"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


if __name__ == "__main__":
    sys.stdout.write(cli_page())
