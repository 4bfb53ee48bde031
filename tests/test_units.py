"""Money in and out of text: exact, or refused."""

from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from proxy.units import (
    MILLION,
    NANO,
    NanoDollarsPerMillion,
    price_from_usd,
    to_usd,
    usd_per_million,
    usd_per_unit,
)

PRICES = st.integers(0, 1_000_000 * NANO).map(NanoDollarsPerMillion)


@pytest.mark.parametrize(
    ("text", "nano"),
    [("2.50", 2_500_000_000), ("0", 0), ("0.000000001", 1), ("1e-9", 1), ("1000000", 10**15)],
)
def test_a_price_is_read_exactly(text: str, nano: int) -> None:
    assert nano == price_from_usd(text)


@pytest.mark.parametrize(
    "text", ["", "two", "nan", "sNaN", "inf", "-inf", "0x10", "1,5", "$2", "1_0", " 1", "٣"]
)
def test_what_is_no_number_is_no_price(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not"):
        price_from_usd(text)


@pytest.mark.parametrize("text", ["-0.01", "1000000.01", "1e99"])
def test_a_price_is_bounded(text: str) -> None:
    with pytest.raises(ValueError, match="is not within"):
        price_from_usd(text)


@pytest.mark.parametrize("text", ["0.0000000001", "1.0000000005"])
def test_a_price_finer_than_the_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="finer"):
        price_from_usd(text)


def test_a_price_finer_than_decimals_precision_is_refused_too() -> None:
    with pytest.raises(ValueError, match="finer"):
        price_from_usd("1." + "0" * 40 + "1")


def test_a_price_of_absurd_length_is_refused_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="characters"):
        price_from_usd("1." + "0" * 1000)


@given(PRICES)
def test_a_price_shown_is_read_back_the_same(price: NanoDollarsPerMillion) -> None:
    assert price == price_from_usd(usd_per_million(price))


@given(PRICES)
def test_a_price_for_one_unit_is_a_plain_decimal(price: NanoDollarsPerMillion) -> None:
    shown = usd_per_unit(price)

    assert not set(shown) - set("0123456789.")
    assert price == Decimal(shown).scaleb(15)


@pytest.mark.parametrize(
    ("price", "per_unit", "per_million"),
    [(2_500_000_000, "0.0000025", "2.5"), (0, "0", "0"), (10**15, "1", "1000000")],
)
def test_prices_are_shown_as_the_api_and_as_configuration_do(
    price: int, per_unit: str, per_million: str
) -> None:
    assert per_unit == usd_per_unit(NanoDollarsPerMillion(price))
    assert per_million == usd_per_million(NanoDollarsPerMillion(price))


def test_money_is_shown_in_dollars() -> None:
    assert 0.0 == to_usd(0)
    assert 1.5 == to_usd(1_500 * MILLION)
