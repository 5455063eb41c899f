"""The ward's front door: which requests are answered, by whom the ward may be seen and who may change it.

====================== ==========================================================
path                   answer
====================== ==========================================================
``/``                  the overview; without a token the page that asks for it
``/ws``                its socket
``/bed-7/``            the monitor of a bed, by its name; ``/ws`` below it is its socket
``/metrics``           figures for Prometheus
``/health``            ``ok``, for who watches the process: nothing of a person
====================== ==========================================================
"""

from __future__ import annotations

import hashlib
import hmac
import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import resources
from urllib.parse import quote, unquote, urlsplit

from ecg_edge.device.listeners.known_hosts import KnownHosts
from ecg_edge.device.listeners.token_check import TokenCheck, Verdict, secret_of
from ecg_edge.device.monitor.front_door import (  # fmt: skip
    COOKIE_S,
    FILES,
    HEALTH_PATH,
    PAGE_PATH,
    TEXT,
    HttpResponse,
    Secrets,
    page,
    page_file,
    refuse,
    respond,
    turned_away,
)

FULL, VIEW = "full", "view"
_JS, _CSS = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
_OWN = {
    "/": ("ward.html", "text/html; charset=utf-8"),
    "/ward.js": ("ward.js", _JS),
    "/tile.js": ("tile.js", _JS),
    "/ward.css": ("ward.css", _CSS),
    "/bed.css": ("bed.css", _CSS),
}
_PUBLIC = {p for p in (*_OWN, *FILES) if p != "/"}
_METRICS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Admitted:
    """A socket that may be opened.

    Attributes
    ----------
    bed : str or None
        Whose monitor; None: the overview.
    role : str
        `FULL`: may set limits, or `VIEW`.
    page : str or None
        Query of the address where a page is asked for, not a socket.
    """

    bed: str | None
    role: str
    page: str | None = None


def bed_path(name: str) -> str:
    """Path of a bed's monitor."""
    return f"/{quote(name, safe='')}/"


class WardDoor:
    """Decides what a request gets.

    Parameters
    ----------
    host : str
        Address the server is bound to.
    full, view : str or None
        Secrets of those who may do everything, and of those who may look. Without any, everybody may do everything.
    allowed : iterable of str
        Host names of a reverse proxy.
    cookie : str
        Name of the cookie.
    secure : bool
        The cookie travels by TLS only.
    metrics : callable
        Makes the page of figures.
    """

    def __init__(
        self,
        host: str,
        full: str | None,
        view: str | None,
        allowed: Iterable[str],
        cookie: str,
        secure: bool,
        metrics: Callable[[], str],
    ) -> None:
        self._check = TokenCheck(full, also=view)
        self._hosts = KnownHosts(host, allowed)
        self._tokens = {role: token for role, token in ((FULL, full), (VIEW, view)) if token is not None}
        self._sessions = {role: _session(token) for role, token in self._tokens.items()}
        self._cookie, self._secure, self._metrics = cookie, secure, metrics

    def answer(
        self, target: str, host: str, origin: str, beds: Iterable[str], secrets: Secrets
    ) -> HttpResponse | Admitted:
        """Answer a request, or admit it to a socket.

        Parameters
        ----------
        target : str
            As in the request line.
        host, origin : str
            The headers of these names.
        beds : iterable of str
            Names of the beds there are now.
        secrets : Secrets
            What proves that a token is known.
        """
        if not self._hosts.knows(host):
            return refuse(403, "Forbidden", "unknown Host")
        path = urlsplit(target).path if target.startswith("/") and not target.startswith("//") else ""
        first, slash, rest = path.removeprefix("/").partition("/")
        below = f"/{rest}" if slash else path
        if path == HEALTH_PATH:
            return respond(200, "OK", TEXT, b"ok\n")
        if below in _PUBLIC:
            return self._file(below, host)
        role, verdict = self._role(secrets)
        if below == "/login":
            return self._login(role, verdict)
        if role is None:
            return self._turn_away(path, verdict, host, secrets)
        if path == "/metrics":
            return respond(200, "OK", _METRICS, self._metrics().encode())
        name = unquote(first)
        if path not in ("/", "/ws") and name not in beds:
            return refuse(404, "Not Found", "no such bed or page")
        if below == "/ws":
            if not self._hosts.same_origin(origin, host):
                return refuse(403, "Forbidden", "cross-origin socket")
            return Admitted(name if slash else None, role)
        if path == "/":
            return self._file("/", host)
        if slash and below == PAGE_PATH:
            return Admitted(name, role, urlsplit(target).query)
        if not slash:
            return respond(308, "Permanent Redirect", TEXT, b"", (("Location", f".{bed_path(name)}"),))
        return self._monitor(name, host) if below == "/" else refuse(404, "Not Found", "no such page")

    def _role(self, secrets: Secrets) -> tuple[str | None, Verdict]:
        if not self._check.wanted:
            return FULL, Verdict.RIGHT
        if not secrets.authorization:
            given = secrets.cookie(self._cookie).encode(errors="replace")
            found = [r for r, session in self._sessions.items() if hmac.compare_digest(given, session.encode())]
            return (found[0], Verdict.RIGHT) if found else (None, Verdict.WRONG)
        word = secret_of(secrets.authorization)
        verdict = self._check.check(word, secrets.peer)
        if verdict is not Verdict.RIGHT:
            return None, verdict
        full = self._tokens.get(FULL, "")
        return (FULL if hmac.compare_digest(word.encode(errors="replace"), full.encode()) else VIEW), verdict

    def _turn_away(self, path: str, verdict: Verdict, host: str, secrets: Secrets) -> HttpResponse:
        asks = not secrets.authorization and path != "/metrics" and not path.endswith("/ws")
        if path == "/metrics" and verdict is Verdict.WRONG:
            return respond(401, "Unauthorized", TEXT, b"wrong or missing token\n", (("WWW-Authenticate", "Bearer"),))
        return page_file("/login.html", host, (), 401, "Unauthorized") if asks else turned_away(verdict)

    def _login(self, role: str | None, verdict: Verdict) -> HttpResponse:
        if role is None:
            return turned_away(verdict)
        value = self._sessions.get(role, "")
        more = f"; Path=/; HttpOnly; SameSite=Lax; Max-Age={COOKIE_S}" + ("; Secure" if self._secure else "")
        return respond(200, "OK", TEXT, b"", (("Set-Cookie", f"{self._cookie}={value}{more}"),))

    def _file(self, path: str, host: str) -> HttpResponse:
        if path not in _OWN:
            return page_file(path, host, self._hosts.allowed)
        name, content_type = _OWN[path]
        body = (resources.files("ecg_edge.device.ward") / "web" / name).read_bytes()
        return page(body, content_type, host, self._hosts.allowed)

    def _monitor(self, name: str, host: str) -> HttpResponse:
        """The page of one bed, with the way back and the bed's name."""
        whole = page_file("/", host, self._hosts.allowed)
        link = f'<a id="ward" href="../" title="all beds">‹ {html.escape(name)}</a>'.encode()
        body = whole.body.replace(b'<div class="who">', b'<div class="who">' + link, 1)
        body = body.replace(b"</head>", b'<link rel="stylesheet" href="bed.css">\n</head>', 1)
        return page(body, FILES["/"][1], host, self._hosts.allowed)


def _session(token: str) -> str:
    """Made from the token: it outlives a restart and does not hold the token itself."""
    return hmac.new(token.encode(), b"ecg-edge ward", hashlib.sha256).hexdigest()
