"""Consistent Overhead Byte Stuffing (Cheshire and Baker, IEEE/ACM Trans. Networking 7(2), 1999).

An encoded frame holds no zero byte, so only a zero ends it. A receiver that lost its place finds it again at the next
zero.
"""

from __future__ import annotations

_RUN = 254  # non-zero bytes one code byte can announce


class CobsError(ValueError):
    """The bytes are no COBS encoding."""


def encoded_size(n: int) -> int:
    """Largest number of bytes `encode` makes of `n` bytes, without the delimiter."""
    return n + n // _RUN + 1


def encode(data: bytes) -> bytes:
    """Return `data` encoded without any zero byte; the delimiter is not appended.

    Parameters
    ----------
    data : bytes
        Any bytes, also none.

    Returns
    -------
    bytes
        At most `encoded_size` of ``len(data)``, never empty.
    """
    out = bytearray()
    groups = data.split(b"\0")
    for group in groups:
        start = 0
        while len(group) - start >= _RUN:
            out.append(_RUN + 1)
            out += group[start : start + _RUN]
            start += _RUN
        out.append(len(group) - start + 1)
        out += group[start:]
    # A full run stands for no zero; at the very end the code byte that would follow it says nothing.
    if len(groups[-1]) and len(groups[-1]) % _RUN == 0:
        out.pop()
    return bytes(out)


def decode(data: bytes) -> bytes:
    """Return what `encode` was given.

    Parameters
    ----------
    data : bytes
        One encoded frame without its delimiter.

    Raises
    ------
    CobsError
        A zero inside, or a code byte that points beyond the end.
    """
    out = bytearray(data)
    size, at, full = len(out), 0, []
    while at < size:
        code = out[at]
        if code == 0:
            break
        out[at] = 0
        at += code
        if code == _RUN + 1:
            full.append(at)
    if at != size or not size or 0 in data:
        raise CobsError("not a COBS frame")
    for position in reversed(full):
        del out[position : position + 1]
    del out[0]
    return bytes(out)
