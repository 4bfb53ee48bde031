"""CORS as data."""

import pytest

from proxy.console import cors


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/api/v1/models", True), ("/v1/x", True), ("/metrics", False), ("/api/v2/x", False)],
)
def test_only_api_paths_are_shared(path: str, expected: bool) -> None:
    assert expected == cors.is_api(path)


def test_a_preflight_has_a_method_and_an_origin() -> None:
    asked = {b"origin": b"https://a.test", b"access-control-request-method": b"POST"}

    assert cors.is_preflight("OPTIONS", asked)
    assert not cors.is_preflight("GET", asked)
    assert not cors.is_preflight("OPTIONS", {b"origin": b"https://a.test"})


@pytest.mark.parametrize("asked", [b"", b"a;b", b"a\tb", b",", b"x" * 5000, b"a, b\xff"])
def test_what_is_no_list_of_names_is_not_sent_back(asked: bytes) -> None:
    answer = dict(cors.preflight_headers({b"access-control-request-headers": asked}))

    assert cors.HEADERS_DEFAULT.encode() == answer[b"access-control-allow-headers"]


def test_asked_names_are_granted() -> None:
    asked = b"authorization, x-stainless-os ,content-type"

    answer = dict(cors.preflight_headers({b"access-control-request-headers": asked}))

    assert asked == answer[b"access-control-allow-headers"]
