"""Two attempts side by side, and everything that may happen to them, in every order.

Attempts, race, relay and settling are the real ones; providers are lines that say one thing at a time,
with or without a pause in which everybody acts on it. The client leaves at every moment, or nobody does
and the deadlines pass. After each of some 10^4 courses the same laws hold; a slow test runs more, drawn
at random, with three attempts.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, Literal, cast

import pytest
import trio
from hypothesis import HealthCheck, given, settings, strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from proxy.errors import HedgerowError, UpstreamError
from proxy.gateway import Gateway
from proxy.ledger.memory import MemoryLedger
from proxy.model.endpoint import Endpoint, Timeouts
from proxy.model.event import Usage
from proxy.model.meter import Meter, Tried
from proxy.model.observation import Observation
from proxy.model.plan import Plan
from proxy.policy.pricing import bill
from proxy.stages.answer import begin
from proxy.stages.attempt import Attempt
from proxy.stages.race import Silence, race
from proxy.stages.relay import relay
from proxy.stages.settle import settle
from proxy.units import NanoDollars, Seconds
from tests.fakes.downstream import FakeDownstream, a_gateway, namespace
from tests.fakes.things import a_call, a_provider, an_endpoint, chunk, event

HEAD, ROLE, CONTENT, ERROR, NEVER, END = "head", "role", "content", "error", "never", "end"
LEAVE = "leave"
LIMITS = Timeouts(Seconds(5), first_token_s=Seconds(30), idle_s=Seconds(30), total_s=Seconds(99))
ENDPOINTS = (
    an_endpoint("one", timeouts=LIMITS),
    an_endpoint(a_provider("two", bills_cancelled=True), timeouts=LIMITS),
    an_endpoint("six", timeouts=LIMITS),
)
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
CHARGE = bill(Usage(3, 4), ENDPOINTS[0].prices).cost
HELD = NanoDollars(10**9)
Rest = Literal["whole", "broken", "none"]
RESTS: tuple[Rest, ...] = ("whole", "whole", "whole", "broken", "none")
Step = tuple[int, str]
"""(which attempt, what its provider says); (-1, LEAVE): the client leaves."""


class Line:
    """A connection that says what it is told to, when it is told to."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.ready, self.served, self.deadline = True, 0, math.inf
        self.ends = 0
        self.waited_on = 0
        self._said: deque[bytes] = deque()
        self._stirred = trio.Event()
        self._headed = False

    def say(self, what: str) -> None:
        self._said.append(self._bytes(what))
        self._stirred.set()

    def finish(self, rest: Rest) -> None:
        """The rest of a reply that won."""
        if rest == "broken":
            self.say(END)
        if rest != "whole":
            return
        usage = event({**chunk(), "choices": [], "usage": USAGE})
        ending = event(chunk(finish="stop")) + usage + b"data: [DONE]\n\n"
        self._said.append(_piece(ending) + b"0\r\n\r\n")
        self._stirred.set()

    def _bytes(self, what: str) -> bytes:
        head, headed, self._headed = b"", self._headed, True
        if what in {ERROR, NEVER} and not headed:
            return _refusal(500 if what == ERROR else 400)
        if what == END:
            return b""
        if not headed:
            head = (
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                b"transfer-encoding: chunked\r\n\r\n"
            )
        if what == HEAD:
            return head
        if what == ROLE:
            return head + _piece(event(chunk(role="assistant", content="")))
        if what == CONTENT:
            return head + _piece(event(chunk(content=f"<{self.endpoint.provider.id}>")))
        code = 500 if what == ERROR else 400
        return head + _piece(event({"error": {"message": "no", "code": code}}))

    def queue(self, data: bytes) -> None:
        assert data

    async def flush(self) -> None:
        assert not self.ends

    async def receive(self) -> bytes:
        assert not self.ends
        self.waited_on += 1
        try:
            while not self._said:
                self._stirred = trio.Event()
                with trio.CancelScope(deadline=self.deadline) as due:
                    await self._stirred.wait()
                if due.cancelled_caught:
                    self.deadline = math.inf
                    raise InterruptedError
        finally:
            self.waited_on -= 1
        await trio.lowlevel.checkpoint()
        assert not self.ends, "a connection was closed under its reader"
        return self._said.popleft()

    def end(self, *_: object) -> None:
        """Closed, or given back."""
        assert not self.waited_on
        self.ends += 1


