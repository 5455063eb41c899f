"""Boards through BrainFlow's own library (extra `brainflow`), with a check of the packet counter on top.

BrainFlow returns what arrived and does not report what was lost. Here a jump of the counter becomes a gap of known
length, and a repeated packet is dropped. The tally counts both.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Protocol
from urllib.parse import parse_qs

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.errors import (
    NOT_LOADABLE,
    DeviceLostError,
    EcgEdgeError,
    MissingExtraError,
    PortNotFoundError,
    UsageError,
)
from ecg_edge.firmware_bridge.events import Channel, Event, Gap, ReaderEvent, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.lead_names import parse_channels
from ecg_edge.firmware_bridge.ports.used_up import used_up
from ecg_edge.firmware_bridge.tally import Tally

MODULUS = 256
"""Of the packet counters of the boards BrainFlow reads over serial and Bluetooth."""
_LSB_MV = 1e-5
"""BrainFlow gives microvolts as doubles; a hundredth of one is finer than any of its boards."""
_POLL_S = 0.02
_SILENT_S = 5.0
_PARAMETERS = ("serial_port", "mac_address", "ip_address", "ip_port", "serial_number", "timeout", "file")


@dataclass(frozen=True)
class Described:
    """What BrainFlow says of a board: rows of its table, and its rate in Hz."""

    name: str
    fs: int
    counter: int
    channels: tuple[int, ...]


class Board(Protocol):
    """The part of BrainFlow's ``BoardShim`` that is used here."""

    def prepare_session(self) -> None:
        """Open it."""
        ...

    def start_stream(self) -> None:
        """Begin."""
        ...

    def get_board_data(self) -> npt.NDArray[np.float64]:
        """Everything that has come since, shape (n_rows, n_samples)."""
        ...

    def stop_stream(self) -> None:
        """End."""
        ...

    def release_session(self) -> None:
        """Close it."""
        ...


def open_board(text: str) -> tuple[Board, Described, tuple[str, ...]]:
    """Make a board from ``synthetic`` or ``cyton?serial_port=/dev/ttyUSB0&leads=I,II``.

    Returns
    -------
    board : Board
        Not yet prepared.
    described : Described
    leads : tuple of str
        Names given for its first channels; may be empty.

    Raises
    ------
    MissingExtraError
        BrainFlow is not installed.
    UsageError
        It has no such board, or the parameters make no sense.
    """
    name, _, query = text.partition("?")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own dependencies: nothing a user can act on
            from brainflow.board_shim import BoardIds, BoardShim, BrainFlowInputParams

            BoardShim.disable_board_logger()
    except NOT_LOADABLE as e:
        raise MissingExtraError("brainflow", "brainflow") from e
    wanted = name.upper().removesuffix("_BOARD") + "_BOARD"
    ids: dict[str, Any] = {b.name: b for b in BoardIds}
    if wanted not in ids:
        near = ", ".join(sorted(n.removesuffix("_BOARD").lower() for n in ids if name[:3].upper() in n)[:8])
        raise UsageError(f"BrainFlow has no board {name!r}", f"one of: {near or 'synthetic, cyton, ganglion …'}")
    try:
        given = {k: v[-1] for k, v in parse_qs(query, strict_parsing=bool(query)).items()}
    except ValueError as e:
        raise UsageError(f"bad source brainflow:{text}: {e}", _EXAMPLE) from e
    leads = parse_channels(given.pop("leads")) if "leads" in given else ()
    if unknown := given.keys() - set(_PARAMETERS):
        raise UsageError(f"unknown parameter {', '.join(sorted(unknown))} in brainflow:{text}", _EXAMPLE)
    parameters = BrainFlowInputParams()
    for key, value in given.items():
        setattr(parameters, key, int(value) if key in ("ip_port", "timeout") else value)
    d = BoardShim.get_board_descr(ids[wanted].value)
    rows = d.get("ecg_channels") or d.get("exg_channels") or d.get("eeg_channels") or ()
    if not rows or "package_num_channel" not in d:
        raise UsageError(f"the board {name} measures no ECG", "choose another")
    described = Described(str(d["name"]), int(d["sampling_rate"]), int(d["package_num_channel"]), tuple(rows))
    return BoardShim(ids[wanted].value, parameters), described, leads


_EXAMPLE = "write brainflow:cyton?serial_port=/dev/ttyUSB0&leads=I,II"


