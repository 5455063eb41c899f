"""A connection's time to prove that it carries an ECG, and what is said if it does not."""

from __future__ import annotations

from ecg_edge.firmware_bridge.decoder import Decoder
from ecg_edge.firmware_bridge.errors import AmbiguousStreamError, NotAnEcgStreamError
from ecg_edge.firmware_bridge.ports.first_bytes import advice, shown
from ecg_edge.firmware_bridge.ports.identify import LOOK, identify

_OPENING_EVERY_S = 1.0


class Trial:
    """Counts what arrives without being recognised.

    Parameters
    ----------
    url : str
        For messages.
    decoder : Decoder
        Which does not recognise it.
    start : float
        Host time of the connection.
    patience_s : float
        When the time is over.
    """

    def __init__(self, url: str, decoder: Decoder, start: float, patience_s: float) -> None:
        self._url, self._decoder, self._patience_s = url, decoder, patience_s
        self._deadline = start + patience_s
        self._opening_at = start
        self._data = b""
        self._bytes = 0

    def opening_due(self, now: float) -> bool:
        """Whether to send the decoder's opening now: a device may be deaf while it boots."""
        if now < self._opening_at:
            return False
        self._opening_at = now + _OPENING_EVERY_S
        return True

    def judge(self, data: bytes, now: float) -> None:
        """Count what arrived without being recognised; raise when the time is over.

        Raises
        ------
        NotAnEcgStreamError
            With what the bytes look like, the device that sends such ones if there is one, and what to try.
        """
        self._data += data[: LOOK - len(self._data)]
        self._bytes += len(data)
        if now < self._deadline:
            return
        if not self._bytes:
            raise NotAnEcgStreamError(
                f"{self._url} is open, but not one byte has come in {self._patience_s:g} s",
                "check the device's power, that it has been started, and that TX and RX are not swapped",
            )
        if complaint := getattr(self._decoder, "complaint", ""):
            raise NotAnEcgStreamError(
                f"{self._url} sends EcgLink, but its description is refused: {complaint}",
                "mend the description in the device's firmware; see PROTOCOL.md",
            )
        name = self._decoder.name
        message = f"{self._url} sends no ECG stream of {name}: {self._bytes} bytes in {self._patience_s:g} s"
        raise NotAnEcgStreamError(f"{message}, {shown(self._data)}", self._other() or advice(self._data))

    def _other(self) -> str:
        """What to type for the device these bytes are of; empty if no device is known to send such ones."""
        try:
            names: tuple[str, ...] = (identify(self._data).device.name,)
        except AmbiguousStreamError as e:
            names = e.names
        except NotAnEcgStreamError:
            return ""
        commands = " or ".join(f"--as {name}" for name in names if name != self._decoder.name)
        return f"these bytes are of another device: {commands}" if commands else ""
