"""Where attackers and honest clients come from, and the secret the honest ones know."""

from __future__ import annotations

import ipaddress

TOKEN = "siege-0123456789abcdef"
HOSTILE, FRIENDLY = (int(ipaddress.IPv4Address(first)) for first in ("127.1.0.0", "127.2.0.0"))
SHARED = "127.0.0.1"
"""Of attackers and honest clients that come through one address."""


def address(first: int, k: int) -> str:
    """Address number `k` of a network."""
    return str(ipaddress.IPv4Address(first + k))
