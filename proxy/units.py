"""Quantities and their conversions: money is an integer, everywhere, and every name ends in its unit.

Rule 1: no float holds money. Rule 2: one rounding per charge, half up, at the very end.
"""

import re
from decimal import Context, Decimal, InvalidOperation
from typing import NewType

Seconds = NewType("Seconds", float)
"""A span, or a point on the monotonic clock of `net.clock`; seconds."""

NanoDollars = NewType("NanoDollars", int)
"""Money; 1e-9 USD."""

NanoDollarsPerMillion = NewType("NanoDollarsPerMillion", int)
"""A price: nano-dollars for a million units (tokens, usually). "2.50" USD per million is 2_500_000_000."""

NANO = 1_000_000_000
MILLION = 1_000_000
PRICE_USD_MAX = Decimal(1_000_000)
"""Dearest price accepted, USD per million units: a thousand times the dearest one listed in 2026."""


PLAIN = re.compile(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?", re.ASCII)
"""What a price looks like; Decimal by itself reads underscores, spaces and any script's digits."""
EXACT = Context(prec=400)
"""Digits enough for any price that is not refused for its length first."""
PRICE_CHARACTERS_MAX = 100


def price_from_usd(text: str) -> NanoDollarsPerMillion:
    """Read a price in USD per million units, such as "2.50"; exact to 1e-9 USD per million.

    Raises: ValueError for anything that is not a finite decimal within 0..PRICE_USD_MAX.
    """
    if len(text) > PRICE_CHARACTERS_MAX:
        raise ValueError(f"a price has at most {PRICE_CHARACTERS_MAX} characters")
    try:
        usd = Decimal(text if PLAIN.fullmatch(text) else "")
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a decimal number") from None
    if not usd.is_finite() or not 0 <= usd <= PRICE_USD_MAX:
        raise ValueError(f"{text!r} is not within 0..{PRICE_USD_MAX} USD per million")
    nano = usd.scaleb(9, EXACT)
    if nano != nano.to_integral_value(context=EXACT):
        raise ValueError(f"{text!r} is finer than 1e-9 USD per million")
    return NanoDollarsPerMillion(int(nano))


def usd_per_unit(price: NanoDollarsPerMillion) -> str:
    """Show a price as the API does: USD for one unit, a plain decimal string ("0.0000025", "0")."""
    value = Decimal(price).scaleb(-15).normalize()
    return f"{value:f}"


def usd_per_million(price: NanoDollarsPerMillion) -> str:
    """Show a price as configuration does: USD per million units ("2.5")."""
    value = Decimal(price).scaleb(-9).normalize()
    return f"{value:f}"


def to_usd(amount: int) -> float:
    """Show money as the API does: a JSON number of USD. Shown only; never computed with."""
    return amount / NANO
