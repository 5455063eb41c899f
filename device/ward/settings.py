"""The table ``[ward]`` of a gateway's file: one address for all beds.

::

    [ward]
    port = 8765
    host = "0.0.0.0"                  # default: this machine only
    token-file = "ward.token"         # may do everything
    view-token-file = "view.token"    # may look
    tls-cert = "cert.pem"
    tls-key = "key.pem"
    allow-host = ["ward.example.org"] # a reverse proxy's names
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ecg_edge.device.listeners.exposure import check_exposure
from ecg_edge.device.listeners.secret_file import find_secret
from ecg_edge.firmware_bridge.errors import UsageError

_TEXTS = ("host", "token", "token-file", "view-token", "view-token-file", "tls-cert", "tls-key")
DEFAULT_PORT = 8765


@dataclass(frozen=True)
class WardSettings:
    """Where the ward is shown, and who may see and change it.

    Attributes
    ----------
    host : str
        Address to listen on; any but this machine's own needs a token.
    port : int
        0: any.
    token, token_file : str or None
        Secret, or the file that holds it, of those who may also set limits.
    view_token, view_token_file : str or None
        Secret of those who may look.
    tls_cert, tls_key : str or None
        PEM files.
    allow_host : tuple of str
        Names of a reverse proxy.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str | None = None
    token_file: str | None = None
    view_token: str | None = None
    view_token_file: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    allow_host: tuple[str, ...] = ()

    def secrets(self) -> tuple[str | None, str | None]:
        """Return the full token and the one for looking.

        Raises
        ------
        UsageError
            A file cannot be read, a token is too short, the two are equal, or the address is open without one.
        """
        full = find_secret(self.token, self.token_file, "ECG_EDGE_TOKEN")
        view = find_secret(self.view_token, self.view_token_file, "ECG_EDGE_VIEW_TOKEN")
        check_exposure(self.host, full)
        if view is not None:
            check_exposure(self.host, view)
            if full is None or view == full:
                fix = "give token-file one of its own"
                raise UsageError("the token for looking needs another one beside it that may do everything", fix)
        return full, view


def read_ward(table: Any) -> tuple[WardSettings | None, list[str]]:
    """Check the table; return the settings and what is wrong with it."""
    if not isinstance(table, dict):
        return None, ["ward must be a table: [ward]"]
    wrong = []
    for key, value in table.items():
        if key in _TEXTS:
            wrong += [] if isinstance(value, str) and value else [f"ward: {key} must be text"]
        elif key == "port":
            fits = type(value) is int and 0 <= value <= 65535
            wrong += [] if fits else ["ward: port must be a port"]
        elif key == "allow-host":
            fits = isinstance(value, list) and all(isinstance(x, str) for x in value)
            wrong += [] if fits else ["ward: allow-host must be a list of names"]
        else:
            wrong.append(f"ward: unknown setting {key}")
    if wrong:
        return None, wrong
    given: dict[str, Any] = {k.replace("-", "_"): tuple(v) if isinstance(v, list) else v for k, v in table.items()}
    return WardSettings(**given), []
