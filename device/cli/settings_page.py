"""The page docs/settings.md, made from the settings: ``python -m ecg_edge.device.cli.settings_page`` writes it."""

from __future__ import annotations

import sys
import textwrap
from typing import Any

from ecg_edge.device.live import config_file
from ecg_edge.device.live.options import SWITCH, Setting, settings

_HEAD = """\
# Settings of a run

*Made by `python -m ecg_edge.device.cli.settings_page` from `device/live/options.py`; a test keeps the two equal.*

`ecg-edge run` takes each setting as a flag. `ecg-edge run --config FILE` takes them from a TOML file, for one or
more patches. A setting in `[defaults]` holds for every patch that does not set it itself.

```toml
"""
_TABLE = """\
```

| file | flag | values | default | extra | |
|---|---|---|---|---|---|
"""


def settings_page() -> str:
    """Return the page in Markdown."""
    rows = "".join(_row(about, default) for _, about, default in settings())
    return _HEAD + example() + _TABLE + rows


def example() -> str:
    """Return the example of a TOML file, from the description of the module that reads it."""
    return textwrap.dedent((config_file.__doc__ or "").split("::\n\n")[1]).rstrip() + "\n"


def _row(about: Setting, default: Any) -> str:
    flag = about.flag if about.flag.startswith("-") else about.metavar or ""
    values = ", ".join(f"`{c}`" for c in about.choices) or about.kind.words
    usual = ("on" if default else "off") if about.kind is SWITCH else _code(str(default) if default else "")
    text = about.help % {"default": default}
    cells = (_code(about.key), _code(flag), values, usual, ", ".join(map(_code, about.extras)), text)
    return f"| {' | '.join(cells)} |\n"


def _code(word: str) -> str:
    return f"`{word}`" if word else ""


if __name__ == "__main__":
    sys.stdout.write(settings_page())
