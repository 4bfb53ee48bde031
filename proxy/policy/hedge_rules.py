"""When silence is long enough for a second attempt, who may take it, what it costs, and when never.

Rule 1: a request is hedged only if nothing but tokens is lost where two providers answer it.
Rule 2: the delay follows from the budget: with a share of b, the percentile 100 (1 - b); sooner would
spend the budget on ordinary slow replies and leave none for stalled ones.
Rule 3: a sick endpoint cannot put off its own hedge: a healthy one's p99 is the most that is waited for.
Source: Dean & Barroso, "The Tail at Scale", CACM 56(2), 2013; Finagle's BackupRequestFilter; Cassandra's
`speculative_retry = MIN(99PERCENTILE, 50ms)`.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import exp, log

from proxy.config.settings import HedgingSettings
from proxy.model.call import Call
from proxy.model.document import Document, as_count, as_document, as_list
from proxy.model.endpoint import Endpoint
from proxy.model.preferences import HedgeTerms, Preferences
from proxy.model.standing import Quantiles, Snapshot
from proxy.policy.pricing import BYTES_PER_TOKEN
from proxy.policy.roster import blended
from proxy.units import MILLION, NanoDollars, Seconds

DEARER_MAX = 2
"""Times the primary's price that a hedge may cost where the request says nothing of it."""
CACHED_TOKENS_MIN = 4_096
"""Prompts longer than this go where they are cached, or are paid in full for a second time."""
LOST_OUTPUT_TOKENS = 32
"""What a loser says before it is cancelled: at 100 tokens per second, a third of a second."""
LOST_OUTPUT_TOKENS_MAX = 1_024
"""The same where a cancelled reply is billed as if it had ended; most replies are shorter."""
EXPECTED_FACTOR = 3.0
"""From the median that a catalogue expects to a late percentile; a lognormal of sigma 0.67."""
PLAIN_TOOLS = (None, "function", "custom")
"""Types of tools that run at the client, and only when it has seen the reply; None: not said."""
STATEFUL = ("store", "background", "previous_response_id")
"""Fields that leave something at the provider, or rely on something there."""
PROVIDER_SIDE = ("web_search_options", "mcp_servers", "container")
"""Fields that let the provider act while it answers."""
PARTICULAR = frozenset((*STATEFUL, *PROVIDER_SIDE))
THINKING = frozenset(("reasoning", "reasoning_effort", "thinking"))


def unhedgeable(
    call: Call, offers: Sequence[Endpoint], wanted: Preferences, settings: HedgingSettings, *,
    sticky: str | None = None,
) -> str:  # fmt: skip
    """Why the call is never hedged; empty: it may be.

    Args:
        offers: whoever may be asked, the primary first.
        sticky: id of the endpoint that has the conversation's prompt cached.
    Returns: "disabled" (by the operator), "request", "not_streamed", "alone" (nobody else offers the
        model), "price" (all others cost more than DEARER_MAX times the primary), "own_key", "sticky",
        or what `unrepeatable` says.
    """
    terms = wanted.hedge
    if not settings.enabled:
        return "disabled"
    if terms is False:
        return "request"
    if not call.stream:  # the first token is the signal, and there is none
        return "not_streamed"
    primary, consent = offers[0], isinstance(terms, HedgeTerms)
    dearer = isinstance(terms, HedgeTerms) and terms.cost_max is not None
    if why := _without_target(primary, offers, dearer=dearer):
        return why
    if not consent:
        for one in offers:
            if one.own_key is not None:
                return "own_key"
    if sticky == primary.id and call.prompt_bytes // BYTES_PER_TOKEN > CACHED_TOKENS_MIN:
        return "sticky"
    return unrepeatable(call)


def _without_target(primary: Endpoint, offers: Sequence[Endpoint], *, dearer: bool) -> str:
    """ "alone" or "price"; empty: somebody may take the hedge."""
    for one in offers:
        if is_target(one, primary, dearer=dearer):
            return ""
    elsewhere = any(is_target(one, primary, dearer=True) for one in offers)
    return "price" if elsewhere else "alone"


def unrepeatable(call: Call) -> str:
    """Why two providers must not answer the call, whatever it asks for; empty: they may.

    Returns: "surface" (nothing is generated), "server_tools" (the provider acts), "stored" (it keeps
        something), "signed_thinking" (only who signed an earlier turn can go on from it).
    """
    body = call.body
    if call.surface == "count_tokens":
        return "surface"
    if tools := body.get("tools"):
        for tool in as_list(tools):
            if not (isinstance(tool, dict) and tool.get("type") in PLAIN_TOOLS):
                return "server_tools"
    if not PARTICULAR.isdisjoint(body):
        if any(body.get(name) for name in PROVIDER_SIDE):
            return "server_tools"
        if any(body.get(name) for name in STATEFUL):
            return "stored"
    if call.ours and call.ours.get("plugins"):
        return "server_tools"
    for message in as_list(body.get("messages")):
        if isinstance(message, dict) and message.get("role") == "assistant" and _is_sealed(message):
            return "signed_thinking"
    return ""