def _piece(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def _refusal(status: int) -> bytes:
    body = b'{"error":{"message":"no"}}'
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


class Books(MemoryLedger):
    """Keeps the records of the one request."""

    def attempts(self, generation_id: str, account: str, records: Sequence[Tried]) -> None:
        assert not hasattr(self, "records")
        self.__dict__["records"] = tuple(records)
        super().attempts(generation_id, account, records)


class Stage:
    """One request, and what came of it."""

    def __init__(self, gateway: Gateway, plan: Plan, rest: Rest) -> None:
        self.rest = rest
        self.lines: list[Line] = []
        self.observed: list[Observation] = []
        self.began = 0
        self.ledger = Books()
        self.downstream = FakeDownstream()
        self.meter = Meter()
        self.end = ""
        self.client = trio.CancelScope()
        self._plan = plan
        self._call = a_call()
        self.gateway = self._wired(gateway)

    def _wired(self, gateway: Gateway) -> Gateway:
        live = namespace(
            observe=self.observed.append,
            health=namespace(began=self._begin),
            affordable=lambda: True,
            hedges=namespace(spent=lambda amount, now: None),
        )
        fields = {name: getattr(gateway, name) for name in gateway.__dataclass_fields__}
        upstreams = namespace(of=self._upstream)
        return Gateway(**{**fields, "live": live, "upstreams": upstreams, "ledger": self.ledger})

    def _begin(self, endpoint: Endpoint, now: float) -> None:
        self.began += 1

    def _upstream(self, endpoint: Endpoint) -> Any:
        def fresh() -> Line:
            self.lines.append(Line(endpoint))
            return self.lines[-1]

        pool = namespace(
            take=lambda: None, fresh=fresh, watch=namespace(waits=set()), give=Line.end,
            discard=Line.end,
        )  # fmt: skip
        return namespace(pool=pool, keyring=None, request=lambda *of: b"POST")

    async def serve(self) -> None:
        """What an exchange does from the hold to the settling."""
        meter, call, gateway = self.meter, self._call, self.gateway
        held = self.ledger.hold("open", HELD, None)
        with self.client:
            try:
                silence = Silence(self._reassure, gateway.clock, 10)
                winner = await race(
                    self._plan, lambda endpoint: Attempt(call, endpoint, gateway), meter, silence,
                    hedges=cast("Any", Granted()),
                )  # fmt: skip
                assert not self.downstream.written
                begin(self.downstream, call, meter, gateway)
                next(one for one in self.lines if one.endpoint is winner.endpoint).finish(self.rest)
                await relay(winner, self.downstream, call, meter, gateway)
                self.end = "complete"
            except HedgerowError as error:
                assert isinstance(error, UpstreamError)
                self.end = meter.end = "failed_upstream"
            except trio.Cancelled:
                self.end = meter.end = "left"
                raise
            finally:
                await settle(meter, held, call, gateway)

    async def _reassure(self) -> None:
        await trio.lowlevel.checkpoint()


class Granted:
    """Consent to everything."""

    def late(self, primary: Endpoint, *, was_late: bool) -> None:
        pass

    def refusal(self, primary: Endpoint, target: Endpoint) -> str:
        return ""

    def over(self, trail: Sequence[Tried]) -> None:
        assert len({id(tried.endpoint) for tried in trail}) == len(trail)


async def play(
    gateway: Gateway, clock: MockClock, plan: Plan, steps: Sequence[Step], *, glued: bool,
    rest: Rest = "whole",
) -> Stage:  # fmt: skip
    """One course: all attempts run, then the steps, then the end by deadlines.

    Args:
        glued: providers speak all at once; else everybody acts on each step before the next.
        rest: what follows the winner's first content.
    """
    stage = Stage(gateway, plan, rest)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.serve)
        await wait_all_tasks_blocked()
        if plan.hedge_after_s < math.inf:
            clock.jump(plan.hedge_after_s)
            await wait_all_tasks_blocked()
        for who, what in steps:
            if what == LEAVE:
                stage.client.cancel()
            elif who < len(stage.lines):
                stage.lines[who].say(what)
            if not glued:
                await wait_all_tasks_blocked()
        await wait_all_tasks_blocked()
        while not stage.end:
            clock.jump(10)
            await wait_all_tasks_blocked()
    return stage


