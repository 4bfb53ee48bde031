"""One day, event by event: arrivals, attempts that end, replies that end, refreshes of the figures.

Everything that decides is the gateway's own: `policy.inquiry` plans, `policy.hedging` moves, `live` keeps
breakers, retry budget and figures. Only the loop around them is made up here, as `stages.race` needs
sockets. Rule 1: no clock, no waiting: the time is that of the next thing that happens.
"""

import random
from collections.abc import Callable

from bench.agenda import Agenda
from bench.day_notes import KINDS, Notes
from bench.day_world import MODEL, Fate, Script, World, the_model
from proxy.catalog.catalog import Catalog
from proxy.config.settings import HedgingSettings, LimitSettings, Settings
from proxy.errors import HedgerowError
from proxy.live.board import REFRESH_S
from proxy.live.live import Live, build_live
from proxy.model.call import Call
from proxy.model.document import Document
from proxy.model.endpoint import Endpoint
from proxy.model.event import Usage
from proxy.model.meter import Delivered
from proxy.model.observation import Observation
from proxy.model.outcome import Failure, Opened
from proxy.policy.faults import fault_of
from proxy.policy.hedging import Commit, GiveUp, Race, Start, Wait, next_move
from proxy.policy.inquiry import Inquiry, decide, inquire
from proxy.policy.pricing import bill
from proxy.policy.roster import make_roster, weight
from proxy.policy.situation import Present
from proxy.units import Seconds

ASKED: dict[str, tuple[str, Document]] = {
    "default": (MODEL, {}),
    "nitro": (f"{MODEL}:nitro", {}),
    "floor": (f"{MODEL}:floor", {}),
    "latency": (MODEL, {"sort": "latency"}),
}
"""Model and `provider` object of each kind of request."""
DEFAULTS = Settings()
UNHEDGED = HedgingSettings(enabled=False)
"""Hedging hides what failing costs; `bench.tail` is its own experiment."""
ATTEMPTS_MAX = LimitSettings().attempts_max
PROMPT_BYTES = 3_600


class Request:
    """One request in progress."""

    __slots__ = ("began", "kind", "prompt_tokens", "race", "running", "tokens")

    def __init__(self, kind: str, race: Race, now: Seconds, draw: random.Random) -> None:
        self.kind = kind
        self.began = now
        self.race = race
        self.tokens = min(int(draw.lognormvariate(5.0, 0.7)) + 1, 8_000)
        """Of output: 148 at the median, 190 on average."""
        self.prompt_tokens = int(draw.lognormvariate(6.8, 0.7)) + 1
        self.running: dict[int, Try] = {}
        """Attempts that have not opened."""


class Try:
    """One attempt in progress."""

    __slots__ = ("began", "endpoint", "fate", "request")

    def __init__(self, request: Request, endpoint: Endpoint, fate: Fate, now: Seconds) -> None:
        self.request, self.endpoint, self.fate, self.began = request, endpoint, fate, now


class Nothing:
    """Stands where a reply and its encoder would be: bytes are no part of this."""

    failure = None
    content = 0

    def done(self) -> bool:
        """All of it is there."""
        return True

    async def receive(self) -> list[bytes]:
        """There is no more."""
        return []

    def wake_at(self, deadline: float) -> None:
        """Nobody waits."""

    def close(self) -> None:
        """Nothing is held."""

    def feed(self, events: object) -> bytes:
        """Nothing is said."""
        return b""


