"""How the outlets of a run meet the network: what they show, whom they believe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every run imports this; few need TLS
    import ssl


@dataclass(frozen=True)
class Network:
    """What listeners and senders have in common.

    Attributes
    ----------
    allowed : tuple of str
        Host names that a reverse proxy in front of a listener has.
    tls : ssl.SSLContext or None
        Of the listeners.
    metrics_token : str or None
        Secret for the figures; None: that of the run.
    broker_ca : str or None
        PEM file that an MQTT broker's certificate is checked with; None: the machine's own store.
    broker_password : str or None
        For a broker whose URL holds none.
    discovery : str or None
        Prefix of Home Assistant's discovery messages; None: none are sent.
    """

    allowed: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None
    metrics_token: str | None = None
    broker_ca: str | None = None
    broker_password: str | None = None
    discovery: str | None = None
