"""Sentences that everybody can read: short ones."""

import numpy as np
import pytest

from tests.support.plain_words import MORE, ROOT, docstrings, main, measured, messages, pages, sentences, words


def test_sentences_are_short():
    found = measured(pages())
    lengths = [s.words for s in found]
    assert len(found) > 200
    assert np.mean(lengths) <= 20
    assert np.percentile(lengths, 90) <= 30
    assert [f"{s.page}: {s.text}" for s in found if s.words > 30] == []


def test_sentences_of_all_other_pages_are_short():
    found = measured(pages(MORE))
    assert len(found) > 400
    assert np.percentile([s.words for s in found], 90) <= 25
    assert [f"{s.page}: {s.text}" for s in found if s.words > 30] == []


def test_the_readme_is_short():
    assert words((ROOT / "README.md").read_text(encoding="utf-8")) <= 600


def test_what_counts_as_a_sentence(capsys, tmp_path):
    page = "# A heading\n\nOne two three four five. [Six seven](eight.md) nine `ten` eleven!\n"
    page += "\n```sh\nno words at all here\n```\n"
    assert [s.words for s in sentences(page)] == [5, 5]
    assert sentences("| a b c d e f | g |\n|---|---|\n| no | one two three four five |\n") == []
    assert words("| a b `c` | [d](e.md) |\n|---|---|\n| f | 7 % |\n\n```sh\nnone\n```\n") == 6
    assert [s.words for s in sentences("- one two three four five\n- six seven eight nine ten eleven\n")] == [5, 6]
    (tmp_path / "page.md").write_text(page)
    main([str(tmp_path / "page.md")])
    assert "2 sentences: mean 5.0" in capsys.readouterr().out


def test_docstrings_of_training_export_and_benchmarks_are_short():
    found = measured(sorted(p for folder in ("train", "export", "benchmarks") for p in (ROOT / folder).rglob("*.py")))
    assert len(found) > 1000
    assert np.mean([s.words for s in found]) <= 15
    assert [f"{s.words} {s.page}: {s.text}" for s in found if s.words > 25] == []


@pytest.mark.parametrize("folder", ["device", "firmware_bridge"])
def test_docstrings_of_what_runs_on_the_device_are_short(folder):
    found = measured(sorted((ROOT / folder).rglob("*.py")))
    assert len(found) > 1000
    assert np.mean([s.words for s in found]) <= 15
    assert [f"{s.words} {s.page}: {s.text}" for s in found if s.words > 25] == []


@pytest.mark.parametrize("folder", ["device", "firmware_bridge", "train", "export", "benchmarks"])
def test_messages_are_short(folder):
    texts = [(p, m) for p in (ROOT / folder).rglob("*.py") for m in messages(p.read_text(encoding="utf-8"))]
    found = [s for p, text in texts for s in sentences(text, p.name)]
    assert len(found) > 5
    assert [f"{s.words} {s.page}: {s.text}" for s in found if s.words > 25] == []


def test_what_counts_as_a_message():
    source = 'raise UsageError(f"{x} is no lead", "give one of I, II")\nhint("next: " + x)\nprint("no message")'
    assert messages(source) == ["X is no lead", "give one of I, II", ""]


def test_names_and_headings_of_numpydoc_are_no_words():
    source = '''"""One two three four five."""

def f(a, b):
    """Six seven eight nine ten eleven.

    Parameters
    ----------
    a, b : ndarray of shape (n_samples, n_leads), in mV
        One two three four five six seven.
    """
    return "no words at all here, whatever they say."
'''
    assert [s.words for s in sentences(docstrings(source))] == [5, 6, 7]


def test_examples_tables_and_literal_blocks_of_docstrings_are_no_sentences():
    source = '''"""One two three four five.

====== =====
offset one two three four five six
====== =====

Seven eight nine ten eleven twelve thirteen::

    no words at all here, whatever

>>> print("no words at all here, whatever")
no words at all here, whatever

One two three four five six.
"""
'''
    assert [s.words for s in sentences(docstrings(source))] == [5, 7, 6]
