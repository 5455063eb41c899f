"""Text for people."""

import pytest

from ecg_edge.firmware_bridge.console import at_words


@pytest.mark.parametrize(
    ("text", "width", "want"),
    [
        ("lead II is flat", 15, "lead II is flat"),
        ("lead II is flat", 14, "lead II is…"),
        ("lead II is flat", 12, "lead II is…"),
        ("lead II is flat", 11, "lead II is…"),
        ("lead II is flat", 10, "lead II…"),
        ("unbroken", 4, "…"),
        ("a", 0, ""),
    ],
)
def test_text_is_cut_between_words(text, width, want):
    found = at_words(text, width)
    assert found == want and len(found) <= width
