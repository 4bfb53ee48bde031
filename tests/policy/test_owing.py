"""What a provider has not seen costs nothing; otherwise its own count, ours, or the worst."""

from typing import Any

import pytest

from proxy.model.event import Usage
from proxy.model.meter import Delivered
from proxy.model.outcome import NOTHING, Owed
from proxy.policy.owing import OUTPUT_TOKENS, owed, priced
from proxy.policy.pricing import bill
from tests.fakes.things import PRICES, a_call, a_provider, an_endpoint

ENDPOINT = an_endpoint()
BILLS_ON = an_endpoint(a_provider("on", bills_cancelled=True))
PROMPT = 100
"""Tokens of the call's 400 bytes."""


def cost(prompt: int, completion: int) -> int:
    return prompt * 2_000 + completion * 8_000


def test_what_was_never_sent_costs_nothing() -> None:
    assert NOTHING == owed(a_call(), BILLS_ON, Delivered(), sent=False)


def test_what_the_provider_ended_itself_costs_nothing() -> None:
    assert NOTHING == owed(a_call(), BILLS_ON, Delivered(40), sent=True, cut=False)


@pytest.mark.parametrize("cut", [True, False])
def test_a_usage_that_can_be_believed_is_what_it_costs(cut: bool) -> None:
    delivered = Delivered(40, usage=Usage(7, 5))

    assert Owed("reported", 7, 5, cost(7, 5)) == owed(
        a_call(), BILLS_ON, delivered, sent=True, cut=cut
    )


@pytest.mark.parametrize("usage", [None, Usage(7, 0)])
def test_otherwise_the_prompt_and_what_was_said_are_counted(usage: Usage | None) -> None:
    found = owed(a_call(), ENDPOINT, Delivered(40, usage=usage), sent=True)

    assert Owed("estimated", PROMPT, 10, cost(PROMPT, 10)) == found


@pytest.mark.parametrize(
    ("fields", "limit", "output"),
    [
        ({}, None, OUTPUT_TOKENS),
        ({"max_tokens": 50}, None, 50),
        ({"max_tokens": 50}, 20, 20),
        ({}, 20, 20),
        ({"max_tokens": 50, "n": 3}, None, 150),
        ({"max_tokens": 5}, None, 10),
    ],
)
def test_who_bills_on_after_a_cancel_may_have_written_all_that_was_allowed(
    fields: dict[str, Any], limit: int | None, output: int
) -> None:
    endpoint = an_endpoint(a_provider("on", bills_cancelled=True), output_tokens_max=limit)
    found = owed(a_call(**fields), endpoint, Delivered(40), sent=True)

    assert Owed("worst_case", PROMPT, output, cost(PROMPT, output)) == found


def test_a_bill_is_owed_as_it_stands() -> None:
    assert Owed("reported", 3, 4, cost(3, 4)) == priced("reported", bill(Usage(3, 4), PRICES))
