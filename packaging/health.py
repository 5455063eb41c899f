"""Whether the ward's page answers: ``health.py PORT``; exit status 0 if it does. No package is needed."""

import ssl
import sys
import urllib.request

TIMEOUT_S = 4


def main(port: str) -> int:
    """Ask by HTTP, then by TLS, whose certificate names another host than this machine."""
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    for scheme in ("http", "https"):
        try:
            url = f"{scheme}://127.0.0.1:{port}/health"
            with urllib.request.urlopen(url, timeout=TIMEOUT_S, context=unchecked) as answer:
                return 0 if answer.read() == b"ok\n" else 1
        except OSError:
            continue
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
