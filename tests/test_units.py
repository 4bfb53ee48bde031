"""Money stays an integer."""

import pytest

from proxy.units import price_from_usd, to_usd, usd_per_million, usd_per_unit


@pytest.mark.parametrize(
    ("text", "nano"),
    [("2.50", 2_500_000_000), ("0", 0), ("0.0375", 37_500_000), ("1000000", 10**15)],
)
def test_a_price_is_read_exactly(text: str, nano: int) -> None:
    assert nano == price_from_usd(text)


@pytest.mark.parametrize(
    "text", ["", "x", "NaN", "Infinity", "-1", "1000001", "0.0000000001", "1,5"]
)
def test_a_price_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"decimal|within|finer"):
        price_from_usd(text)


def test_prices_and_money_are_shown_without_exponents_or_padding() -> None:
    assert "0.0000025" == usd_per_unit(price_from_usd("2.50"))
    assert "0" == usd_per_unit(price_from_usd("0"))
    assert "2.5" == usd_per_million(price_from_usd("2.50"))
    assert 0.000001 == to_usd(1000)