def laws(stage: Stage, steps: Sequence[Step]) -> None:
    """What holds whatever happened."""
    ledger, meter, trail = stage.ledger, stage.meter, stage.meter.trail
    records: tuple[Tried, ...] = ledger.__dict__["records"]
    won = [tried for tried in trail if tried.outcome in {"won", "failed"}]
    # every attempt is in a final state, once
    assert meter.attempts == len(trail) == len(stage.lines) == stage.began == len(stage.observed)
    assert {id(one.endpoint) for one in stage.lines} == {id(tried.endpoint) for tried in trail}
    assert {id(one.endpoint) for one in stage.lines} == {id(o.endpoint) for o in stage.observed}
    assert tuple(trail) == records
    # every connection is closed, or given back, once
    assert [1] * len(stage.lines) == [one.ends for one in stage.lines]
    # one winner, or one error
    assert (stage.end == "complete") <= (len(won) == 1)
    assert len(won) <= 1
    if LEAVE not in {what for _, what in steps}:
        assert (stage.end == "complete") == bool(won and stage.rest == "whole")
        contents = {who for who, what in steps if what == CONTENT}
        assert bool(won) == bool(contents), "who could win, won"
    # the hold is settled once; the client pays the winner, or nothing
    assert ({}, 1) == (ledger.held, ledger.posted + ledger.voided)
    assert ledger.charged in {0, *(tried.cost for tried in won)}
    assert (CHARGE if stage.end == "complete" else ledger.charged) == ledger.charged
    assert sum(tried.cost for tried in records) == ledger.charged + ledger.house
    # what the client got is the winner's
    for tried in trail:
        tag = b"<%b>" % tried.endpoint.provider.id.encode()
        if stage.end == "complete":
            assert (tried in won) == (tag in stage.downstream.sent)
        elif tried not in won:
            assert tag not in stage.downstream.sent


def scripts() -> list[tuple[str, ...]]:
    """What one provider may say: up to two things, then perhaps how it ends."""
    starts: list[tuple[str, ...]] = [(), (HEAD,), (HEAD, ROLE)]
    return starts + [(*start, end) for start in starts for end in (CONTENT, ERROR, NEVER, END)]


def orders(first: tuple[str, ...], second: tuple[str, ...]) -> Iterator[list[Step]]:
    """All orders in which both may come."""
    length = len(first) + len(second)
    for places in combinations(range(length), len(first)):
        mine, theirs = iter(first), iter(second)
        yield [(0, next(mine)) if at in places else (1, next(theirs)) for at in range(length)]


def courses() -> Iterator[tuple[list[Step], bool]]:
    """All courses: (steps, glued)."""
    for first in scripts():
        for second in scripts():
            for steps in orders(first, second):
                yield steps, True
                yield steps, False
                for at in range(len(steps) + 1):
                    yield [*steps[:at], (-1, LEAVE), *steps[at:]], at % 2 == 0


HEDGE = Plan(ENDPOINTS[:2], Seconds(2.0), HELD)
RACE = Plan(ENDPOINTS[:2], Seconds(math.inf), HELD, at_once=2)
THREE = Plan(ENDPOINTS, Seconds(math.inf), HELD, at_once=3)


async def test_every_course_of_two_attempts_keeps_the_laws(mock_clock: MockClock) -> None:
    gateway, played, ends = a_gateway(), 0, set()
    for number, (steps, glued) in enumerate(courses()):
        for plan in (HEDGE, RACE):
            rest = RESTS[number % len(RESTS)]
            stage = await play(gateway, mock_clock, plan, steps, glued=glued, rest=rest)
            try:
                laws(stage, steps)
            except AssertionError as error:
                raise AssertionError(f"{steps} {glued=} {rest=} {plan}: {error}") from error
            played += 1
            ends.add((stage.end, tuple(tried.outcome for tried in stage.meter.trail)))

    assert 10_000 < played
    assert {
        ("complete", ("won", "lost")), ("left", ("cancelled", "cancelled")),
        ("failed_upstream", ("failed", "lost")), ("failed_upstream", ("timeout", "timeout")),
        ("complete", ("provider_unavailable", "won")), ("left", ("won", "lost")),
    } <= ends, sorted(ends)  # fmt: skip


STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from((HEAD, ROLE, CONTENT, ERROR, NEVER, END))),
    max_size=9,
)


def sensible(steps: list[Step]) -> list[Step]:
    """Nobody speaks behind their own end, nor has two heads."""
    over: set[int] = set()
    begun: set[int] = set()
    kept = []
    for who, what in steps:
        if who in over or (what == HEAD and who in begun):
            continue
        begun.add(who)
        if what in {CONTENT, ERROR, NEVER, END}:
            over.add(who)
        kept.append((who, what))
    return kept


def three(examples: int) -> None:
    @settings(
        max_examples=examples, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(STEPS, st.booleans(), st.none() | st.integers(0, 9))
    def drawn(steps: list[Step], glued: bool, leaves: int | None) -> None:
        steps = sensible(steps)
        if leaves is not None:
            steps.insert(leaves, (-1, LEAVE))

        async def once() -> Stage:
            return await play(a_gateway(), clock, THREE, steps, glued=glued)

        clock = MockClock()
        stage = trio.run(once, clock=clock)
        laws(stage, steps)

    drawn()


def test_any_course_of_three_attempts_keeps_the_laws() -> None:
    three(300)


@pytest.mark.slow
def test_very_many_courses_of_three_attempts_keep_the_laws() -> None:
    three(50_000)
