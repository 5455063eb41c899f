"""TLS for the listeners, from a certificate and its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecg_edge.firmware_bridge.errors import UsageError

if TYPE_CHECKING:
    import ssl

_MAKE = (
    "make one: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=ecg "
    "-keyout key.pem -out cert.pem"
)


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

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as e:
        reason = e.reason or "no certificate and key in PEM"
        raise UsageError(f"--tls-cert {certificate} cannot be used: {reason}", _MAKE) from e
    except (OSError, ValueError) as e:
        raise UsageError(f"--tls-cert {certificate} cannot be used: {e}", _MAKE) from e
    return context
