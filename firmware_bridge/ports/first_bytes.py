"""What the first bytes of an unknown stream look like, for messages."""

from __future__ import annotations

_LOOKED_AT = 64


def is_text(data: bytes) -> bool:
    """Whether bytes are text, as far as their beginning shows."""
    head = data[:_LOOKED_AT]
    readable = sum(byte in b"\t\r\n\x1b" or 32 <= byte < 127 for byte in head)
    return bool(head) and readable >= 0.9 * len(head)


def is_wide_text(data: bytes) -> bool:
    """Whether every other byte is NUL and the rest is text: UTF-16."""
    head = data[: 2 * _LOOKED_AT]
    pairs = (head[::2], head[1::2])
    return len(head) > 8 and any(not any(a) and is_text(b) for a, b in (pairs, pairs[::-1]))


def shown(data: bytes) -> str:
    """The beginning of a stream in words: text as text, all else in hex."""
    if is_wide_text(data):
        return "UTF-16 text"
    if is_text(data):
        return f"text, beginning {data[:48].decode('ascii', 'replace')!r}"
    return f"beginning {data[:16].hex(' ')}"


def advice(data: bytes) -> str:
    """What to try with such bytes."""
    head = data[:_LOOKED_AT]
    if len(set(head)) == 1 and len(head) > 4:
        return "one and the same byte over and over is an idle or wrongly clocked line: check the baud rate"
    if is_wide_text(data):
        return "it is text in UTF-16: send ASCII or UTF-8"
    if is_text(data):
        text = head.decode("ascii", "replace")
        return f"it is text, {text!r}: a start-up message, or a format of its own; --as auto listens for known ones"
    return "it is binary: check the baud rate (wrong ones look like this), or listen for known devices: --as auto"
