"""Which proxy leads to a provider; the tunnel through it; and that nobody reads its password."""

import socket
from collections.abc import Iterator

import pytest
import trio

from proxy.errors import ConfigError, UpstreamUnavailableError
from proxy.net.proxies import (
    HEAD_BYTES_MAX,
    Proxy,
    Tunnel,
    choose_proxy,
    is_excepted,
    is_loopback,
    read_proxy,
)
from tests.fakes.things import a_provider

HTTP, HTTPS = "http://acme.test/v1", "https://acme.test/v1"


def chosen(url: str, environ: dict[str, str], said: str | None = None) -> str | None:
    """Host of the proxy."""
    secrets = {"env:P": "http://u:p@variable.test"}
    proxy = choose_proxy(a_provider(base_url=url, proxy=said), environ, secrets.__getitem__)
    return proxy and proxy.host


@pytest.mark.parametrize(
    ("url", "said", "environ", "expected"),
    [
        (HTTPS, None, {}, None),
        (HTTPS, None, {"HTTPS_PROXY": "http://a:1"}, "a"),
        (HTTPS, None, {"https_proxy": "http://b:1", "HTTPS_PROXY": "http://a:1"}, "b"),
        (HTTPS, None, {"https_proxy": " ", "HTTPS_PROXY": "http://a:1"}, "a"),
        (HTTPS, None, {"HTTP_PROXY": "http://a:1"}, None),
        (HTTPS, None, {"ALL_PROXY": "http://c:1"}, "c"),
        (HTTPS, None, {"all_proxy": "d:3128", "ALL_PROXY": "http://c:1"}, "d"),
        (HTTPS, None, {"ALL_PROXY": "socks5://c:1", "HTTPS_PROXY": "http://a:1"}, "a"),
        (HTTP, None, {"HTTP_PROXY": "http://a:1", "HTTPS_PROXY": "http://b:1"}, "a"),
        (HTTP, None, {"HTTP_PROXY": "http://a:1", "REQUEST_METHOD": "GET"}, None),
        (HTTP, None, {"http_proxy": "http://a:1", "REQUEST_METHOD": "GET"}, "a"),
        (HTTPS, None, {"HTTPS_PROXY": "http://a:1", "REQUEST_METHOD": "GET"}, "a"),
        (HTTP, None, {"HTTP_PROXY": "http://a:1", "NO_PROXY": "acme.test"}, None),
        (HTTP, None, {"HTTP_PROXY": "socks5://a:1", "NO_PROXY": "*"}, None),
        (HTTP, None, {"HTTP_PROXY": "http://a:1", "no_proxy": "x", "NO_PROXY": "*"}, "a"),
        ("http://127.0.0.1:8000/v1", None, {"HTTP_PROXY": "http://a:1"}, None),
        ("http://127.0.0.1:8000/v1", "http://p.test", {}, "p.test"),
        (HTTPS, "http://p.test:3128", {"HTTPS_PROXY": "http://a:1", "NO_PROXY": "*"}, "p.test"),
        (HTTPS, "env:P", {"HTTPS_PROXY": "http://a:1"}, "variable.test"),
        (HTTPS, "none", {"HTTPS_PROXY": "http://a:1"}, None),
    ],
)
def test_a_providers_proxy_is_its_own_or_the_environments(
    url: str, said: str | None, environ: dict[str, str], expected: str | None
) -> None:
    assert expected == chosen(url, environ, said)


