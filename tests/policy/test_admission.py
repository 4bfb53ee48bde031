"""Who may call a gateway without keys: this machine's programs, no page of a browser on it."""

import pytest

from proxy.policy.admission import foreign, is_loopback


@pytest.mark.parametrize(
    "host",
    [None, b"localhost", b"localhost:8080", b"127.0.0.1", b"127.0.0.1:8080", b"[::1]", b"[::1]:8080",
     b"LOCALHOST:1"],
)  # fmt: skip
def test_a_program_of_this_machine_may_call(host: bytes | None) -> None:
    headers = {} if host is None else {b"host": host}

    assert None is foreign(headers, local=True)


def test_another_machine_may_not() -> None:
    assert "its own machine" in (foreign({b"host": b"localhost"}, local=False) or "")


@pytest.mark.parametrize(
    "host",
    [b"evil.test", b"localhost.evil.test", b"127.0.0.1.evil.test:80", b"", b"[::2]", b"[", b"\xff",
     b"0.0.0.0", b"127.0.0.2"],
)  # fmt: skip
def test_a_name_that_resolves_to_loopback_is_not_loopback(host: bytes) -> None:
    assert "server.hosts" in (foreign({b"host": host}, local=True) or "")


def test_the_operator_may_name_more_hosts() -> None:
    headers = {b"host": b"Gateway.Internal:8080"}

    assert None is foreign(headers, local=True, hosts=["gateway.internal"])
    assert None is not foreign(headers, local=True, hosts=["gateway"])


@pytest.mark.parametrize(
    "origin",
    [b"http://localhost:3000", b"http://127.0.0.1", b"https://[::1]:1", b"HTTP://LocalHost"],
)
def test_a_page_of_this_machine_may_call(origin: bytes) -> None:
    assert None is foreign({b"origin": origin}, local=True)


@pytest.mark.parametrize(
    "origin",
    [b"null", b"", b"https://evil.test", b"http://localhost.evil.test", b"http://evil.test:80",
     b"file://", b"localhost", b"http://localhost@evil.test", b"http://evil.test/localhost"],
)  # fmt: skip
def test_a_page_of_another_site_may_not(origin: bytes) -> None:
    assert "server.origins" in (foreign({b"origin": origin}, local=True) or "")


def test_the_operator_may_name_origins_scheme_and_port_included() -> None:
    headers = {b"origin": b"https://App.Example:8443"}

    assert None is foreign(headers, local=True, origins=["https://app.example:8443"])
    assert None is not foreign(headers, local=True, origins=["https://app.example"])


@pytest.mark.parametrize("header", [b"host", b"origin"])
def test_brackets_are_no_cloak_for_another_name(header: bytes) -> None:
    value = b"[::1].evil.test" if header == b"host" else b"http://[::1].evil.test"

    assert None is not foreign({header: value}, local=True)


@pytest.mark.parametrize("origin", [b"http://[::1]", b"http://[::1]:3000"])
def test_brackets_around_loopback_are_fine_with_a_port_and_without(origin: bytes) -> None:
    assert None is foreign({b"origin": origin}, local=True)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False), ("::ffff:10.0.0.1", False), ("fe80::1", False), ("1.127.0.1", False),
    ],
)  # fmt: skip
def test_loopback_is_told_from_the_rest(host: str, loopback: bool) -> None:
    assert loopback is is_loopback(host)
