"""What holds for any market, request and moment: said once more, plainly, and compared with the plan.

`may_serve` reads the request as a client wrote it, and shares no code with the planner.
"""

from collections import Counter
from typing import Any

from hypothesis import given, settings, strategies as st

from proxy.errors import HedgerowError
from proxy.model.endpoint import Endpoint, Model
from proxy.model.plan import Plan
from proxy.model.standing import Quantiles, Rest, Snapshot, Standing
from proxy.policy.inquiry import Inquiry, decide, explanation
from proxy.policy.situation import Present
from proxy.units import Seconds
from tests.fakes.market import NOW, asking, market, seller

NAMES = "abcde"
TAGS = {"": None, "fp8": None, "flex": "flex", "priority": "priority"}
MAYBE = st.sampled_from((False, False, None, True))


@st.composite
def endpoints(draw: st.DrawFn) -> list[Endpoint]:
    """Each with another name and tag."""
    keys = draw(
        st.lists(
            st.tuples(st.sampled_from(NAMES), st.sampled_from(sorted(TAGS))),
            min_size=2,
            max_size=6,
            unique=True,
        )
    )
    return [
        seller(
            name,
            draw(st.integers(0, 5)),
            draw(st.integers(0, 5)),
            request=draw(st.sampled_from((0, 1_000))),
            tag=tag,
            tier=TAGS[tag],
            quantization=draw(st.sampled_from((None, "fp8", "int4"))),
            trains_on_prompts=draw(MAYBE),
            retains_prompts=draw(MAYBE),
            context_length=draw(st.sampled_from((500, 50_000))),
            output_tokens_max=draw(st.sampled_from((None, 100, 1_000))),
            supported_parameters=draw(
                st.sampled_from(((), ("seed",), ("tools", "seed"), ("tools",)))
            ),
        )
        for name, tag in keys
    ]


MODELS = st.lists(endpoints(), min_size=1, max_size=3).map(
    lambda found: [market(*sold, id_=f"maker/m{n}") for n, sold in enumerate(found)]
)
CALLED = st.sampled_from([*NAMES, "a/fp8", "b/flex", "a/priority", "b/int4", "zzz"])
LISTS = st.lists(CALLED, max_size=4)
PRICE = st.integers(0, 5)
HARD: dict[str, st.SearchStrategy[Any]] = {
    "only": LISTS,
    "ignore": LISTS,
    "data_collection": st.sampled_from(("allow", "deny")),
    "zdr": st.booleans(),
    "max_price": st.fixed_dictionaries({"prompt": PRICE}, optional={"completion": PRICE.map(str)}),
}
WISHES: dict[str, st.SearchStrategy[Any]] = {
    **HARD,
    "order": LISTS,
    "allow_fallbacks": st.sampled_from((False, False, True)),
    "require_parameters": st.booleans(),
    "quantizations": st.lists(st.sampled_from(("fp8", "int4", "unknown")), min_size=1),
    "sort": st.sampled_from(
        ("price", "latency", "throughput", {"by": "price", "partition": "none"})
    ),
    "preferred_max_latency": st.integers(0, 5),
    "preferred_min_throughput": st.integers(0, 5),
}
OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "max_tokens": st.sampled_from((50, 700, 2_000)),
    "tools": st.just([{"type": "function", "function": {"name": "f"}}]),
    "seed": st.just(1),
    "service_tier": st.sampled_from(("flex", "priority", "default", "auto")),
}


def few(of: dict[str, st.SearchStrategy[Any]], most: int) -> st.SearchStrategy[dict[str, Any]]:
    """A document with a few of these keys: with many, nobody could ever serve."""
    keys = st.lists(st.sampled_from(sorted(of)), min_size=1, max_size=most, unique=True)
    return keys.flatmap(lambda chosen: st.fixed_dictionaries({key: of[key] for key in chosen}))


FIELDS = st.tuples(few(WISHES, 3), st.just({}) | few(OTHERS, 2)).map(
    lambda found: {"provider": found[0], **found[1]}
)
SUFFIX = st.sampled_from(("", ":nitro", ":floor", ":exacto"))
REASONS = st.sampled_from(("breaker", "rate_limit", "credential"))
WHEN = st.sampled_from((NOW - 5.0, NOW + 5.0)).map(Seconds)
FIGURE = st.integers(0, 5).map(lambda n: Quantiles(n, n, n, n))


