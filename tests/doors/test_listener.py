"""Addresses are opened once, all or none; what cannot be opened is one line."""

import socket
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from proxy.config import parse_settings
from proxy.doors.listener import ALT_SVC_S, UNSENT_BYTES_MAX, Listener, open_listeners
from proxy.errors import ConfigError
from proxy.units import Seconds


def opened(*bind: str | dict[str, Any]) -> list[Listener]:
    settings = parse_settings({"server": {"bind": list(bind), "data": ""}}, origin="the test")
    return open_listeners(settings, lambda: Seconds(0))


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with certificate and key."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    trustme.CA().issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        path
    )
    return str(path)


def test_every_address_is_listened_on(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listeners = opened("127.0.0.1:0", f"unix:{path}", "[::1]:0")
    try:
        ports = [one.sock.getsockname()[1] for one in (listeners[0], listeners[2])]
        urls = [f"http://127.0.0.1:{ports[0]}", f"unix:{path}", f"http://[::1]:{ports[1]}"]
        assert urls == [one.url for one in listeners]
        assert [False] * 3 == [one.sock.getblocking() for one in listeners]
        assert [True, False, True] == [one.tcp for one in listeners]
        assert 0o600 == path.stat().st_mode & 0o777
    finally:
        for listener in listeners:
            listener.close()
    assert not path.exists()


def test_an_address_in_use_is_told_and_the_others_are_let_go() -> None:
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        text = f"127.0.0.1:{used.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"server.bind: cannot listen on {text}: .*in use"):
            opened("127.0.0.1:0", text)


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1:80"):
        opened("192.0.2.1:80")


def test_a_socket_file_that_nobody_answers_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    (listener,) = opened(f"unix:{path}")
    with pytest.raises(ConfigError, match="in use"):
        opened(f"unix:{path}")
    listener.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("x")
    with pytest.raises(ConfigError, match="cannot listen"):
        opened(f"unix:{path}")

    assert "x" == path.read_text()


@pytest.mark.parametrize(
    ("table", "scheme", "http2"),
    [
        ({}, "http", False),
        ({"http2": True}, "http", True),
        ({"tls_cert": "PEM"}, "https", True),
        ({"tls_cert": "PEM", "tls_key": "PEM", "http2": False}, "https", False),
    ],
)
def test_a_listener_speaks_what_its_table_says(
    table: dict[str, Any], scheme: str, http2: bool, pem: str
) -> None:
    named = {key: pem if value == "PEM" else value for key, value in table.items()}
    (listener,) = opened({"address": "127.0.0.1:0", **named})
    try:
        assert listener.url.startswith(f"{scheme}://127.0.0.1:")
        assert http2 is listener.settings.speaks_http2
        assert (listener.tls is not None) is (scheme == "https")
        assert b"" == listener.announce
    finally:
        listener.close()


def test_http3_listens_to_the_same_port_and_is_announced(pem: str) -> None:
    (listener,) = opened({"address": "127.0.0.1:0", "tls_cert": pem, "http3": True})
    try:
        assert listener.datagrams is not None
        port = listener.sock.getsockname()[1]
        assert port == listener.datagrams.getsockname()[1]
        assert b'alt-svc: h3=":%d"; ma=%d\r\n' % (port, ALT_SVC_S) == listener.announce
    finally:
        listener.close()


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"tls_key": "x"}, r"server\.bind\[0\]\.tls_key: needs tls_cert"),
        ({"http3": True}, r"server\.bind\[0\]\.http3: needs tls_cert"),
        ({"tls_cert": "/no/such.pem"}, r"server\.bind: tls_cert /no/such\.pem: No such file"),
        ({"parser": "lenient"}, r"server\.bind\[0\]\.parser: "),
    ],
)
def test_a_listener_that_makes_no_sense_is_one_line(table: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        opened(
            "127.0.0.1:0", {"address": "127.0.0.1:0", **table}
        ) if "tls_cert" in table else opened({"address": "127.0.0.1:0", **table})


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone has the option")
async def test_accepted_connections_give_up_on_a_peer_that_is_gone_without_a_word() -> None:
    (listener,) = opened("127.0.0.1:0")
    try:
        async with await trio.open_tcp_stream(*listener.sock.getsockname()):
            client, _ = listener.sock.accept()
            with client:
                assert 35_000 == client.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                assert UNSENT_BYTES_MAX == client.getsockopt(
                    socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT
                )
                assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    finally:
        listener.close()
