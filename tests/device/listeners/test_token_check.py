import pytest

from ecg_edge.device.listeners.exposure import check_exposure
from ecg_edge.device.listeners.known_hosts import KnownHosts
from ecg_edge.device.listeners.secret_file import find_secret
from ecg_edge.device.listeners.token_check import TokenCheck, Verdict, secret_of
from ecg_edge.firmware_bridge.errors import UsageError

TOKEN = "correct-horse-battery"


def test_an_address_has_ten_guesses_and_one_more_per_second():
    now = [0.0]
    check = TokenCheck(TOKEN, lambda: now[0])
    assert [check.check("x", "10.0.0.1") for _ in range(12)] == [Verdict.WRONG] * 10 + [Verdict.LATER] * 2
    assert check.check(TOKEN, "10.0.0.1") is Verdict.LATER
    assert check.check(TOKEN, "10.0.0.2") is Verdict.RIGHT
    now[0] = 1.0
    assert check.check(TOKEN, "10.0.0.1") is Verdict.RIGHT
    assert check.check("x", "10.0.0.1") is Verdict.WRONG
    assert check.check("x", "10.0.0.1") is Verdict.LATER


def test_four_thousand_guesses_a_second_are_ten_and_one_a_second():
    now = [0.0]
    check = TokenCheck(TOKEN, lambda: now[0])
    looked_at = 0
    for k in range(40_000):
        now[0] = k / 4000
        looked_at += check.check(f"guess-{k}", "10.0.0.1") is Verdict.WRONG
    assert 10 <= looked_at <= 20


def test_an_ipv6_network_is_one_guesser_and_memory_is_bounded():
    check = TokenCheck(TOKEN, lambda: 0.0)
    verdicts = [check.check("x", f"2001:db8::{k:x}") for k in range(11)]
    assert verdicts[-1] is Verdict.LATER
    for k in range(5000):
        check.check("x", f"10.0.{k // 250}.{k % 250}")
    assert len(check._wrong) <= 1024


def test_without_a_token_everybody_is_right():
    assert TokenCheck(None).check("", "") is Verdict.RIGHT


@pytest.mark.parametrize(
    ("header", "secret"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic dTphYmM=", "abc"), ("Basic !!", ""), ("Digest x", ""),
     ("", "")],
)  # fmt: skip
def test_the_secret_of_a_header(header, secret):
    assert secret_of(header) == secret


@pytest.mark.parametrize("token", ["12345678", "short", "längeres-wort-noch", "line\nbreak-in-it"])
def test_a_poor_token_is_refused(token):
    with pytest.raises(UsageError, match="at least 12"):
        check_exposure("127.0.0.1", token)


def test_a_secret_is_given_or_in_a_file_or_in_the_environment(tmp_path):
    file = tmp_path / "token"
    file.write_text("from-the-file\nmore\n")
    environment = {"X": "from-outside"}
    assert find_secret("given", str(file), "X", environment) == "given"
    assert find_secret(None, str(file), "X", environment) == "from-the-file"
    assert find_secret(None, None, "X", environment) == "from-outside"
    assert find_secret(None, None, "X", {"X": ""}) is None
    file.write_text("\n")
    for wrong in (file, tmp_path / "missing", tmp_path):
        with pytest.raises(UsageError):
            find_secret(None, str(wrong), "X", {})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8765", "[::1]:80", "ward.example", "WARD.example:443"])
def test_names_we_answer_to(host):
    assert KnownHosts("127.0.0.1", ["ward.example"]).knows(host)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1:8767, evil", "evil@127.0.0.1", "localhost; script-src *", "localhost/x", "[::1",
     " localhost", "localhost:", "localhost\r\nX: y", "127.0.0.1.evil.example"],
)  # fmt: skip
def test_names_we_do_not(host):
    assert not KnownHosts("127.0.0.1", ["ward.example"]).knows(host)


def test_a_socket_belongs_to_our_page_or_to_the_proxys():
    hosts = KnownHosts("127.0.0.1", ["ward.example"])
    assert hosts.same_origin("http://127.0.0.1:8765", "127.0.0.1:8765")
    assert hosts.same_origin("https://ward.example", "127.0.0.1:8765")
    for origin in (
        "http://127.0.0.1:1",
        "null",
        "",
        "https://evil.example",
        "file://ward.example",
        "https://ward.example/x",
    ):
        assert not hosts.same_origin(origin, "127.0.0.1:8765")