@st.composite
def presents(draw: st.DrawFn, models: list[Model]) -> Present:
    ids = [e.id for model in models for e in model.endpoints]
    some = st.sampled_from([*ids, *NAMES])
    standing = st.builds(Standing, ttft=st.none() | FIGURE, throughput=st.none() | FIGURE)
    snapshot = Snapshot(
        standings=draw(st.dictionaries(some, standing, max_size=4)),
        troubled=draw(st.dictionaries(some, WHEN, max_size=4)),
        resting=draw(
            st.dictionaries(
                st.sampled_from(ids or ["x"]), st.builds(Rest, WHEN, REASONS), max_size=4
            )
        )
        | draw(
            st.dictionaries(
                st.sampled_from(NAMES), st.builds(Rest, WHEN, st.just("credential")), max_size=1
            )
        ),
    )
    sticky = draw(st.none() | some)
    return Present(NOW, snapshot, draw(st.floats(0, 1, exclude_max=True)), sticky)


class Case:
    """One request at one moment."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.models = draw(MODELS)
        self.fields = draw(FIELDS)
        self.ceilings = draw(st.just({}) | few(HARD, 1))
        self.suffix = draw(SUFFIX)
        self.present = draw(presents(self.models))
        self.attempts_max = draw(st.integers(1, 4))

    def inquiry(self) -> Inquiry:
        first, *others = [model.id for model in self.models]
        return asking(
            *self.models, ceilings=self.ceilings, **self.fields, models=others,
            model=first + self.suffix,
        )  # fmt: skip

    def plan(self) -> Plan | None:
        try:
            return decide(self.inquiry(), self.present, attempts_max=self.attempts_max)
        except HedgerowError:
            return None

    def offers(self) -> list[Endpoint]:
        plan = self.plan()
        return [] if plan is None else list(plan.offers)


CASES = st.composite(Case)()


def called(endpoint: Endpoint, *, operator: bool = False) -> set[str]:
    """How a list may name it."""
    id_, tag = endpoint.provider.id, endpoint.tag
    found = {f"{id_}/{tag}"} if tag else set()
    if endpoint.tier is None or operator:
        found |= {id_}
    if endpoint.tier is None and endpoint.quantization:
        found |= {f"{id_}/{endpoint.quantization}"}
    return found


def within(endpoint: Endpoint, provider: dict[str, Any], *, operator: bool = False) -> bool:
    """The rules that requests and operators have in common."""
    names, prices = called(endpoint, operator=operator), provider.get("max_price", {})
    return (
        ("only" not in provider or bool(names & set(provider["only"])))
        and not names & set(provider.get("ignore", ()))
        and (
            provider.get("data_collection") != "deny"
            or endpoint.provider.trains_on_prompts is False
        )
        and (not provider.get("zdr") or endpoint.provider.retains_prompts is False)
        and endpoint.prices.prompt <= float(prices.get("prompt", 99)) * 1e9
        and endpoint.prices.completion <= float(prices.get("completion", 99)) * 1e9
    )


def may_serve(endpoint: Endpoint, case: Case, *, first: bool) -> bool:
    """Hard rules of the request, the operator and the endpoint itself."""
    fields, provider = case.fields, case.fields["provider"]
    listed = {*provider.get("order", ()), *provider.get("only", ())}
    sent = {"tools", "seed"} & set(fields)
    cap = fields.get("max_tokens", 0)
    opted = {"flex": "flex", "priority": "priority"}.get(fields.get("service_tier", ""))
    suffix = case.suffix if first else ""
    if fields.get("service_tier", "auto") == "auto" and not provider.get("order"):
        opted = opted or {":nitro": "priority", ":floor": "flex"}.get(suffix)
    return (
        within(endpoint, provider)
        and within(endpoint, case.ceilings, operator=True)
        and endpoint.tier in {None, opted, *([endpoint.tier] if called(endpoint) & listed else [])}
        and (endpoint.quantization or "unknown")
        in provider.get("quantizations", ("fp8", "int4", "unknown"))
        and cap <= endpoint.context_length
        and cap <= (endpoint.output_tokens_max or cap)
        and not (
            provider.get("require_parameters")
            and endpoint.supported_parameters
            and sent - set(endpoint.supported_parameters)
        )
        and not (
            provider.get("order")
            and provider.get("allow_fallbacks") is False
            and not called(endpoint) & set(provider["order"])
        )
    )


def rests(endpoint: Endpoint, present: Present) -> set[str]:
    """Reasons for which it rests now."""
    resting = present.snapshot.resting
    found = [resting[name] for name in (endpoint.provider.id, endpoint.id) if name in resting]
    return {rest.reason for rest in found if rest.until > present.now}


@settings(max_examples=200, deadline=None)
@given(CASES)
def test_everything_planned_passes_every_rule(case: Case) -> None:
    plan = case.plan()
    for offer in () if plan is None else plan.offers + plan.spares:
        first = offer.model == case.models[0].id
        assert may_serve(offer, case, first=first)
        assert rests(offer, case.present) <= {"breaker"}


@settings(max_examples=200, deadline=None)
@given(CASES)
def test_somebody_is_planned_wherever_somebody_may_serve(case: Case) -> None:
    awake = [
        e
        for model in case.models
        for e in model.endpoints
        if may_serve(e, case, first=model is case.models[0]) and not rests(e, case.present)
    ]
    tier, tools = case.fields.get("service_tier"), "tools" in case.fields
    if awake and tier != "flex" and not tools:  # which leave out more, by what others offer
        assert case.offers()


@settings(max_examples=200, deadline=None)
@given(CASES)
def test_an_explanation_is_the_plan_and_a_reason_for_everything_else(case: Case) -> None:
    offers = case.offers()
    told = explanation(case.inquiry(), case.present, attempts_max=case.attempts_max)
    every = Counter(e.id for model in case.models for e in model.endpoints)

    assert every == Counter(one.endpoint for one in told.candidates)
    assert {e.id for e in offers} == {one.endpoint for one in told.candidates if one.selected}
    for one in told.candidates:
        assert (one.place is None) == bool(one.out)
        assert (one.place is None) == (not one.why)
    placed = [one for one in told.candidates if one.place is not None]
    assert list(range(1, len(placed) + 1)) == [one.place for one in placed]
    if len(case.models) == 1:
        assert [e.id for e in offers] == [one.endpoint for one in placed][: case.attempts_max]
    else:
        chosen = [one.endpoint for one in placed if one.selected]
        assert [e.id for e in offers] == chosen
        assert chosen[:1] == [one.endpoint for one in placed][:1]


@settings(max_examples=150, deadline=None)
@given(CASES)
def test_attempts_are_bounded_and_every_model_has_a_place(case: Case) -> None:
    offers = case.offers()
    told = explanation(case.inquiry(), case.present, attempts_max=case.attempts_max)
    able = {one.model for one in told.candidates if one.place is not None}
    counts = Counter(offer.model for offer in offers)

    assert len(offers) <= case.attempts_max
    assert min(len(able), case.attempts_max) == len(counts)
    assert len({offer.id for offer in offers}) == len(offers)
    provider = case.fields["provider"]
    if provider.get("allow_fallbacks") is False and not provider.get("order"):
        assert set(counts.values()) <= {1}


@settings(max_examples=100, deadline=None)
@given(CASES)
def test_planning_is_the_same_for_the_same_draw(case: Case) -> None:
    assert [e.id for e in case.offers()] == [e.id for e in case.offers()]
    other = explanation(case.inquiry(), case.present, attempts_max=case.attempts_max)
    assert other == explanation(case.inquiry(), case.present, attempts_max=case.attempts_max)


@settings(max_examples=100, deadline=None)
@given(CASES, st.floats(0, 1, exclude_max=True))
def test_a_draw_changes_the_order_and_never_who_may_serve(case: Case, draw: float) -> None:
    told = explanation(case.inquiry(), case.present, attempts_max=9)
    before = {one.endpoint for one in told.candidates if one.place}
    case.present = Present(NOW, case.present.snapshot, draw, case.present.sticky)
    told = explanation(case.inquiry(), case.present, attempts_max=9)

    if case.fields["provider"].get("allow_fallbacks") is not False:
        assert before == {one.endpoint for one in told.candidates if one.place}
