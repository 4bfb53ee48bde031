"""Bills: integers, rounded once, never above what was held."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from proxy.model.call import Call
from proxy.model.endpoint import Endpoint, Prices
from proxy.model.event import Usage
from proxy.model.meter import Delivered
from proxy.policy.pricing import believable, bill, billable, worst_case
from proxy.units import MILLION, NanoDollarsPerMillion
from tests.fakes.things import a_call, an_endpoint

PRICE = st.one_of(st.integers(0, 9), st.integers(0, 100_000_000_000)).map(NanoDollarsPerMillion)
PRICES = st.builds(
    Prices,
    PRICE,
    PRICE,
    cache_read=st.none() | PRICE,
    cache_write=st.none() | PRICE,
    request=PRICE,
)


def price(**changes: Any) -> Prices:
    fields = {"prompt": 2_000_000_000, "completion": 8_000_000_000, **changes}
    return Prices(**{name: NanoDollarsPerMillion(value) for name, value in fields.items()})


@st.composite
def usages(draw: st.DrawFn, prompt_max: int = 5000, output_max: int = 5000) -> Usage:
    """Normalised usage: cached and written tokens are part of the prompt."""
    prompt = draw(st.integers(0, prompt_max))
    cached = draw(st.integers(0, prompt))
    written = draw(st.integers(0, prompt - cached))
    return Usage(prompt, draw(st.integers(0, output_max)), cached, written)


@given(usages(), PRICES)
def test_a_bill_is_whole_nanodollars_and_the_sum_of_its_parts(usage: Usage, prices: Prices) -> None:
    bill_ = bill(usage, prices)

    assert all(type(c) is int for c in (bill_.cost, bill_.prompt_cost, bill_.completion_cost))
    assert bill_.cost == bill_.prompt_cost + bill_.completion_cost
    assert bill_.prompt_cost >= 0 <= bill_.completion_cost
    assert usage is bill_.usage


@given(usages(), PRICES)
def test_a_bill_is_rounded_once_half_up(usage: Usage, prices: Prices) -> None:
    read = prices.prompt if prices.cache_read is None else prices.cache_read
    write = prices.prompt if prices.cache_write is None else prices.cache_write
    plain = usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens
    exact = (
        Decimal(plain) * prices.prompt
        + usage.cached_tokens * read
        + usage.cache_write_tokens * write
        + usage.completion_tokens * prices.completion
        + prices.request
    ) / MILLION

    assert exact.quantize(Decimal(1), ROUND_HALF_UP) == bill(usage, prices).cost


@given(usages(prompt_max=400, output_max=50), PRICES)
def test_a_bill_within_the_caps_never_exceeds_the_worst_case(usage: Usage, prices: Prices) -> None:
    call, endpoint = a_call(max_tokens=50), an_endpoint(prices=prices)

    assert bill(usage, prices).cost <= worst_case(call, endpoint)


def test_two_halves_rounded_up_are_still_within_the_worst_case() -> None:
    call, prices = a_call(max_tokens=1), price(prompt=500_000, completion=500_000)
    call.prompt_bytes = 1

    assert bill(Usage(1, 1), prices).cost <= worst_case(call, an_endpoint(prices=prices))


def test_a_cache_dearer_than_the_prompt_is_within_the_worst_case() -> None:
    prices = price(cache_read=9_000_000_000)

    assert bill(Usage(400, 0, 400), prices).cost <= worst_case(
        a_call(max_tokens=1), an_endpoint(prices=prices)
    )


def test_every_choice_asked_for_is_within_the_worst_case() -> None:
    call = a_call(max_tokens=50, n=4)

    assert bill(Usage(400, 4 * 50), price()).cost <= worst_case(call, an_endpoint(prices=price()))


@pytest.mark.parametrize(
    ("usage", "prices", "prompt", "completion"),
    [
        (Usage(10, 5), price(), 20_000, 40_000),
        (Usage(10, 0, 4), price(), 20_000, 0),
        (Usage(10, 0, 4), price(cache_read=500_000_000), 14_000, 0),
        (Usage(10, 0, 0, 4), price(cache_write=2_500_000_000), 22_000, 0),
        (Usage(10, 0, 4, 6), price(cache_read=0, cache_write=0), 0, 0),
        (Usage(1, 0, 2, 3), price(cache_read=0, cache_write=1_000_000), 3, 0),
        (Usage(0, 0), price(request=1_500_000), 2, 0),
        (Usage(1, 1), price(prompt=499_999, completion=500_000), 0, 1),
    ],
)
def test_tokens_are_priced_by_what_they_are(
    usage: Usage, prices: Prices, prompt: int, completion: int
) -> None:
    charged = bill(usage, prices)

    assert (prompt, completion) == (charged.prompt_cost, charged.completion_cost)


@pytest.mark.parametrize(
    ("cap", "endpoint_cap", "tokens"), [(7, 9, 7), (None, 9, 9), (None, None, 100)]
)
def test_the_worst_case_takes_the_nearest_cap_of_output(
    cap: int | None, endpoint_cap: int | None, tokens: int
) -> None:
    call, endpoint = (
        the_cheapest(cap),
        an_endpoint(prices=price(prompt=0), output_tokens_max=endpoint_cap, context_length=100),
    )

    assert tokens * 8_000 == worst_case(call, endpoint)


def the_cheapest(cap: int | None) -> Call:
    call = a_call(max_tokens=cap)
    call.prompt_bytes = 0
    return call


def test_a_prompt_is_no_longer_than_its_bytes_nor_than_the_context() -> None:
    call, short = a_call(max_tokens=1), an_endpoint(context_length=10)

    assert 400 * 2_000 + 8_000 == worst_case(call, an_endpoint())
    assert 10 * 2_000 + 8_000 == worst_case(call, short)


ENDPOINT: Endpoint = an_endpoint(context_length=10_000)


@pytest.mark.parametrize(
    ("usage", "output_bytes", "believed"),
    [
        (Usage(0, 0), 0, False),
        (Usage(0, 0), 9, False),
        (Usage(5, 0), 9, False),
        (Usage(5, 0), 0, True),
        (Usage(0, 5), 9, True),
        (Usage(5, 5), 9, True),
        (Usage(20_000, 5), 9, True),
        (Usage(20_001, 5), 9, False),
    ],
)
def test_usage_that_cannot_be_is_not_believed(
    usage: Usage, output_bytes: int, believed: bool
) -> None:
    assert believed == believable(usage, Delivered(output_bytes=output_bytes), ENDPOINT)


def test_a_tiny_context_length_is_taken_for_a_slip() -> None:
    assert believable(Usage(16_384, 1), Delivered(), an_endpoint(context_length=1))
    assert not believable(Usage(16_385, 1), Delivered(), an_endpoint(context_length=1))


def test_the_providers_count_is_billed_if_it_can_be_believed() -> None:
    usage = Usage(5, 5)

    assert usage is billable(a_call(), Delivered(output_bytes=9, usage=usage), ENDPOINT)


@pytest.mark.parametrize(
    ("usage", "output_bytes", "prompt_bytes", "counted"),
    [(None, 9, 400, (100, 3)), (Usage(0, 0), 8, 3, (1, 2)), (None, 0, 0, (1, 0))],
)
def test_without_one_we_count_bytes(
    usage: Usage | None, output_bytes: int, prompt_bytes: int, counted: tuple[int, int]
) -> None:
    call = a_call()
    call.prompt_bytes = prompt_bytes

    ours = billable(call, Delivered(output_bytes=output_bytes, usage=usage), ENDPOINT)

    assert counted == (ours.prompt_tokens, ours.completion_tokens)
    assert ours.estimated


def test_the_worst_of_several_endpoints_is_that_of_the_dearest_for_this_very_call() -> None:
    dollar = NanoDollarsPerMillion(10**9)
    dear = NanoDollarsPerMillion(9 * 10**9)
    long, wide = (an_endpoint(prices=Prices(*p)) for p in ((dollar, dear), (dear, dollar)))
    short, big = a_call(max_tokens=10), a_call(max_tokens=10)
    short.prompt_bytes, big.prompt_bytes = 1, 1_000

    assert worst_case(short, long, wide) == worst_case(short, wide, long) == worst_case(short, long)
    assert worst_case(big, long, wide) == worst_case(big, wide)
    assert worst_case(a_call(max_tokens=10, n=2), long) == worst_case(a_call(max_tokens=20), long)
