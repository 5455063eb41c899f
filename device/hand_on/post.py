"""Post a recording to a server the user names: FHIR (an Observation) or DICOMweb (STOW-RS, PS3.18 10.5).

Nothing is ever sent by itself. Data of a person travel by TLS, or to this machine.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from http.client import HTTPException
from urllib.parse import urlsplit

from ecg_edge.device.hand_on.dicom_writer import dicom_bytes
from ecg_edge.device.hand_on.fhir import observation
from ecg_edge.device.recording.stored_recording import Stored
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError

KINDS = ("fhir", "dicomweb")
_HERE = ("localhost", "127.0.0.1", "::1")
_TIMEOUT_S = 30.0
_MOST_ANSWER = 100_000


@dataclass(frozen=True)
class Answer:
    """What the server said.

    Attributes
    ----------
    status : int
    location : str
        Of what was made; empty where the server does not say.
    """

    status: int
    location: str


def post(stored: Stored, url: str, kind: str, token: str = "", plain: bool = False) -> Answer:
    """Post a stretch of a recording.

    Parameters
    ----------
    stored : Stored
    url : str
        Base of the service: ``https://server/fhir``, ``https://server/dicom-web``.
    kind : str
        ``fhir`` or ``dicomweb``.
    token : str
        For ``Authorization: Bearer``; empty for none.
    plain : bool
        Send without TLS beyond this machine.

    Raises
    ------
    UsageError
        The address is none, or would send a person's data without TLS.
    EcgEdgeError
        The server cannot be reached, or refuses.
    """
    _check(url, plain)
    request = _fhir(stored, url) if kind == "fhir" else _dicomweb(stored, url)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as answer:
            return Answer(answer.status, answer.headers.get("Location", ""))
    except urllib.error.HTTPError as e:
        with e:
            said = " ".join(e.read(_MOST_ANSWER).decode(errors="replace").split())[:300]
        raise EcgEdgeError(f"the server answered {e.code} {e.reason}: {said}", _fix(e.code)) from e
    except (OSError, HTTPException) as e:
        reason = getattr(e, "reason", e)
        raise EcgEdgeError(f"cannot reach {urlsplit(url).netloc}: {reason}", "check the address and the network") from e


def _check(url: str, plain: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url!r} is no address of a server", "give https://HOST/PATH")
    if parts.username or parts.password:
        raise UsageError("a password in an address ends up in logs", "give it in a file: --token-file FILE")
    if parts.scheme == "http" and parts.hostname not in _HERE and not plain:
        raise UsageError(f"{parts.hostname} would get a person's data without TLS", "use https, or say --plain-http")


def _fix(status: int) -> str:
    if status in (401, 403):
        return "give the server's token in a file: --token-file FILE"
    return "check the address: the base of the service, without the resource" if status == 404 else "see its answer"


def _fhir(stored: Stored, url: str) -> urllib.request.Request:
    body = json.dumps(observation(stored), ensure_ascii=False).encode()
    kind = "application/fhir+json"
    return urllib.request.Request(
        f"{url.rstrip('/')}/Observation", body, {"Content-Type": kind, "Accept": kind}, method="POST"
    )


def _dicomweb(stored: Stored, url: str) -> urllib.request.Request:
    edge = uuid.uuid4().hex
    head = f"--{edge}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = head + dicom_bytes(stored) + f"\r\n--{edge}--\r\n".encode()
    kind = f'multipart/related; type="application/dicom"; boundary={edge}'
    return urllib.request.Request(
        f"{url.rstrip('/')}/studies", body, {"Content-Type": kind, "Accept": "application/dicom+json"}, method="POST"
    )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token, and the person's data, elsewhere."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None
