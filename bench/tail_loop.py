"""A run of `bench.tail` in virtual time: arrivals, first tokens, replies that end, refreshes.

What decides is the gateway's own: `policy.inquiry` plans with the delay, `policy.hedging` moves, `live` keeps
figures, budgets and guards. The loop around them is `stages.race` and `stages.settle` in miniature, as
these need sockets. Rule 1: no clock, no waiting: the time is that of the next thing that happens.
"""

import random
import time
from array import array
from collections.abc import Callable

from bench.agenda import Agenda
from bench.day_loop import QUIET
from bench.tail_findings import Run
from bench.tail_settings import MODEL, OUTPUT_TOKENS_MAX, Mode, settings_text
from bench.tail_worlds import COMPLETION_TOKENS, PROMPT_TOKENS, REST_S, World
from proxy.catalog.loader import build_catalog
from proxy.config import decode_document, parse_settings
from proxy.live.board import REFRESH_S
from proxy.live.live import Live, build_live
from proxy.model.call import Call
from proxy.model.endpoint import Endpoint
from proxy.model.event import Usage
from proxy.model.meter import Delivered
from proxy.model.observation import Observation
from proxy.model.outcome import Opened
from proxy.policy.hedge_rules import extra_cost
from proxy.policy.hedging import Commit, Race, Start, Wait, next_move
from proxy.policy.inquiry import Inquiry, decide, inquire
from proxy.policy.owing import owed
from proxy.policy.pricing import BYTES_PER_TOKEN, bill
from proxy.policy.situation import Present
from proxy.server import make_rosters
from proxy.stages.attempt import TELLING
from proxy.units import NanoDollars, Seconds

ATTEMPTS_MAX = 3
WARM_S = 60.0
"""At the start, not counted in waits: until there are figures to hedge by."""
RATE = 200.0
"""Requests per second."""
PROGRESS_EVERY = 20_000


class Request:
    """One request in progress."""

    __slots__ = ("began", "booked", "late", "open", "race", "slow")

    def __init__(self, race: Race, now: Seconds, *, slow: bool) -> None:
        self.race = race
        self.began = now
        self.slow = slow
        """Providers are slower than usual."""
        self.late = False
        """The first attempt was silent for longer than the plan's delay."""
        self.booked = NanoDollars(0)
        """What the loser was expected to cost."""
        self.open: list[Try] = []
        """Attempts that have said nothing yet."""


class Try:
    """One attempt in progress."""

    __slots__ = ("began", "endpoint", "first_s", "request")

    def __init__(self, request: Request, endpoint: Endpoint, now: Seconds, first_s: float) -> None:
        self.request, self.endpoint, self.began, self.first_s = request, endpoint, now, first_s


