"""A certificate of our own, made by openssl."""

import shutil
import subprocess

import pytest


def make_certificate(folder):
    """Return the paths of a certificate for 127.0.0.1 and localhost, and of its key."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", str(key), "-out", str(cert),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return str(cert), str(key)
