"""What a call costs, and what it may cost at most: integers, rounded once."""

from proxy.model.call import Call
from proxy.model.document import as_count
from proxy.model.endpoint import Endpoint, Prices
from proxy.model.event import Charged, Usage
from proxy.model.meter import Delivered
from proxy.units import MILLION, NanoDollars

BYTES_PER_TOKEN = 4
"""For our own count where a provider sent none; English text is 4.4 in o200k_base, code 3.5."""


def bill(usage: Usage, prices: Prices) -> Charged:
    """Price the tokens of one reply; the sum is rounded half up, once, and then split."""
    cached, written = usage.cached_tokens, usage.cache_write_tokens
    plain = max(usage.prompt_tokens - cached - written, 0)
    read_price = prices.prompt if prices.cache_read is None else prices.cache_read
    write_price = prices.prompt if prices.cache_write is None else prices.cache_write
    prompt = plain * prices.prompt + cached * read_price + written * write_price + prices.request
    cost = _rounded(prompt + usage.completion_tokens * prices.completion)
    prompt_cost = _rounded(prompt)
    return Charged(usage, cost, prompt_cost, NanoDollars(cost - prompt_cost))


def worst_case(call: Call, *endpoints: Endpoint) -> NanoDollars:
    """The most that `call` can cost at the dearest of `endpoints`: no token is shorter than a byte."""
    body, cap, most = call.body, call.output_tokens_max, 0
    choices = 1
    if "n" in body or "best_of" in body:
        choices = max(as_count(body.get("n")), as_count(body.get("best_of")), 1)
    for endpoint in endpoints:
        prices, context = endpoint.prices, endpoint.context_length
        prompt = min(call.prompt_bytes, context)
        output = (cap or endpoint.output_tokens_max or context) * choices
        cost = prompt * prices.prompt_most + output * prices.completion + prices.request
        most = max(most, cost)
    return _rounded(most)


def billable(call: Call, delivered: Delivered, endpoint: Endpoint) -> Usage:
    """The usage to bill: the provider's, if it can be believed, else our own count."""
    usage = delivered.usage
    if usage is not None and believable(usage, delivered, endpoint):
        return usage
    return Usage(
        prompt_tokens=max(call.prompt_bytes // BYTES_PER_TOKEN, 1),
        completion_tokens=-(-delivered.output_bytes // BYTES_PER_TOKEN),
        estimated=True,
    )


def believable(usage: Usage, delivered: Delivered, endpoint: Endpoint) -> bool:
    """All zero, or no output though there was some, or far beyond the context length: no."""
    if usage.completion_tokens == 0 and (usage.prompt_tokens == 0 or delivered.output_bytes):
        return False
    return usage.prompt_tokens <= max(endpoint.context_length, PROMPT_TOKENS_MIN) * 2


PROMPT_TOKENS_MIN = 8192
"""Context lengths below this are taken for a slip of the catalogue when usage is judged."""


def _rounded(nano_times_million: int) -> NanoDollars:
    return NanoDollars((nano_times_million + MILLION // 2) // MILLION)