class Day(Agenda):
    """One run of a script."""

    def __init__(
        self, script: Script, requests: int, seed: int, settings: Settings = DEFAULTS
    ) -> None:
        super().__init__()
        model = the_model()
        self._script = script
        self._arrivals = script.arrivals(requests, random.Random(f"{seed} arrivals"))
        self._draw = random.Random(f"{seed} plans")
        self._world = World(script, random.Random(f"{seed} fates"))
        self.live: Live = build_live(settings, {MODEL: len(model.endpoints)}, lambda: self.now)
        self._inquiries = _inquiries(model.endpoints[0].provider.dialect)
        self.notes = Notes(script, {e.id: weight(e) for e in model.endpoints})

    def run(self, progress: Callable[[float], None] = lambda _: None) -> Notes:
        """Let the day pass.

        Args:
            progress: is told the time now and then.
        """
        self._at(self.now + REFRESH_S, self._refresh)
        for arrival in self._arrivals:
            self._pass(arrival)
            self._arrive()
            if not self.notes.requests_all % 10_000:
                progress(arrival)
        self._pass()  # a day ends when its last reply has
        return self.notes

    def _refresh(self) -> None:
        self.live.board.refresh(self.now)
        if self._due or self.now < self._script.span_s:
            self._at(self.now + REFRESH_S, self._refresh)

    def _arrive(self) -> None:
        now, draw = self.now, self._draw
        kind = draw.choices(tuple(KINDS), tuple(KINDS.values()))[0]
        self.notes.arrived(now)
        self.live.retries.request(now)
        present = Present(now, self.live.snapshot, draw.random())
        try:
            plan = decide(self._inquiries[kind], present, attempts_max=ATTEMPTS_MAX)
        except HedgerowError as error:
            self._fail(kind, f"no plan: {error.message}", 0)
            return
        self.notes.asked(kind, plan.offers[0].id, now)
        self._go_on(Request(kind, Race(plan), now, draw))

    def _go_on(self, request: Request) -> None:
        """Make all moves that are due; `stages.race` in miniature."""
        while True:
            match move := next_move(request.race, now=self.now):
                case Start(costs=True) if not self.live.affordable():
                    request.race = request.race.denied()
                case Start(offer=offer):
                    self._start(request, offer, paid=move.costs)
                case Wait(until=until):
                    if until < float("inf"):
                        self._at(until, lambda: self._wake(request))
                    return
                case Commit(winner=winner):
                    self._commit(request, winner)
                    return
                case GiveUp(failures=failures, denied=denied):
                    why = "no budget" if denied else "all offers failed"
                    self._fail(request.kind, f"{why}: {failures[-1].error.message}", len(failures))
                    return

    def _wake(self, request: Request) -> None:
        if request.running:
            self._go_on(request)

    def _start(self, request: Request, offer: Endpoint, *, paid: bool) -> None:
        now, world = self.now, self._world
        name = offer.provider.id
        fate = world.answer(name, now, request.tokens)
        self.notes.started(offer.id, now, first=not request.race.started, paid=paid)
        self.live.health.began(offer, now)
        self._look(offer)
        world.serving[name] += 1
        attempt = Try(request, offer, fate, now)
        request.running[id(attempt)] = attempt
        request.race = request.race.began(offer, now)
        self._at(now + fate.after_s, lambda: self._over(attempt))

    def _over(self, attempt: Try) -> None:
        """An attempt has failed, or opened."""
        request, fate, endpoint = attempt.request, attempt.fate, attempt.endpoint
        if request.running.pop(id(attempt), None) is None:
            return  # another one won
        error = fate.error
        if error is None:
            opened = Opened(endpoint, QUIET, Delivered(), QUIET, sent_at=attempt.began)
            request.race = request.race.heard(opened)
            self._at(self.now + fate.rest_s, lambda: self._ended(attempt))
        else:
            self._world.serving[endpoint.provider.id] -= 1
            waited = fate.after_s if error.error_type == "timeout" else None
            self._observe(Observation(
                endpoint, self.now, fault_of(error), streamed=True, ttft_s=waited,
                censored=waited is not None, retry_after_s=fate.retry_after_s,
            ))  # fmt: skip
            failure = Failure(
                endpoint, error, fate.retry_after_s, fate.after_s, attempt.began, sent=fate.sent
            )
            request.race = request.race.heard(failure)
        self._go_on(request)

    def _commit(self, request: Request, winner: Opened) -> None:
        waited_s = self.now - request.began
        self.notes.won(request.kind, self.now, waited_s, request.race.started)
        for loser in request.running.values():
            self._world.serving[loser.endpoint.provider.id] -= 1
            silence = self.now - loser.began
            self._observe(Observation(loser.endpoint, self.now, "client", streamed=True,
                                      ttft_s=silence, censored=True))  # fmt: skip
        request.running.clear()

    def _ended(self, attempt: Try) -> None:
        """The winner's reply is over."""
        request, fate, endpoint, now = attempt.request, attempt.fate, attempt.endpoint, self.now
        self._world.serving[endpoint.provider.id] -= 1
        if fate.breaks:
            self._observe(Observation(endpoint, now, "endpoint", streamed=True, ttft_s=fate.after_s))  # fmt: skip
            self._fail(request.kind, "broke off behind its first token", 0)
            return
        charge = bill(Usage(request.prompt_tokens, fate.tokens), endpoint.prices)
        self._observe(Observation(
            endpoint, now, streamed=True, ttft_s=fate.after_s, total_s=now - attempt.began,
            prompt_tokens=request.prompt_tokens, completion_tokens=fate.tokens,
            prompt_cost=charge.prompt_cost, completion_cost=charge.completion_cost,
        ))  # fmt: skip

    def _observe(self, observation: Observation) -> None:
        self.live.observe(observation)
        self._look(observation.endpoint)

    def _look(self, endpoint: Endpoint) -> None:
        health, id_ = self.live.health, endpoint.id
        self.notes.saw(id_, self.now, health.resting.get(id_), health.troubled.get(id_))

    def _fail(self, kind: str, why: str, attempts: int) -> None:
        self.notes.failed(kind, self.now, why, self._world.healthy(self.now), attempts)


def _inquiries(dialect: str) -> dict[str, Inquiry]:
    """Made once: to resolve names a million times would say nothing of routing."""
    model = the_model()
    catalog = Catalog(
        models=[model], providers=[e.provider for e in model.endpoints], aliases={}
    )  # fmt: skip
    rosters = {model.id: make_roster(model)}
    return {
        kind: inquire(
            Call(dialect, "chat", {}, (name,), stream=True, prompt_bytes=PROMPT_BYTES,
                 output_tokens_max=1_000, preferences=wanted),
            catalog, rosters, UNHEDGED,
        )
        for kind, (name, wanted) in ASKED.items()
    }  # fmt: skip


QUIET = Nothing()
