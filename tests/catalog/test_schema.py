"""Prices as written become integers with a version."""

import pytest

from proxy.catalog.schema import QUIRKS, DatedPrices, read_prices
from proxy.config import PriceSettings
from proxy.model.endpoint import Prices


def test_dated_prices_carry_their_date() -> None:
    written = DatedPrices(since="2026-07-02", prompt="2.50", completion="10", request="1")

    assert read_prices(written) == Prices(
        prompt=2_500_000_000,  # type: ignore[arg-type]
        completion=10_000_000_000,  # type: ignore[arg-type]
        request=1_000_000_000,  # type: ignore[arg-type]
        version="2026-07-02",
    )


def test_configured_prices_carry_a_digest_that_changes_with_them() -> None:
    first = read_prices(PriceSettings(prompt="1", completion="2", cache_read="0.1"))
    second = read_prices(PriceSettings(prompt="1", completion="3", cache_read="0.1"))

    assert first.cache_read == 100_000_000
    assert first.cache_write is None
    assert first.version.startswith("config-")
    assert first.version != second.version


def test_free_is_zero_and_says_so() -> None:
    prices = read_prices("free")

    assert (prices.prompt, prices.completion, prices.request) == (0, 0, 0)
    assert prices.version == "free"


def test_a_price_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not a decimal"):
        read_prices(PriceSettings(prompt="cheap", completion="1"))


def test_every_quirk_is_explained_in_one_line() -> None:
    assert all(meaning and "\n" not in meaning for meaning in QUIRKS.values())