def _is_sealed(message: Document) -> bool:
    """Whether a turn holds thinking with a signature, or that only its provider can read."""
    for part in (*as_list(message.get("reasoning_details")), *as_list(message.get("content"))):
        if isinstance(part, dict):
            kind = part.get("type")
            if kind in {"redacted_thinking", "reasoning.encrypted"} or part.get("signature"):
                return True
    return False


def is_target(offer: Endpoint, primary: Endpoint, *, dearer: bool) -> bool:
    """Whether `offer` may take the hedge of `primary`: the same model at another provider, and not at
    more than DEARER_MAX times the price unless that is allowed."""
    return (
        offer.provider.id != primary.provider.id
        and offer.model == primary.model
        and (dearer or blended(offer) <= DEARER_MAX * blended(primary))
    )


def delay_s(
    primary: Endpoint, others: Sequence[Endpoint], snapshot: Snapshot, settings: HedgingSettings, *,
    reasoning: bool,
) -> Seconds:  # fmt: skip
    """How long to wait for the primary's first token before another provider is asked.

    Args:
        others: who might take the hedge; those of other models, and those with trouble, count for nothing.
        reasoning: the call asks for it, so that a first token may well take longer.
    """
    figures = _figures(primary, snapshot, settings.samples_min)
    if figures is not None:
        delay, median = percentile(figures, 100 * (1 - settings.budget_share)), figures.p50
    elif primary.expected_ttft_s is not None:
        median = primary.expected_ttft_s
        delay = EXPECTED_FACTOR * median
    else:
        delay, median = settings.default_s, 0.0
    standings, resting, troubled = snapshot.standings, snapshot.resting, snapshot.troubled
    for other in others if standings else ():
        own = standings.get(other.id)
        if (
            own is not None and own.samples >= settings.samples_min and own.ttft is not None
            and own.ttft.p99 < delay and other.model == primary.model and other is not primary
            and other.id not in resting and other.id not in troubled
        ):  # fmt: skip
            delay = own.ttft.p99
    floor = max(settings.floor_s, settings.floor_medians * median)
    return Seconds(
        min(max(delay, floor), settings.cap_reasoning_s if reasoning else settings.cap_s)
    )


def _figures(primary: Endpoint, snapshot: Snapshot, samples_min: int) -> Quantiles | None:
    """Its own, or those of all endpoints of its provider, where there are enough samples."""
    own = snapshot.standings.get(primary.id)
    if own is not None and own.samples >= samples_min and own.ttft is not None:
        return own.ttft
    shared = snapshot.standings.get(primary.provider.id)
    return shared.ttft if shared is not None and shared.samples >= samples_min else None


def percentile(figures: Quantiles, percent: float) -> float:
    """A percentile from the known ones; between two of them its logarithm is a straight line.

    Below the median it is the median, beyond p99 it is p99.
    """
    known = _known(figures)
    below, least = known[0]
    if percent <= below:
        return least
    for above, most in known[1:]:
        if percent <= above:
            if percent == above or least <= 0:
                return most
            share = (percent - below) / (above - below)
            return exp((1 - share) * log(least) + share * log(most))
        below, least = above, most
    return least


def _known(figures: Quantiles) -> list[tuple[int, float]]:
    """(percent, value), rising; p95 may be missing."""
    known = [(50, figures.p50), (75, figures.p75), (90, figures.p90)]
    if figures.p95:
        known.append((95, figures.p95))
    known.append((99, figures.p99))
    return known


def expected_rest_s(figures: Quantiles, silence_s: float) -> Seconds:
    """How much longer a first token will take on average, at least, after so long a silence.

    A lower bound: what lies between two known percentiles counts as the lower one, and what lies
    beyond p99 as p99; 0 where the silence is longer than that.
    """
    known = [*_known(figures), (100, figures.p99)]
    passed = max([percent for percent, value in known[:-1] if value <= silence_s], default=0)
    rest = sum(
        (value - silence_s) * (after - percent)
        for (percent, value), (after, _) in pairwise(known)
        if value > silence_s
    )
    return Seconds(rest / (100 - passed))


def extra_cost(call: Call, endpoint: Endpoint) -> NanoDollars:
    """What an attempt at `endpoint` costs that loses, as an estimate: the whole prompt, written to a cache
    where that is dearer, and some output; all of it where the provider bills that."""
    prices = endpoint.prices
    output = LOST_OUTPUT_TOKENS
    if endpoint.provider.bills_cancelled:
        cap = call.output_tokens_max or endpoint.output_tokens_max or LOST_OUTPUT_TOKENS_MAX
        output = min(cap, LOST_OUTPUT_TOKENS_MAX)
    output *= max(as_count(call.body.get("n")), 1)
    prompt = -(-call.prompt_bytes // BYTES_PER_TOKEN) * max(prices.prompt, prices.cache_write or 0)
    cost = prompt + output * prices.completion + prices.request
    return NanoDollars(-(-cost // MILLION))


def asks_for_reasoning(body: Document) -> bool:
    """Whether the model shall think before it answers, as far as the request says so."""
    if THINKING.isdisjoint(body):
        return False
    if body.get("reasoning_effort") not in {None, "none"}:
        return True
    thinking = as_document(body.get("thinking"))
    if thinking and thinking.get("type") != "disabled":
        return True
    wished = as_document(body.get("reasoning"))
    return bool(wished) and wished.get("enabled") is not False and wished.get("effort") != "none"
