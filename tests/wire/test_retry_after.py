"""Retry-After in both of its forms, and in none."""

import pytest

from proxy.wire.retry_after import read_retry_after

NOON = 1_700_000_000


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        (b"9", 9.0),
        (b"1.5", 1.5),
        (b"-1", None),
        (b"1e9", None),
        (b"soon", None),
        (b"99999999999999999999", 999999999999.0),
        (b"Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        (b"Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        (b"Tue, 99 Nov 2023 22:00:00 GMT", None),
    ],
)
def test_a_hint_is_read_or_left(value: bytes | None, seconds: float | None) -> None:
    assert seconds == read_retry_after(value, NOON)


@pytest.mark.parametrize(
    "value", [b"\xb2", b"\xb9.5", b".", b"", b" ", b"5.5.5", b"\xff\xfe", b"inf"]
)
def test_a_hint_of_odd_digits_is_left_and_breaks_nothing(value: bytes) -> None:
    assert None is read_retry_after(value, NOON)


@pytest.mark.parametrize(
    "value",
    [b"Fri, 31 Dec 9999 23:59:59 -2359", b"Tue, 14 Nov 99999 22:13:30 GMT", b"0, 0 Jan 0 0:0:0"],
)
def test_a_date_at_the_end_of_time_breaks_nothing(value: bytes) -> None:
    assert (read_retry_after(value, NOON) or 0.0) >= 0.0
