"""Pages of the site that lie elsewhere in the repository or are made from the code, for mkdocs.

Links that leave ``docs/`` work where the Markdown is read in the repository. On the site they lead to the copy of
that page, or become plain text where a file is no page.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from ecg_edge.device.cli.cli_page import cli_page

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {
    "firmware_bridge/PROTOCOL.md": "reference/protocol.md",
    "firmware_bridge/c/README.md": "reference/ecglink-c.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    **{f"device/models/{p.name}": f"reference/models/{p.name}" for p in (ROOT / "device/models").glob("*.md")},
}
"""File of the repository to page of the site."""
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that do not lie in ``docs/``."""
    for source, page in ELSEWHERE.items():
        if (ROOT / source).is_file():
            files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, "reference/cli.md", content=cli_page()))
    files.append(File.generated(config, "reference/api.md", content=api_page()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links to files of the repository to their pages."""
    here = page.file.src_uri
    at = next((source for source, target in ELSEWHERE.items() if target == here), f"docs/{here}")
    return _LINK.sub(lambda link: site_link(link[1], link[2], at, here), markdown)


def site_link(text: str, target: str, source: str, page: str) -> str:
    """Return a link of the file `source` as it must be on the site's page `page`."""
    path, _, anchor = target.partition("#")
    if not path or ":" in path:
        return f"[{text}]({target})"
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if wanted.startswith("docs/") and wanted.endswith((".md", ".png", ".svg")):
        found = wanted.removeprefix("docs/")
    elif wanted in ELSEWHERE and (ROOT / wanted).is_file():
        found = ELSEWHERE[wanted]
    else:
        return f"{text} (`{wanted}`)" if wanted not in text else text
    start = posixpath.dirname(page)
    return f"[{text}]({posixpath.relpath(found, start or '.')}{'#' + anchor if anchor else ''})"


def api_page() -> str:
    """Return a page with every public name, in the order of ``docs/python.md``."""
    out = ["# Python, every name\n\nMade from the docstrings of `ecg_edge`. By task: [Python](../python.md).\n"]
    for line in (ROOT / "docs/python.md").read_text(encoding="utf-8").split("## What is checked")[0].splitlines():
        if head := re.fullmatch(r"\| ([A-Z][\w ]+) \| \|", line):
            out.append(f"\n## {head[1]}\n")
        elif line.startswith("| `"):
            out += [f"\n::: ecg_edge.{name}\n" for name in re.findall(r"`([A-Za-z_]+)`", line.split("|")[1])]
    return "".join(out)
