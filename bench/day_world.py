"""The made-up world of `bench.day`: six endpoints of one model, and what befalls them.

Rule 1: what an endpoint does depends on its temper, the trouble it has at that moment, how many requests
it serves already, and draws; never on who asks. Rule 2: times are seconds since the day began.
"""

import math
import random
from collections.abc import Iterator
from typing import NamedTuple

from proxy.errors import (
    HedgerowError,
    UpstreamOverloadedError,
    UpstreamRateLimitError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from proxy.model.endpoint import Endpoint, Model, Prices, Provider
from proxy.units import Seconds, price_from_usd

MODEL = "hedge/plant-1"
CONTEXT = 128_000
ROUND_TRIP_S = 0.06
"""To be refused takes this long."""
HICCUPS = 0.0003
"""Share of attempts that an endpoint in its best hour fails."""
BREAKS = 0.00002
"""Share of replies that break off behind their first token: no gateway can mend those."""
STALLS, STALL_S = 0.0008, (5.0, 90.0)
"""Share of attempts that are left waiting, and how long; beyond `first_token` they fail."""
LIMITED_AGAIN_S = 15.0
"""Retry-After of a 429."""


class Temper(NamedTuple):
    """One endpoint on a good day; times and speeds are medians of log-normal distributions."""

    name: str
    prompt_usd: str
    """USD per million tokens."""
    completion_usd: str
    ttft_s: float
    ttft_spread: float
    """Standard deviation of the logarithm."""
    tokens_per_s: float
    slots: int
    """Requests that it serves at full speed; of twice as many each takes twice as long."""


TEMPERS = (
    Temper("alder", "0.10", "0.40", 0.55, 0.35, 55.0, 200),
    Temper("birch", "0.12", "0.48", 0.45, 0.35, 65.0, 150),
    Temper("cedar", "0.15", "0.60", 0.65, 0.45, 50.0, 150),
    Temper("elm", "0.20", "0.80", 0.40, 0.30, 80.0, 100),
    Temper("hazel", "0.30", "1.20", 0.25, 0.30, 140.0, 30),
    Temper("rowan", "0.45", "1.80", 0.32, 0.25, 110.0, 30),
)
"""Half the price gets four times the traffic: 39, 27, 17, 10, 4 and 2 %."""
NAMES = tuple(temper.name for temper in TEMPERS)


class Event(NamedTuple):
    """Something that befalls some endpoints for a while."""

    name: str
    kind: str
    """refuses | limits | slow | fails | truncates | unreachable | hangs."""
    who: tuple[str, ...]
    begins: float
    ends: float
    burst_s: float = 0.0
    """It comes and goes: on for so long, every `every_s`; 0: it is on all the time."""
    every_s: float = 1.0

    def on(self, now: float) -> bool:
        """Whether it is on at this moment."""
        if not self.begins <= now < self.ends:
            return False
        return not self.burst_s or (now - self.begins) % self.every_s < self.burst_s


class Script(NamedTuple):
    """One run: how long, how busy when, what happens."""

    span_s: float
    swing: float
    """How much busier than on average the busiest hour is; 0: traffic is even."""
    events: tuple[Event, ...]
    tempers: tuple[Temper, ...] = TEMPERS

    def arrivals(self, requests: int, draw: random.Random) -> list[float]:
        """So many times, sorted, of a Poisson process whose rate follows the hour; busiest at 16 h."""
        times: list[float] = []
        while len(times) < requests:
            at = draw.random() * self.span_s
            swing = math.cos((at / self.span_s - 2 / 3) * 2 * math.pi) * self.swing
            if draw.random() * (1 + self.swing) < 1 + swing:
                times.append(at)
        return sorted(times)

    def calm(self, margin_s: float) -> Iterator[tuple[float, float]]:
        """Stretches without events, each from `margin_s` behind the last one's end."""
        since = 0.0
        for event in sorted(self.events, key=lambda event: event.begins):
            if event.begins > since:
                yield since, event.begins
            since = max(since, event.ends + margin_s)
        if self.span_s > since:
            yield since, self.span_s


H = 3600.0
DAY = Script(
    86_400.0,
    0.7,
    (
        Event("birch hangs", "hangs", ("birch",), 3.5 * H, 3.5 * H + 900),
        Event("alder refuses", "refuses", ("alder",), 6 * H, 6 * H + 1200),
        Event("birch says 429", "limits", ("birch",), 8 * H, 9 * H, 60.0, 300.0),
        Event("hazel is slow", "slow", ("hazel",), 10.5 * H, 11.5 * H),
        Event("cedar fails 30 %", "fails", ("cedar",), 13 * H, 15 * H),
        Event("alder truncates", "truncates", ("alder",), 16.5 * H, 17 * H),
        Event("4 of 6 unreachable", "unreachable", NAMES[:4], 19 * H, 19 * H + 600),
        Event("all refuse", "refuses", NAMES, 21 * H, 21 * H + 120),
    ),
)
SHORT = Script(
    1_800.0,
    0.0,
    (
        Event("alder refuses", "refuses", ("alder",), 300.0, 480.0),
        Event("birch says 429", "limits", ("birch",), 600.0, 720.0, 20.0, 40.0),
        Event("hazel is slow", "slow", ("hazel",), 740.0, 900.0),
        Event("cedar fails 30 %", "fails", ("cedar",), 920.0, 1040.0),
        Event("alder truncates", "truncates", ("alder",), 1080.0, 1140.0),
        Event("4 of 6 unreachable", "unreachable", NAMES[:4], 1240.0, 1300.0),
        Event("all refuse", "refuses", NAMES, 1400.0, 1430.0),
        Event("birch hangs", "hangs", ("birch",), 1500.0, 1640.0),
    ),
)
"""The same in half an hour, for tests: 20,000 requests are the day's mean rate."""
CROWDED = Script(
    7_200.0, 0.0, (), tuple(t if t.slots > 30 else t._replace(slots=6) for t in TEMPERS)
)
"""Two hours in which nothing happens, but that the two fastest are small."""
SCRIPTS = {"day": DAY, "short": SHORT, "crowded": CROWDED}


def the_model() -> Model:
    """What everybody asks for."""
    endpoints = tuple(_endpoint(temper) for temper in TEMPERS)
    return Model(MODEL, "Plant 1", 0, CONTEXT, endpoints)


def _endpoint(temper: Temper) -> Endpoint:
    provider = Provider(temper.name, temper.name.title(), "openai-chat", f"http://{temper.name}")
    prices = Prices(price_from_usd(temper.prompt_usd), price_from_usd(temper.completion_usd))
    return Endpoint(provider, MODEL, "plant-1", prices, CONTEXT)


class Fate(NamedTuple):
    """What becomes of one attempt."""

    after_s: float
    """Begun -> first content, or failure."""
    error: HedgerowError | None = None
    sent: bool = True
    retry_after_s: float | None = None
    rest_s: float = 0.0
    """First content -> end."""
    tokens: int = 0
    breaks: bool = False
    """The end is none that one wants."""


class World:
    """Answers attempts."""

    def __init__(self, script: Script, draw: random.Random) -> None:
        self._events = script.events
        self._draw = draw
        self._tempers = {temper.name: temper for temper in script.tempers}
        self.serving = dict.fromkeys(NAMES, 0)
        """Requests in progress, by endpoint."""

    def trouble(self, name: str, now: float) -> str:
        """Kind of the event that an endpoint suffers from; empty: none."""
        for event in self._events:
            if name in event.who and event.on(now):
                return event.kind
        return ""

    def healthy(self, now: float) -> int:
        """Endpoints that suffer from nothing but slowness."""
        return sum(self.trouble(name, now) in {"", "slow"} for name in NAMES)

    def answer(self, name: str, now: float, tokens: int) -> Fate:
        """Decide what becomes of an attempt that begins now."""
        draw, temper = self._draw, self._tempers[name]
        trouble = self.trouble(name, now)
        slow = max(1.0, self.serving[name] / temper.slots) * (4.0 if trouble == "slow" else 1.0)
        ttft_s = temper.ttft_s * draw.lognormvariate(0.0, temper.ttft_spread) * slow
        match trouble:
            case "refuses":
                return Fate(ROUND_TRIP_S, UpstreamOverloadedError("Provider said 503."))
            case "unreachable":
                refused = UpstreamUnavailableError("Provider refused the connection.")
                return Fate(ROUND_TRIP_S, refused, sent=False)
            case "limits":
                limited = UpstreamRateLimitError("Provider said 429.")
                return Fate(ROUND_TRIP_S, limited, retry_after_s=LIMITED_AGAIN_S)
            case "truncates":
                return Fate(ttft_s, UpstreamUnavailableError("Provider ended its reply early."))
            case "hangs":
                return Fate(FIRST_TOKEN_S, UpstreamTimeoutError("Provider did not answer in time."))
        chance = draw.random()
        if chance < (0.3 if trouble == "fails" else HICCUPS):
            return Fate(ttft_s / 2, UpstreamUnavailableError("Provider said 500."))
        if chance > 1 - STALLS:
            ttft_s += math.exp(draw.uniform(math.log(STALL_S[0]), math.log(STALL_S[1])))
        if ttft_s >= FIRST_TOKEN_S:
            return Fate(FIRST_TOKEN_S, UpstreamTimeoutError("Provider did not answer in time."))
        speed = temper.tokens_per_s * draw.lognormvariate(0.0, 0.25) / slow
        breaks = draw.random() < BREAKS
        return Fate(ttft_s, rest_s=tokens / speed, tokens=tokens, breaks=breaks)


FIRST_TOKEN_S = Seconds(60.0)
"""As `Timeouts` has it unless told otherwise."""
