"""The pages: each in the site's table of contents, each error with its way out, each decision short."""

import inspect
import re
from pathlib import Path

import pytest

from ecg_edge.device.cli.cli_page import cli_page
from ecg_edge.device.cli.main import find_verbs
from ecg_edge.firmware_bridge import errors

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
ERRORS = [name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.EcgEdgeError)]
NAV = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")[1]
EXPLAINED = ("reference/glossary.md", "how-to/read-the-screen.md", "how-to/ward.md")
COMMON = {"ecg-edge", "set", "open", "leave", "light", "none yet", "space", "layout"}
"""Words of a screen that need no explanation."""
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_has_an_entry_with_a_fix(name):
    entries = re.split(r"^### ", (DOCS / "how-to/troubleshooting.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = [e for e in entries if e.startswith(f"{name}\n")]
    assert len(found) == 1 and "**Fix.**" in found[0]


def test_an_entry_is_of_an_error():
    named = re.findall(r"^### (\w+)", (DOCS / "how-to/troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(ERRORS)


@pytest.mark.parametrize("page", sorted((DOCS / "decisions").glob("*.md")), ids=lambda p: p.stem)
def test_a_decision_is_short_and_dated(page):
    text = page.read_text(encoding="utf-8")
    assert len(text.split()) <= 200
    assert re.search(r"^\*20\d\d-\d\d-\d\d\*$", text, re.MULTILINE)
    assert all(f"**{part}.**" in text for part in ("Context", "Decision", "Evidence"))


def test_every_page_is_in_the_table_of_contents():
    assert [p for p in PAGES if f": {p.relative_to(DOCS).as_posix()}" not in NAV] == []


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", ROOT / "CHANGELOG.md", *PAGES], ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_links_lead_to_files(page):
    text = re.sub(r"```.*?```|`[^`\n]+`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [t.partition("#")[0] for t in LINK.findall(text) if "://" not in t and not t.startswith("#")]
    assert [t for t in targets if t and not (page.parent / t).exists()] == []


def test_the_command_line_page_has_every_verb_and_flag():
    page = cli_page()
    assert re.findall(r"^## (\w+)", page, re.MULTILINE) == list(find_verbs())
    for flag in ("`--placement {same,again}`", "`--set KEY=VALUE`", "`SOURCE`", "`--dest", "`--sink NAME[:ARGUMENT]`"):
        assert flag in page, flag


@pytest.mark.parametrize(("form", "asked"), [("bug", "ecg-edge doctor --json"), ("device", "capture")])
def test_an_issue_asks_for_what_is_needed_to_mend_it(form, asked):
    yaml = pytest.importorskip("yaml")
    fields = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{form}.yml").read_text(encoding="utf-8"))["body"]
    needed = [f["attributes"]["label"] for f in fields if f.get("validations", {}).get("required")]
    assert asked in " ".join(needed).lower()


@pytest.mark.parametrize("page", ["monitor/web/index.html", "ward/web/ward.html"])
def test_every_word_on_the_screen_is_explained(page):
    explained = "".join((DOCS / p).read_text(encoding="utf-8") for p in EXPLAINED).lower()
    body = re.sub(
        r"<(script|style|title)\b.*?</\1>", "", (ROOT / "device" / page).read_text(encoding="utf-8"), flags=re.DOTALL
    )
    shown = {" ".join(text.split()).strip(" ,.") for text in re.findall(r">([^<>]+)<", body)}
    labels = {text.lower() for text in shown if len(text.split()) <= 3 and re.search(r"[A-Za-z]{3}", text)}
    assert len(labels) > 5
    assert sorted(x for x in labels - COMMON if x not in explained) == []
