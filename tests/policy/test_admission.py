"""An open gateway answers programs of its machine, not pages that a browser shows."""

import pytest

from proxy.policy.admission import foreign


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"host": b"localhost:8080"},
        {b"host": b"127.0.0.1"},
        {b"host": b"[::1]:8080"},
        {b"host": b"LOCALHOST"},
        {b"host": b"my.host:1"},
        {b"host": b"localhost", b"origin": b"http://localhost:3000"},
        {b"host": b"localhost", b"origin": b"https://app.example"},
    ],
)
def test_callers_of_this_machine_are_let_in(headers: dict[bytes, bytes]) -> None:
    assert None is foreign(
        headers, local=True, hosts=("my.host",), origins=("https://app.example",)
    )


@pytest.mark.parametrize(
    ("headers", "local", "reason"),
    [
        ({b"host": b"localhost"}, False, "only its own machine"),
        ({b"host": b"evil.example"}, True, "Host"),
        ({b"host": b"localhost.evil.example"}, True, "Host"),
        ({b"host": b"localhost", b"origin": b"https://evil.example"}, True, "Origin"),
        ({b"host": b"localhost", b"origin": b"null"}, True, "Origin"),
        ({b"host": b"[::2]"}, True, "Host"),
    ],
)
def test_others_are_told_why_not(headers: dict[bytes, bytes], local: bool, reason: str) -> None:
    assert reason in (foreign(headers, local=local) or "")
