"""What may listen on which address: beyond the loopback a token is required."""

from __future__ import annotations

import ipaddress

from ecg_edge.firmware_bridge.errors import UsageError

MIN_TOKEN = 12


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def check_exposure(host: str, token: str | None) -> None:
    """Refuse to show a patient's ECG to the network without a token.

    Raises
    ------
    UsageError
        `host` is not loopback and there is no token, or the token is easily guessed.
    """
    make = "make one: python -c 'import secrets; print(secrets.token_urlsafe(16))'"
    if token is None and not is_loopback(host):
        raise UsageError(f"{host!r} would be open to the network without a token", make)
    if token is not None and (len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable()):
        raise UsageError(f"a token needs at least {MIN_TOKEN} printable ASCII characters", make)