@pytest.mark.parametrize(
    ("text", "host", "port", "authorization"),
    [
        ("http://p.test", "p.test", 80, ""),
        ("http://p.test:3128/", "p.test", 3128, ""),
        ("p.test:3128", "p.test", 3128, ""),
        ("HTTP://P.test", "p.test", 80, ""),
        ("http://[::1]:3128", "::1", 3128, ""),
        ("http://Aladdin:open%20sesame@p.test", "p.test", 80, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("user@p.test:1", "p.test", 1, "Basic dXNlcjo="),
        ("http://u:%C3%A4%3A@p.test", "p.test", 80, "Basic dTrDpDo="),
    ],
)
def test_a_proxys_url_is_read(text: str, host: str, port: int, authorization: str) -> None:
    proxy = read_proxy(text, "HTTPS_PROXY")

    assert (host, port, authorization) == (proxy.host, proxy.port, str(proxy.authorization))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://u:secret@p.test", "https proxies are not supported"),
        ("socks5h://u:secret@p.test", "socks5h proxies are not supported"),
        ("SOCKS4://p.test", "socks4 proxies are not supported"),
        ("ftp://secret", "is written as"),
        ("http://u:secret@", "is written as"),
        ("http://u:se/cret@p.test", "is written as"),
        ("http://u:secret@p.test/path", "is written as"),
        ("http://u:secret@p.test?x", "is written as"),
        ("http://u:secret@p.test:0", "is written as"),
        ("http://u:secret@p.test:99999", "is written as"),
        ("http://u:secret@p.test:port", "is written as"),
        ("http://u:secret@[p.test", "is written as"),
        ("http://u:secret@p test", "is written as"),
        ("http://u:secret@exämple", "is written as"),
        ("http://u%3A:secret@p.test", "cannot be told"),
        ("http://u:secret%0d%0aX@p.test", "cannot be told"),
    ],
)
def test_an_unusable_proxy_is_told_in_one_line_without_its_secret(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        read_proxy(text, "HTTPS_PROXY")
    message = told.value.message

    assert message.startswith("HTTPS_PROXY: ")
    assert words in message
    assert "\n" not in message
    assert "secret" not in message
    assert "cret@" not in message
    assert told.value.__cause__ is None


def test_an_unusable_proxy_in_the_environment_is_told_by_its_variable() -> None:
    with pytest.raises(ConfigError, match=r"^ALL_PROXY: socks5"):
        chosen(HTTPS, {"ALL_PROXY": "socks5://127.0.0.1:9050"})


def test_no_text_of_a_proxy_shows_its_password() -> None:
    proxy = read_proxy("http://user:secret@p.test", "x")
    shown = f"{proxy!r} {proxy} {proxy.authorization!r} {Tunnel(proxy, 'h', 1)!r}"

    assert "p.test" in shown
    assert not any(part in shown for part in ("secret", "user", "dXNlc", "Basic"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True), ("LOCALHOST.", True), ("api.localhost", True), ("127.0.0.1", True),
        ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True), ("127.1", True),
        ("2130706433", True), ("0x7f000001", True), ("0.0.0.0", True), ("localhost.test", False),
        ("10.0.0.1", False), ("notlocalhost", False), ("127.0.0.1.test", False),
    ],
)  # fmt: skip
def test_this_machine_is_known_however_it_is_written(host: str, expected: bool) -> None:
    assert expected is is_loopback(host)


