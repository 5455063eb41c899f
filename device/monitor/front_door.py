"""The monitor's front door: which requests are answered, and the page's files."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from urllib.parse import urlsplit

from ecg_edge.device.listeners.known_hosts import KnownHosts
from ecg_edge.device.listeners.token_check import TokenCheck, Verdict, secret_of

SOCKET_PATH = "/ws"
LOGIN_PATH = "/login"
PAGE_PATH = "/page.pdf"
"""The rows on the screen as a page for paper; its query is that of `screen_page`."""
HEALTH_PATH = "/health"
"""For who watches the process: it answers ``ok``, without a token, and says nothing of a person."""
PROVING = ("/", LOGIN_PATH)
"""Paths that are answered to who knows the token alone."""
FILES: dict[str, tuple[str, str]] = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/login.html": ("login.html", "text/html; charset=utf-8"),
    "/monitor.css": ("monitor.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
} | {
    f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
    for name in (
        "calipers",
        "layout",
        "login",
        "monitor",
        "page",
        "panel",
        "paper",
        "playout",
        "ring",
        "scope",
        "torso",
        "wire",
    )
}
"""Every path there is, with the file in the package folder ``web/`` and its content type."""


TEXT = "text/plain; charset=utf-8"
COOKIE_S = 30 * 86_400


@dataclass(frozen=True)
class Secrets:
    """What a request brings to prove that it may enter.

    Attributes
    ----------
    authorization, cookies : str
        The headers Authorization and Cookie.
    peer : str
        Address of who asks.
    """

    authorization: str = ""
    cookies: str = ""
    peer: str = ""

    def cookie(self, name: str) -> str:
        """Value of a cookie; empty where there is none."""
        pairs = (c.strip().partition("=") for c in self.cookies.split(";"))
        return next((value for key, _, value in pairs if key == name), "")


@dataclass(frozen=True)
class HttpResponse:
    """An HTTP response: status, reason, headers and body."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class PageAsked:
    """Somebody who may see it asks for a page.

    Attributes
    ----------
    query : str
        As in the address.
    """

    query: str


class FrontDoor:
    """Decides what a request gets.

    The secret comes as ``Authorization: Bearer TOKEN``, by the login page or a program. The login page gets a cookie
    for it, which is made from the token: it outlives a restart and does not hold the token itself.

    Parameters
    ----------
    host : str
        Address the server is bound to.
    token : str or None
        Secret that the page and its socket must bring.
    allowed : iterable of str
        Host names of a reverse proxy.
    cookie : str
        Name of the cookie. Cookies do not know ports: monitors of one machine need different names.
    secure : bool
        The cookie travels by TLS only.
    """

    def __init__(
        self,
        host: str,
        token: str | None,
        allowed: Iterable[str] = (),
        cookie: str = "ecg-edge",
        secure: bool = False,
    ) -> None:
        self._check = TokenCheck(token)
        self._hosts = KnownHosts(host, allowed)
        self._session = hmac.new((token or "").encode(), b"ecg-edge monitor", hashlib.sha256).hexdigest()
        self._cookie, self._secure = cookie, secure

    def answer(
        self, target: str, host: str, origin: str, secrets: Secrets = Secrets()
    ) -> HttpResponse | PageAsked | None:
        """Answer a request, ask for a page, or return None to let the WebSocket handshake go on.

        Parameters
        ----------
        target : str
            As in the request line: path and query.
        host, origin : str
            The headers of these names; empty where missing.
        secrets : Secrets
            What proves that the token is known.
        """
        if not self._hosts.knows(host):
            return refuse(403, "Forbidden", "unknown Host")  # a foreign name bound to our address
        if target == HEALTH_PATH:
            return respond(200, "OK", TEXT, b"ok\n")
        url = urlsplit(target) if target.startswith("/") and not target.startswith("//") else None
        if url is None or (url.path not in (SOCKET_PATH, LOGIN_PATH, PAGE_PATH) and url.path not in FILES):
            return refuse(404, "Not Found", "no such page")
        if url.path == LOGIN_PATH:
            return self._login(secrets)
        if url.path in (SOCKET_PATH, PAGE_PATH, "/") and (verdict := self._verdict(secrets)) is not Verdict.RIGHT:
            asks = url.path == "/" and not secrets.authorization
            return page_file("/login.html", host, (), 401, "Unauthorized") if asks else turned_away(verdict)
        if url.path == PAGE_PATH:
            return PageAsked(url.query)
        if url.path != SOCKET_PATH:
            return page_file(url.path, host, self._hosts.allowed)
        if not self._hosts.same_origin(origin, host):
            return refuse(403, "Forbidden", "cross-origin socket")
        return None

    def _login(self, secrets: Secrets) -> HttpResponse:
        verdict = self._verdict(secrets)
        if verdict is not Verdict.RIGHT:
            return turned_away(verdict)
        more = f"; Path=/; HttpOnly; SameSite=Lax; Max-Age={COOKIE_S}" + ("; Secure" if self._secure else "")
        return respond(200, "OK", TEXT, b"", (("Set-Cookie", f"{self._cookie}={self._session}{more}"),))

    def _verdict(self, secrets: Secrets) -> Verdict:
        """A cookie of ours is no guess: it needs no count."""
        if self._check.wanted and not secrets.authorization:
            given = secrets.cookie(self._cookie).encode(errors="replace")
            return Verdict.RIGHT if hmac.compare_digest(given, self._session.encode()) else Verdict.WRONG
        return self._check.check(secret_of(secrets.authorization), secrets.peer)


def page_file(path: str, host: str, allowed: Iterable[str], status: int = 200, reason: str = "OK") -> HttpResponse:
    """Return one of `FILES`."""
    name, content_type = FILES[path]
    body = (resources.files("ecg_edge.device.monitor") / "web" / name).read_bytes()
    return page(body, content_type, host, allowed, status, reason)


def page(
    body: bytes, content_type: str, host: str, allowed: Iterable[str], status: int = 200, reason: str = "OK"
) -> HttpResponse:
    """Return part of a page: it may load what lies beside it, and open a socket here or through a known proxy."""
    # 'self' covers ws:// in current browsers only; the names are ones we know, so giving them is safe.
    sockets = " ".join(f"ws://{name} wss://{name}" for name in (host, *allowed))
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self' {sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return respond(status, reason, content_type, body, (("Content-Security-Policy", policy),))


def turned_away(verdict: Verdict) -> HttpResponse:
    """Refuse who has not proved to know the token."""
    if verdict is Verdict.LATER:
        return refuse(429, "Too Many Requests", "too many wrong tokens from this address: wait a little")
    return refuse(403, "Forbidden", "wrong or missing token")


def refuse(status: int, reason: str, text: str) -> HttpResponse:
    """Answer in a line of text."""
    return respond(status, reason, TEXT, f"{text}\n".encode())


def respond(
    status: int, reason: str, content_type: str, body: bytes, more: tuple[tuple[str, str], ...] = ()
) -> HttpResponse:
    """Answer with a body and the headers that every answer has."""
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
