"""Files and names that a user gives to a listener: refused with a way out that harms nothing."""

import subprocess

import pytest

from ecg_edge.device.listeners.known_hosts import check_names
from ecg_edge.device.listeners.secret_file import find_secret
from ecg_edge.device.listeners.tls import server_tls
from ecg_edge.firmware_bridge.errors import UsageError


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pem")
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 2 -subj /CN=ecg -passout pass:secret"
    subprocess.run([*make.split(), "-keyout", "key.pem", "-out", "cert.pem"], cwd=folder, check=True)
    return folder


def test_a_certificate_without_its_key_names_the_flag(pem):
    with pytest.raises(UsageError) as caught:
        server_tls(str(pem / "cert.pem"), None)
    assert "--tls-key" in caught.value.fix and "openssl" not in caught.value.fix


def test_a_key_with_a_passphrase_is_named(pem):
    with pytest.raises(UsageError) as caught:
        server_tls(str(pem / "cert.pem"), str(pem / "key.pem"))
    assert "passphrase" in caught.value.fix


def test_the_way_to_a_certificate_overwrites_no_usual_name():
    with pytest.raises(UsageError) as caught:
        server_tls("nothing.pem", None)
    words = caught.value.fix.split()
    assert not {"key.pem", "cert.pem", "nothing.pem"} & set(words)


@pytest.mark.parametrize("head", [b"", b"\xef\xbb\xbf"])
def test_a_token_may_follow_the_mark_of_an_editor(tmp_path, head):
    (tmp_path / "token").write_bytes(head + b"0123456789abcdef\r\n")
    assert find_secret(None, str(tmp_path / "token"), "X", {}) == "0123456789abcdef"


@pytest.mark.parametrize("given", ["http://ward.example/", "https://ward.example:8443/x", "ward.example:80"])
def test_a_url_is_no_name_of_a_host(given):
    with pytest.raises(UsageError, match="no name of a host") as caught:
        check_names((given,))
    assert caught.value.fix.endswith(" ward.example")


def test_names_and_addresses_of_hosts_are_taken():
    assert check_names(("ward.example", "10.0.0.1", "fe80::1", "bed_7")) == (
        "ward.example",
        "10.0.0.1",
        "fe80::1",
        "bed_7",
    )