@pytest.mark.parametrize(
    ("host", "port", "excepted", "expected"),
    [
        ("api.acme.test", 443, "*", True),
        ("api.acme.test", 443, "acme.test", True),
        ("api.acme.test", 443, ".acme.test", True),
        ("acme.test", 443, ".acme.test", True),
        ("api.acme.test", 443, "*.acme.test", True),
        ("API.Acme.Test.", 443, "acme.TEST", True),
        ("notacme.test", 443, "acme.test", False),
        ("acme.test.evil", 443, "acme.test", False),
        ("acme.test", 443, "other.test, acme.test", True),
        ("acme.test", 443, "other.test acme.test", True),
        ("acme.test", 443, "", False),
        ("acme.test", 443, ", ,.,*.", False),
        ("acme.test", 443, "acme.test:443", True),
        ("acme.test", 443, "acme.test:8443", False),
        ("10.1.2.3", 80, "10.1.2.3", True),
        ("10.1.2.3", 80, "10.1.2.3:80", True),
        ("10.1.2.3", 80, "10.1.2.3:81", False),
        ("10.1.2.3", 80, "10.0.0.0/8", True),
        ("11.1.2.3", 80, "10.0.0.0/8", False),
        ("10.1.2.3", 80, "10.1.2.3/8", True),
        ("10.1.2.3", 80, "nonsense/8", False),
        ("10.1.2.3", 80, "2.3", False),
        ("10.1.2.3", 80, "fd00::/8", False),
        ("fd00::1", 80, "fd00::/8", True),
        ("fd00::1", 80, "fd00:0::1", True),
        ("fd00::1", 80, "[fd00::1]", True),
        ("fd00::1", 80, "[fd00::1]:80", True),
        ("fd00::1", 80, "[fd00::1]:81", False),
        ("::ffff:10.0.0.1", 80, "10.0.0.0/8", True),
        ("acme.test", 80, "10.0.0.0/8", False),
    ],
)
def test_no_proxy_names_origins(host: str, port: int, excepted: str, expected: bool) -> None:
    assert expected is is_excepted(host, port, excepted)


# --- the tunnel ------------------------------------------------------------------------------------
@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


PROXY = Proxy("p.test", 3128, read_proxy("http://u:p@p.test", "x").authorization)
OK = b"HTTP/1.1 200 Connection established\r\n\r\n"
Ends = tuple[socket.socket, socket.socket]


async def test_a_proxy_is_asked_for_the_origin_and_told_who_asks(ends: Ends) -> None:
    for host, authority in (("acme.test", b"acme.test:443"), ("fd00::1", b"[fd00::1]:443")):
        ends[1].sendall(OK)
        await Tunnel(PROXY, host, 443).open(ends[0])
        lines = ends[1].recv(10_000).split(b"\r\n")

        assert b"CONNECT %b HTTP/1.1" % authority == lines[0]
        assert {b"host: " + authority, b"proxy-authorization: Basic dTpw"} < set(lines)
        assert [b"", b""] == lines[-2:]


async def test_it_opens_however_the_answer_is_cut_and_the_wait_is_cancelled(ends: Ends) -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" + OK.replace(
        b"\r\n\r\n", b"\r\nA: b\r\n\r\n"
    )
    tunnel, done = Tunnel(PROXY, "acme.test", 443), False
    for at in range(len(answer)):
        assert not done
        with trio.move_on_after(0.0005) as scope:
            await tunnel.open(ends[0])
            done = True
        assert scope.cancelled_caught
        ends[1].sendall(answer[at : at + 1])
    await tunnel.open(ends[0])
    assert 1 == ends[1].recv(10_000).count(b"CONNECT")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b"HTTP/1.1 407 Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
            "status 407",
        ),
        (b"HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nno!", "status 403"),
        (b"HTTP/1.0 502 Bad Gateway\r\n\r\n", "status 502"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere\r\n\r\n", "status 302"),
        (OK + b"\x15\x03", "more than it was asked for"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_BYTES_MAX, "size limit"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_BYTES_MAX + b"\r\n\r\n", "malformed"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20, "no final reply"),
        (b"HTTP/1.1 200", "ended the connection"),
        (b"", "ended the connection"),
    ],
)
async def test_a_proxy_that_refuses_is_told_without_its_secret(
    ends: Ends, answer: bytes, words: str
) -> None:
    ends[1].sendall(answer)
    ends[1].shutdown(socket.SHUT_WR)
    with pytest.raises(UpstreamUnavailableError, match=words) as told, trio.fail_after(1):
        await Tunnel(PROXY, "acme.test", 443).open(ends[0])

    assert "dTpw" not in str(told.value)
    assert "acme" not in str(told.value)


async def test_a_proxy_that_resets_is_told(ends: Ends) -> None:
    ends[1].close()
    with pytest.raises(UpstreamUnavailableError, match="reset"):
        await Tunnel(PROXY, "acme.test", 443).open(ends[0])
