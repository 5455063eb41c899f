"""A mistyped name is answered with names like it."""

from ecg_edge.firmware_bridge.near_names import near_names

KNOWN = ("bitalino", "cyton", "shimmer3", "shimmer2", "shimmer1", "shimmer")


def test_three_names_like_it_at_the_most() -> None:
    assert near_names("bitalin", KNOWN, KNOWN) == ["bitalino"]
    assert len(near_names("shimer", KNOWN, KNOWN)) == 3


def test_where_none_is_near_the_others_are_offered() -> None:
    assert near_names("zzz", KNOWN, ("ecglink", "cyton")) == ["ecglink", "cyton"]
