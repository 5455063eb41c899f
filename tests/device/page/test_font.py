"""The fonts of the page: widths as another reader finds them, and the letters that names are written with."""

import pytest

from ecg_edge.device.page.font import font

WORDS = "RA below the right clavicle, ÄÖÜß Łódź Čapek İstanbul Юлия Ελένη 0.5–40 Hz ± 1 µV ≥ · … ▲ ▼"


@pytest.mark.parametrize("bold", [False, True])
def test_letters_of_europe_have_glyphs(bold):
    assert [c for c in WORDS if c not in font(bold).glyphs] == []
    assert font(bold).of("漢") == [0]


@pytest.mark.parametrize("bold", [False, True])
def test_lengths_are_those_that_matplotlib_finds(bold):
    pytest.importorskip("matplotlib")
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font_of_it = FontProperties(family=["DejaVu Sans"], weight="bold" if bold else "normal", size=100)
    for words in (WORDS, "xyz", "ÄÄ", "…"):
        _, h, d = text_to_path.get_text_width_height_descent(words, font_of_it, ismath=False)
        width, height, depth = font(bold).extent(words, 100)
        one_by_one = sum(text_to_path.get_text_width_height_descent(c * 2, font_of_it, ismath=False)[0] for c in words)
        assert (height, depth) == pytest.approx((h, d), abs=4)
        assert width == pytest.approx(one_by_one / 2, rel=0.05)


def test_nothing_has_no_extent():
    assert font().extent("", 10) == (0, 0, 0)
