"""From bytes cut anywhere to frames whose stuffing and CRC are right."""

from __future__ import annotations

from ecg_edge.firmware_bridge.ecglink.cobs import encoded_size
from ecg_edge.firmware_bridge.ecglink.frames import unseal


class FrameSplitter:
    """Find frames in a stream; never holds more than one frame's bytes.

    Parameters
    ----------
    max_frame : int
        Most bytes of a frame before stuffing. Longer runs without a zero are noise
        and are counted, not kept.

    Attributes
    ----------
    bad_frames : int
        Runs between two zeros that were no frame, after the first good one. Before it the reader joined in the middle,
        or a boot loader spoke.
    skipped_bytes : int
        Bytes that belong to no good frame, delimiters not counted.
    """

    def __init__(self, max_frame: int) -> None:
        self._limit = encoded_size(max_frame)
        self._rest = b""
        self._overlong = False
        self._seen_good = False
        self.bad_frames = 0
        self.skipped_bytes = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the bodies of the good frames that `data` completes, CRC removed."""
        parts = (self._rest + data).split(b"\0")
        self._rest = parts.pop()
        bodies = [body for part in parts if (body := self._open(part)) is not None]
        if len(self._rest) > self._limit:
            self.skipped_bytes += len(self._rest)
            self._rest, self._overlong = b"", True
        return bodies

    def close(self) -> None:
        """End of stream: what is left over is no frame."""
        self.skipped_bytes += len(self._rest)
        self._rest, self._overlong = b"", False

    def refuse(self, body: bytes) -> None:
        """Count a frame that was whole but made no sense to the caller."""
        self.bad_frames += 1
        self.skipped_bytes += encoded_size(len(body) + 2)

    @property
    def pending(self) -> int:
        """Bytes held until the next zero."""
        return len(self._rest)

    def _open(self, part: bytes) -> bytes | None:
        overlong, self._overlong = self._overlong or len(part) > self._limit, False
        if not part and not overlong:
            return None
        body = None if overlong else unseal(part)
        if body is None:
            self.skipped_bytes += len(part)
            self.bad_frames += self._seen_good
            return None
        self._seen_good = True
        return body