class CounterCheck:
    """Turns BrainFlow's columns into blocks and gaps.

    Parameters
    ----------
    described : Described
        Of the board.

    Attributes
    ----------
    tally : Tally
        Lost and repeated samples.
    """

    def __init__(self, described: Described) -> None:
        self._d = described
        self._last: int | None = None
        self._index = 0
        self.tally = Tally()

    def feed(self, table: npt.NDArray[np.float64], arrival: float) -> list[Event]:
        """Take a table as ``get_board_data`` gives it, shape (n_rows, n_samples)."""
        if not table.shape[1]:
            return []
        numbers = np.rint(table[self._d.counter]).astype(np.int64) % MODULUS
        before = numbers[0] - 1 if self._last is None else self._last
        steps = np.diff(numbers, prepend=before) % MODULUS
        self._last = int(numbers[-1])
        fresh = steps > 0
        self.tally.duplicates += int((~fresh).sum())
        numbers, steps = numbers[fresh], steps[fresh]
        uv = table[list(self._d.channels)][:, fresh].T
        out: list[Event] = []
        cuts = [0, *np.flatnonzero(steps[1:] > 1) + 1, len(steps)]
        for a, b in pairwise(cuts):
            if b > a:
                out += self._run(uv[a:b], int(steps[a]) - 1, arrival)
        return out

    def _run(self, uv: npt.NDArray[np.float64], missing: int, arrival: float) -> list[Event]:
        out: list[Event] = []
        if missing:
            out.append(Gap(self._index, self._index + missing))
            self.tally.lose(self._index, self._index + missing)
            self._index += missing
        valid = np.isfinite(uv)
        counts = np.rint(np.where(valid, uv, 0.0) * 1e-3 / _LSB_MV)
        counts = np.clip(counts, -(2**31) + 1, 2**31 - 1).astype(np.int32)
        out.append(SampleBlock(self._index, counts, (counts * _LSB_MV).astype(np.float32), valid, arrival=arrival))
        self._index += len(uv)
        return out


class BrainFlowSource:
    """A board as a source of the run.

    Parameters
    ----------
    board, described : Board, Described
        From `open_board`.
    leads : tuple of str
        Names of its first channels.
    clock : Clock
        Stamps, and waits between polls.
    """

    live = True
    dropped_blocks = 0

    def __init__(
        self, board: Board, described: Described, leads: tuple[str, ...], clock: Clock, *, url: str = ""
    ) -> None:
        self.url = url
        self._board, self._d, self._clock = board, described, clock
        names = [*leads, *(f"ch{k + 1}" for k in range(len(leads), len(described.channels)))]
        channels = tuple(Channel(n, _LSB_MV, bits=32) for n in names[: len(described.channels)])
        self.info = StreamInfo(f"BrainFlow {described.name}", Fraction(described.fs), channels)
        self._check = CounterCheck(described)
        self._stop = threading.Event()
        self._told = self._started = False
        self._heard = 0.0
        self.ended = False

    @property
    def tally(self) -> Tally:
        """What was lost and repeated so far."""
        return self._check.tally

    def start(self) -> None:
        """Begin to stream.

        Raises
        ------
        PortNotFoundError
            BrainFlow cannot reach the board.
        """
        if self._started or self._stop.is_set():
            raise used_up(self.url)
        self._started = True
        with self._errors("cannot be reached", PortNotFoundError, "check the port and that the board is on"):
            self._board.prepare_session()
            self._board.start_stream()
        self._heard = self._clock.monotonic()

    def stop(self) -> None:
        """End; the board is released whatever it says."""
        self._stop.set()
        for act in (self._board.stop_stream, self._board.release_session):
            with contextlib.suppress(Exception):
                act()

    def get(self, timeout: float | None = None) -> list[ReaderEvent]:
        """Take what has come, waiting at most `timeout` seconds for it.

        Raises
        ------
        DeviceLostError
            Nothing came for five seconds: BrainFlow does not say when a board is gone.
        """
        if not self._told:
            self._told = True
            return [self.info]
        waited, limit = 0.0, _POLL_S if timeout is None else timeout
        while True:
            with self._errors("is lost", DeviceLostError, "plug it in and start the run again"):
                table = self._board.get_board_data()
            now = self._clock.monotonic()
            if table.shape[1]:
                self._heard = now
                return [*self._check.feed(table, now)]
            if now - self._heard > _SILENT_S:
                raise DeviceLostError(f"{self.info.device} has sent nothing for {_SILENT_S:g} s", "is it still on?")
            if waited >= limit or self._stop.is_set():
                return []
            self._clock.wait(self._stop, _POLL_S)
            waited += _POLL_S

    @contextlib.contextmanager
    def _errors(self, what: str, kind: type[EcgEdgeError], fix: str) -> Any:
        try:
            yield
        except EcgEdgeError:
            raise
        except Exception as e:  # BrainFlow's own error, or whatever its native library raises through ctypes
            raise kind(f"{self.info.device} {what}: {e}", fix) from e


def brainflow_source(text: str, clock: Clock) -> BrainFlowSource:
    """Make the source of ``brainflow:TEXT``; see `open_board`."""
    board, described, leads = open_board(text)
    return BrainFlowSource(board, described, leads, clock, url=f"brainflow:{text}")
