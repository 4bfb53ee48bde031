"""A refusal names the line and the reason, and nothing that could be a secret."""

import pytest

from proxy.errors import InvalidRequestError, UpstreamUnavailableError
from proxy.wire.diagnosis import NAME_CHARACTERS_MAX, shown, why_not_request, why_not_response
from tests.wire.conformance import ACCEPTED_REQUESTS, ACCEPTED_RESPONSES, refused_requests

START = b"GET / HTTP/1.1\r\nHost: a\r\n"


def test_the_line_the_name_and_the_reason_are_told() -> None:
    error = why_not_request(START + b"X: y\r\nTransfer-Encoding : chunked\r\n\r\n", 9)

    assert isinstance(error, InvalidRequestError)
    assert (
        'Malformed HTTP request head: header field 3 ("Transfer-Encoding "): a space before the colon.'
        == error.message
    )


def test_the_first_fault_is_told() -> None:
    error = why_not_request(START + b"X : y\r\nZ\0: 1\r\n\r\n", 9)

    assert 'field 2 ("X ")' in error.message


def test_a_provider_is_told_of_in_the_same_way() -> None:
    error = why_not_response(b"HTTP/1.1 200 OK\r\nX: y\r\n: S3CRET\r\n\r\n")

    assert isinstance(error, UpstreamUnavailableError)
    assert "Provider sent a malformed reply: header field 2: no name." == error.message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"X-A", "X-A"), (b"X ", "X "), (b"", ""), (b'"\\', "\\x22\\x5c"), (b"\x00\x1b\xff", "\\x00\\x1b\\xff"),
        (b"a" * 65, "a" * 64), (b"\n" * 64, "\\x0a" * 16),
    ],
)  # fmt: skip
def test_a_name_is_shown_printable_and_cut(name: bytes, text: str) -> None:
    assert text == shown(name)
    assert len(text) <= NAME_CHARACTERS_MAX


def test_where_no_rule_is_broken_the_parser_is_named() -> None:
    for raw, _ in ACCEPTED_REQUESTS:
        assert why_not_request(raw, 100).message.endswith("the parser refuses it.")
    for raw, _ in ACCEPTED_RESPONSES:
        assert why_not_response(raw).message.endswith("the parser refuses it.")


def test_every_refusal_of_the_table_has_a_reason_of_its_own() -> None:
    for raw, why in refused_requests():
        error = why_not_request(raw, 100)
        assert why in error.message
        assert not error.message.endswith("the parser refuses it.")
