"""Bills are integers, rounded once, and never beyond what was held."""

from hypothesis import given, strategies as st

from proxy.model.endpoint import Prices
from proxy.model.event import Usage
from proxy.model.meter import Delivered
from proxy.policy.pricing import bill, billable, worst_case
from proxy.units import NanoDollarsPerMillion as Price
from tests.fakes.things import PRICES, a_call, an_endpoint

TOKENS = st.integers(0, 100_000)
AMOUNT = st.integers(0, 10**12)


def test_tokens_are_priced_by_kind() -> None:
    prices = Prices(
        Price(2_000_000_000),
        Price(8_000_000_000),
        Price(500_000_000),
        Price(2_500_000_000),
        Price(10**12),
    )
    charge = bill(Usage(100, 10, cached_tokens=40, cache_write_tokens=10), prices)

    assert 50 * 2000 + 40 * 500 + 10 * 2500 + 10**6 == charge.prompt_cost
    assert 10 * 8000 == charge.completion_cost
    assert charge.cost == charge.prompt_cost + charge.completion_cost


def test_a_cached_token_costs_as_much_as_another_where_no_price_says_else() -> None:
    assert bill(Usage(100, 0), PRICES).cost == bill(Usage(100, 0, cached_tokens=60), PRICES).cost


def test_half_a_nano_dollar_is_rounded_up() -> None:
    assert 1 == bill(Usage(1, 0), Prices(Price(500_000), Price(0))).cost
    assert 0 == bill(Usage(1, 0), Prices(Price(499_999), Price(0))).cost


@given(TOKENS, TOKENS, AMOUNT, AMOUNT)
def test_the_bill_stays_within_the_worst_case(
    prompt: int, output: int, in_price: int, out_price: int
) -> None:
    endpoint = an_endpoint(prices=Prices(Price(in_price), Price(out_price)))
    call = a_call(max_tokens=100_000)
    call.prompt_bytes = 100_000

    assert bill(Usage(prompt, output), endpoint.prices).cost <= worst_case(call, endpoint)


def test_a_call_without_a_cap_is_held_for_all_that_the_endpoint_may_say() -> None:
    call = a_call()

    assert 400 * 2000 + 100_000 * 8000 == worst_case(call, an_endpoint())
    assert 400 * 2000 + 50 * 8000 == worst_case(call, an_endpoint(output_tokens_max=50))


def test_usage_that_cannot_be_true_is_replaced_by_our_own_count() -> None:
    said, call, endpoint = Delivered(output_bytes=41), a_call(), an_endpoint()
    for usage in (None, Usage(), Usage(5, 0), Usage(10**8, 5)):
        said.usage = usage
        assert Usage(100, 11, estimated=True) == billable(call, said, endpoint)
    said.usage = Usage(5, 7)
    assert said.usage is billable(call, said, endpoint)
