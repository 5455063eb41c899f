"""The monitor's front door: which requests are answered, and the page's files."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from dataclasses import dataclass
from importlib import resources
from urllib.parse import parse_qs, urlsplit

SOCKET_PATH = "/ws"
FILES: dict[str, tuple[str, str]] = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/monitor.css": ("monitor.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
} | {
    f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
    for name in (
        "calipers",
        "layout",
        "monitor",
        "page",
        "panel",
        "paper",
        "pdf",
        "playout",
        "ring",
        "scope",
        "torso",
        "wire",
    )
}
"""Every path there is, with the file in the package folder ``web/`` and its content type."""


@dataclass(frozen=True)
class HttpResponse:
    """An HTTP response: status, reason, headers and body."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class FrontDoor:
    """Decides what a request gets.

    Parameters
    ----------
    host : str
        Address the server is bound to.
    token : str or None
        Secret that the page and its socket must bring as ``?token=``.
    """

    def __init__(self, host: str, token: str | None) -> None:
        self._token = token
        own = socket.gethostname().lower()
        self._names = {"localhost", host.lower(), own, own + ".local"} - {""}

    def answer(self, target: str, host: str, origin: str) -> HttpResponse | None:
        """Answer a request, or return None to let the WebSocket handshake go on.

        Parameters
        ----------
        target : str
            As in the request line: path and query.
        host, origin : str
            The headers of these names; empty where missing.
        """
        if not self._known_host(host):
            return _refuse(403, "Forbidden", "unknown Host")  # a foreign name bound to our address
        url = urlsplit(target) if target.startswith("/") and not target.startswith("//") else None
        if url is None or (url.path != SOCKET_PATH and url.path not in FILES):
            return _refuse(404, "Not Found", "no such page")
        if url.path in (SOCKET_PATH, "/") and not self._admits(url.query):
            return _refuse(403, "Forbidden", "wrong or missing token: open the address that ecg-edge printed")
        if url.path != SOCKET_PATH:
            return _file(url.path, host)
        if origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
            return _refuse(403, "Forbidden", "cross-origin socket")
        return None

    def _known_host(self, header: str) -> bool:
        """DNS rebinding needs a name of the attacker's: IP literals and our own names are safe."""
        try:
            name = urlsplit(f"//{header}").hostname or ""
        except ValueError:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return True

    def _admits(self, query: str) -> bool:
        if self._token is None:
            return True
        given = parse_qs(query).get("token", [""])[0]
        return hmac.compare_digest(given.encode(errors="replace"), self._token.encode())


def _file(path: str, host: str) -> HttpResponse:
    name, content_type = FILES[path]
    body = (resources.files("ecg_edge.device.monitor") / "web" / name).read_bytes()
    # 'self' covers ws:// in current browsers only; the host is one we know, so naming it is safe.
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self' ws://{host} wss://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return _answer(200, "OK", content_type, body, (("Content-Security-Policy", policy),))


def _refuse(status: int, reason: str, text: str) -> HttpResponse:
    return _answer(status, reason, "text/plain; charset=utf-8", f"{text}\n".encode())


def _answer(
    status: int, reason: str, content_type: str, body: bytes, more: tuple[tuple[str, str], ...] = ()
) -> HttpResponse:
    return HttpResponse(
        status,
        reason,
        (
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
            *more,
        ),
        body,
    )
