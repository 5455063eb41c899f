"""What every decoder must do, as plain functions that raise AssertionError: for decoders of ours and of others.

::

    from ecg_edge.firmware_bridge.conformance import Specimen, check_decoder

    def test_it():
        frames = [frame(k, k, -k) for k in range(60)]
        check_decoder(Specimen(device.decoder, frames, [[[k, -k]] for k in range(60)], counted=True))
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.decoder import Decoder
from ecg_edge.firmware_bridge.errors import NotAnEcgStreamError
from ecg_edge.firmware_bridge.events import Event, Gap, SampleBlock
from ecg_edge.firmware_bridge.ports.capture_file import Decoded, decode_bytes

FRAMES = 60
"""Frames of a specimen."""
FIRST_XOR, LAST_XOR = 0x40, 0x80
"""How the first and last byte of a frame are damaged."""
GARBAGE = b"\x88\xc4\x0a\xbb\xc7\xa5\x8b"
_LOST = ((10, 11), (15, 18), (22, 23), (27, 28), (42, 43), (45, 49))
_TWICE = 37
_GREETING = b"hello\r\n"
_MOST_BUFFERED = 1 << 18


@dataclass(frozen=True)
class Specimen:
    """Frames of a device, and the counts each of them carries.

    Attributes
    ----------
    make : callable
        Makes a fresh decoder.
    frames : sequence of bytes
        `FRAMES` consecutive ones; every channel busy, no counts twice.
    counts : sequence of array_like of shape (n_samples, n_channels)
        Of each frame.
    counted : bool
        Whether the format shows which frames are missing: a counter or a time.
    """

    make: Callable[[], Decoder]
    frames: Sequence[bytes]
    counts: Sequence[npt.ArrayLike]
    counted: bool

    def __post_init__(self) -> None:
        assert len(self.frames) == len(self.counts) == FRAMES, f"a specimen has {FRAMES} frames"

    @property
    def clean(self) -> bytes:
        """All frames, one after another."""
        return b"".join(self.frames)

    def rows(self, frames: Iterable[int]) -> npt.NDArray[np.int64]:
        """Counts of some frames, shape (n, n_channels)."""
        return np.concatenate([np.atleast_2d(np.asarray(self.counts[k], np.int64)) for k in frames])

    @property
    def per_frame(self) -> int:
        """Samples in a frame."""
        return len(self.rows([0]))


Summary = tuple[list[int], list[list[int]], list[list[bool]], list[tuple[int, int, bool]], dict[str, Any]]


def summary(decoder: Decoder, events: list[Event]) -> Summary:
    """Concatenate what a decoder gave, to compare it: index, counts, valid, gaps, tally."""
    blocks = [e for e in events if isinstance(e, SampleBlock)]
    return (
        [int(i) for b in blocks for i in range(b.index, b.index + len(b))],
        [row for b in blocks for row in b.counts.tolist()],
        [row for b in blocks for row in b.valid.tolist()],
        [(g.start, g.stop, g.known) for g in events if isinstance(g, Gap)],
        asdict(decoder.tally),
    )


def as_summary(decoded: Decoded) -> Summary:
    """The same of a `Decoded`."""
    gaps = [(g.start, g.stop, g.known) for g in decoded.gaps]
    return decoded.index.tolist(), decoded.counts.tolist(), decoded.valid.tolist(), gaps, asdict(decoded.tally)


def decode_in_pieces(decoder: Decoder, data: bytes, cuts: Iterable[int]) -> Summary:
    """Decode `data`, cut at the given positions."""
    events: list[Event] = []
    start = 0
    for stop in [*cuts, len(data)]:
        events += decoder.feed(data[start:stop])
        start = stop
    return summary(decoder, events + decoder.close())


def injured(specimen: Specimen, garbage: bytes = GARBAGE) -> tuple[bytes, list[int], list[int]]:
    """Injure a stream in every way; return the bytes, the frames that survive and those that are there twice.

    Frame 10 loses a byte; 15 to 17 and 45 to 48 are missing; garbage lies before 32. Frame 22 has a wrong first byte
    and 27 a wrong last byte. Frame 37 is there twice, and 42 keeps only its first and last byte.
    """
    frames = list(specimen.frames)
    half = len(frames[10]) // 2
    frames[10] = frames[10][:half] + frames[10][half + 1 :]
    frames[22] = bytes([frames[22][0] ^ FIRST_XOR]) + frames[22][1:]
    frames[27] = frames[27][:-1] + bytes([frames[27][-1] ^ LAST_XOR])
    frames[32] = garbage + frames[32]
    frames[_TWICE] *= 2
    frames[42] = frames[42][:1] + frames[42][-1:]
    missing = {15, 16, 17, 45, 46, 47, 48}
    data = b"".join(f for k, f in enumerate(frames) if k not in missing)
    return data, [k for k in range(FRAMES) if k not in missing | {10, 22, 27, 42}], [_TWICE]


def check_decoder(specimen: Specimen, seed: int = 0) -> None:
    """Run every check below; `seed` draws cuts and garbage."""
    check_clean(specimen)
    check_injuries(specimen)
    check_start_within_a_frame(specimen)
    rng = random.Random(seed)
    for _ in range(8):
        data = injured(specimen, rng.randbytes(rng.randrange(12)))[0]
        check_cuts(specimen.make, data, sorted(rng.choices(range(len(data)), k=40)))
    check_cuts(specimen.make, injured(specimen)[0], range(1, len(injured(specimen)[0])))
    check_garbage(specimen.make, [f[: rng.randrange(len(f))] for f in specimen.frames], seed)
    check_false_beginnings(specimen.make, specimen.frames[0][:2])


def check_clean(specimen: Specimen) -> None:
    """A stream without injuries is decoded exactly, and a greeting before it is skipped."""
    got = _decoded(specimen.make(), _GREETING + specimen.clean)
    rows = specimen.rows(range(FRAMES))
    assert np.array_equal(got.counts, rows), "clean: other counts than were sent"
    assert np.array_equal(got.index, np.arange(len(rows))), "clean: the sample axis is broken"
    told = (got.tally.samples, got.tally.lost, got.tally.duplicates, got.tally.bad_frames, got.tally.skipped_bytes)
    assert told == (len(rows), 0, 0, 0, len(_GREETING)), f"clean: wrong tally {told}"
    assert got.tally.loss_known == specimen.counted, "clean: loss_known contradicts the format"


def check_injuries(specimen: Specimen) -> None:
    """Of an injured stream every whole frame is kept; a format with a counter names what is lost."""
    data, survivors, twice = injured(specimen)
    got = _decoded(specimen.make(), data)
    if not specimen.counted:
        assert np.array_equal(got.counts, specimen.rows(sorted(survivors + twice))), "injuries: wrong survivors"
        assert not got.tally.loss_known, "injuries: a format without counter cannot know its loss"
        return
    per = specimen.per_frame
    assert np.array_equal(got.counts, specimen.rows(survivors)), "injuries: wrong survivors"
    assert got.index.tolist() == [k * per + i for k in survivors for i in range(per)], "injuries: wrong places"
    assert got.tally.lost_ranges == [(a * per, b * per) for a, b in _LOST], f"injuries: {got.tally.lost_ranges} lost"
    assert (got.tally.duplicates, got.tally.loss_known) == (per, True), "injuries: wrong tally"


def check_start_within_a_frame(specimen: Specimen) -> None:
    """A stream that begins within a frame loses that frame alone."""
    got = _decoded(specimen.make(), specimen.clean[len(specimen.frames[0]) // 2 :])
    assert np.array_equal(got.counts, specimen.rows(range(1, FRAMES))), "start: wrong survivors"
    assert got.index[0] == 0, "start: the sample axis does not begin at 0"


def check_cuts(make: Callable[[], Decoder], data: bytes, cuts: Iterable[int]) -> None:
    """How a stream is cut changes nothing."""
    whole = as_summary(_decoded(make(), data))
    assert decode_in_pieces(make(), data, cuts) == whole, "cuts: the cutting shows in the result"


def check_garbage(make: Callable[[], Decoder], beginnings: Sequence[bytes], seed: int, pieces: int = 30) -> None:
    """Garbage, with true beginnings of frames between, raises nothing and fills no memory."""
    rng, decoder = random.Random(seed), make()
    for _ in range(pieces):
        decoder.feed(rng.randbytes(rng.randrange(400)))
        if beginnings:
            decoder.feed(rng.choice(beginnings))
        assert _buffered(decoder) < _MOST_BUFFERED // 2, "garbage: the buffer grows"
    decoder.close()
    assert _buffered(decoder) == 0, "garbage: close() leaves bytes behind"


def check_false_beginnings(make: Callable[[], Decoder], filler: bytes) -> None:
    """An endless repetition of what looks like a beginning fills no memory."""
    decoder = make()
    for _ in range(8):
        decoder.feed(filler * 8000)
        assert _buffered(decoder) < _MOST_BUFFERED, "false beginnings: the buffer grows"


def _decoded(decoder: Decoder, data: bytes) -> Decoded:
    try:
        return decode_bytes(decoder, data)
    except NotAnEcgStreamError as e:
        raise AssertionError(f"nothing is decoded: {e.message}") from e


def _buffered(decoder: Decoder) -> int:
    """Bytes a decoder holds, where it says so."""
    return int(getattr(decoder, "buffered", 0))
