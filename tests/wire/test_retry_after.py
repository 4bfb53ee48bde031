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