class Loop(Agenda):
    """One run."""

    def __init__(self, world: World, mode: Mode, requests: int, seed: int = 1) -> None:
        super().__init__()
        text = settings_text(mode)
        settings = parse_settings(decode_document(text.encode(), origin="tail"), origin="tail")
        catalog = build_catalog(settings, environ={})
        self._world, self._span_s = world, requests / RATE
        self._requests = requests
        self._arrivals = random.Random(f"{seed} arrivals")
        self._fates = random.Random(f"{seed} fates")
        self._draw = random.Random(f"{seed} plans").random
        siblings = {model.id: len(model.endpoints) for model in catalog.models.values()}
        self.live: Live = build_live(settings, siblings, lambda: self.now)
        self._settings = settings
        self._call = Call(
            "openai-chat", "chat", {}, (MODEL,), stream=True,
            prompt_bytes=PROMPT_TOKENS * BYTES_PER_TOKEN, output_tokens_max=OUTPUT_TOKENS_MAX,
            preferences=mode.preferences,
        )  # fmt: skip
        self._inquiry: Inquiry = inquire(
            self._call, catalog, make_rosters(settings, catalog), settings.hedging
        )
        self.run_ = Run("virtual", world.name, mode.name)
        self._waits = array("d")

    def run(self, progress: Callable[[float], None] = lambda _: None) -> Run:
        """Let all requests come and end.

        Args:
            progress: is told the share that is over, now and then.
        """
        began = time.process_time()
        arrivals, at = self._arrivals, 0.0
        self._at(REFRESH_S, self._refresh)
        for number in range(self._requests):
            at += arrivals.expovariate(RATE)
            self._pass(at)
            self._arrive()
            if not number % PROGRESS_EVERY:
                progress(number / self._requests)
        self._pass()
        run = self.run_
        run.waits = array("d", sorted(self._waits))
        run.cpu_s = time.process_time() - began
        return self._close(run)

    def _close(self, run: Run) -> Run:
        told = self.live.hedges.statistics()
        run.fired, run.won, run.skipped = told.fired, told.won, dict(told.skipped)
        return run

    def _refresh(self) -> None:
        self.live.board.refresh(self.now)
        if self._due:
            self._at(self.now + REFRESH_S, self._refresh)

    def _share(self) -> float:
        return self.now / self._span_s

    def _arrive(self) -> None:
        now, world = self.now, self._world
        slow = world.since <= self._share() < world.until
        self.run_.requests += 1
        self.run_.slow_requests += slow
        self.live.retries.request(now)
        present = Present(now, self.live.snapshot, self._draw())
        plan = decide(self._inquiry, present, attempts_max=ATTEMPTS_MAX)
        self.live.hedges.request(now, plan.hedge_skipped)
        self._go_on(Request(Race(plan), now, slow=slow))

    def _go_on(self, request: Request) -> None:
        """Make all moves that are due; `stages.race` in miniature."""
        while True:
            match move := next_move(request.race, now=self.now):
                case Start(hedge=True, offer=offer) if reason := self._refusal(request, offer):
                    request.race = request.race.unhedged(reason)
                case Start(offer=offer):
                    self._start(request, offer)
                case Wait(until=until):
                    if until < float("inf"):
                        self._at(until, lambda: self._wake(request))
                    return
                case Commit(winner=winner):
                    self._commit(request, winner)
                    return
                case _:  # nothing fails in these worlds
                    raise AssertionError(move)

    def _refusal(self, request: Request, target: Endpoint) -> str:
        """Why there is no second attempt; empty: there is one."""
        race, hedges = request.race, self.live.hedges
        primary = race.running[-1]
        if not request.late:
            request.late = True
            hedges.late(self.now, primary, True)
        request.booked = max(extra_cost(self._call, one) for one in (primary, target))
        return hedges.ask(
            primary, target, request.booked, self.now, cost_max=race.plan.hedge_cost_max
        )  # fmt: skip

    def _wake(self, request: Request) -> None:
        if request.race.winner is None:
            self._go_on(request)

    def _start(self, request: Request, offer: Endpoint) -> None:
        now, run = self.now, self.run_
        self.live.health.began(offer, now)
        run.attempts += 1
        run.slow_extra += request.slow and request.race.started > 0
        first_s = self._world.first_token_s(offer.provider.id, self._share(), self._fates)
        attempt = Try(request, offer, now, first_s)
        request.open.append(attempt)
        request.race = request.race.began(offer, now)
        self._at(now + first_s, lambda: self._opens(attempt))

    def _opens(self, attempt: Try) -> None:
        """The first token is there; of a loser it would have been."""
        request = attempt.request
        if attempt not in request.open:
            return
        request.open.remove(attempt)
        if not request.late and request.race.plan.hedge_after_s < float("inf"):
            self.live.hedges.late(self.now, attempt.endpoint, False)
        opened = Opened(attempt.endpoint, QUIET, Delivered(), QUIET, sent_at=attempt.began)
        request.race = request.race.heard(opened)
        self._at(self.now + REST_S, lambda: self._ended(attempt))
        self._go_on(request)

    def _commit(self, request: Request, winner: Opened) -> None:
        now = self.now
        if request.began >= WARM_S:
            self._waits.append(now - request.began)
        for loser in request.open:
            self._drop(request, loser, winner)
        request.open.clear()

    def _drop(self, request: Request, loser: Try, winner: Opened) -> None:
        """The loser is told to end; what it tells and costs is as `stages.attempt` has it."""
        now, endpoint = self.now, loser.endpoint
        silence_s, winner_s = now - loser.began, now - winner.sent_at
        told_s: float | None = silence_s
        if silence_s < winner_s:
            told_s = winner_s if silence_s > winner_s * TELLING else None
        self.live.observe(
            Observation(endpoint, now, "client", streamed=True, ttft_s=told_s, censored=True)
        )
        cost = owed(self._call, endpoint, Delivered(), sent=True).cost
        self.run_.house += cost
        if request.race.hedged:
            booked, hedges = request.booked, self.live.hedges
            if loser.began < winner.sent_at:
                hedges.won(endpoint, winner.endpoint, now, booked=booked, cost=NanoDollars(cost),
                           silence_s=silence_s)  # fmt: skip
            else:
                hedges.lost(winner.endpoint, endpoint, now, booked=booked, cost=NanoDollars(cost))

    def _ended(self, attempt: Try) -> None:
        """The winner's reply is over."""
        endpoint, now = attempt.endpoint, self.now
        charge = bill(Usage(PROMPT_TOKENS, COMPLETION_TOKENS), endpoint.prices)
        self.run_.charged += charge.cost
        self.live.hedges.spent(NanoDollars(charge.cost), now)
        self.live.observe(Observation(
            endpoint, now, streamed=True, ttft_s=attempt.first_s, total_s=now - attempt.began,
            prompt_tokens=PROMPT_TOKENS, completion_tokens=COMPLETION_TOKENS,
            prompt_cost=charge.prompt_cost, completion_cost=charge.completion_cost,
        ))  # fmt: skip
