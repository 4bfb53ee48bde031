"""`Retry-After` as providers send it: seconds, or an HTTP date (RFC 9110 10.2.3)."""

from email.utils import parsedate_to_datetime


def read_retry_after(value: bytes | None, unix_now: int) -> float | None:
    """Seconds to wait, 0 or more; None if absent or unreadable."""
    if value is None:
        return None
    text = value.decode("latin-1").strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text[:DIGITS_MAX])
    try:
        return max(parsedate_to_datetime(text).timestamp() - unix_now, 0.0)
    except (ValueError, TypeError, OverflowError):
        return None


DIGITS_MAX = 12
"""Digits read of a number; what is longer is far beyond every clamp anyway."""
