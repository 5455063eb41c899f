"""TLS for the listeners, from a certificate and its key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ecg_edge.firmware_bridge.errors import UsageError

if TYPE_CHECKING:
    import ssl

_MAKE = (
    "name both files in PEM, or make new ones: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
    "-days 365 -subj /CN=ecg -keyout new-ecg-key.pem -out new-ecg-cert.pem"
)
_LOCKED, _MOST = b"ENCRYPTED", 1 << 20


def server_tls(certificate: str | None, key: str | None) -> ssl.SSLContext | None:
    """Return the context of a server, or None where no certificate is named.

    Parameters
    ----------
    certificate : str or None
        PEM file, chain included.
    key : str or None
        PEM file; None: it stands in the certificate's. A key with a passphrase is refused: nobody is there to type it.

    Raises
    ------
    UsageError
        A file is missing, is no PEM, or the two do not fit.
    """
    if certificate is None:
        if key is not None:
            raise UsageError("--tls-key needs a certificate", "give --tls-cert too")
        return None
    import ssl  # every run imports this file; few need TLS

    fix = _fix(certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as e:
        reason = e.reason or "no certificate and key in PEM"
        raise UsageError(f"--tls-cert {certificate} cannot be used: {reason}", fix) from e
    except (OSError, ValueError) as e:
        raise UsageError(f"--tls-cert {certificate} cannot be used: {e}", fix) from e
    return context


def _fix(certificate: str, key: str | None) -> str:
    """The way out, should the files not do: never one that writes over a key that is there."""
    held = _bytes_of(key or certificate)
    if _LOCKED in held:
        return f"the key has a passphrase: write it without: openssl pkey -in {key or certificate} -out plain-key.pem"
    if key is None and b"CERTIFICATE" in held and b"PRIVATE KEY" not in held:
        return "the file has no key: name it with --tls-key FILE"
    return _MAKE


def _bytes_of(file: str) -> bytes:
    try:
        with Path(file).open("rb") as f:
            return f.read(_MOST)
    except (OSError, ValueError):
        return b""
