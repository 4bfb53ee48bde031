"""Attempts that take their time and end as they are told, and who starts them in a race."""

import math
from collections.abc import Callable, Sequence
from typing import cast

import trio

from proxy.errors import (
    HedgerowError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from proxy.live import consent as hedge
from proxy.model.endpoint import Endpoint
from proxy.model.meter import Meter, Tried
from proxy.model.outcome import Dropped, Failure, Opened, Owed
from proxy.model.plan import Plan
from proxy.stages.race import Silence, race
from proxy.units import NanoDollars, Seconds
from tests.fakes.downstream import opened
from tests.fakes.things import a_call, an_endpoint

ONE, TWO, SIX = an_endpoint("one"), an_endpoint("two"), an_endpoint("six")
PLAN = Plan((ONE, TWO, SIX), Seconds(math.inf), NanoDollars(1))
NEVER = 10**6
CALL = a_call()


class FakeRunner:
    """Takes `lasts_s`, then ends as it is told; `interruptible` as a connected attempt is."""

    def __init__(
        self, endpoint: Endpoint, lasts_s: float, ends: HedgerowError | None, *,
        limit_s: float = 30, interruptible: bool = True,
    ) -> None:  # fmt: skip
        now = trio.current_time()
        self.endpoint = endpoint
        self.deadline = Seconds(now + limit_s)
        self.closed = 0
        self.sent = True
        self._ends_at = now + lasts_s
        self._ends = ends
        self._interruptible = interruptible
        self._wake_at = math.inf
        self.drives = 0
        self.winner_s = -1.0
        self.result: Opened | None = None

    async def drive(self) -> Opened | Failure | None:
        self.drives += 1
        await trio.sleep_until(min(self._ends_at, self._wake_at))
        if trio.current_time() < self._ends_at:
            self._wake_at = math.inf
            return None
        if self._ends is None:
            self.result = opened(CALL, self.endpoint, waited_s=2.0)
            return self.result
        return Failure(self.endpoint, self._ends, waited_s=1.0, sent=self.sent)

    def wake_at(self, deadline: float) -> bool:
        if self._interruptible:
            self._wake_at = deadline
        return self._interruptible

    def overdue(self) -> Failure:
        self.close()
        return Failure(self.endpoint, UpstreamTimeoutError("late"), sent=True)

    def abandon(self, winner_s: float = 0.0) -> Dropped:
        self.close()
        self.winner_s = winner_s
        return Dropped(self.endpoint, Seconds(0.0), 1.0, Owed("estimated", 3, 0, 30))

    def close(self) -> None:
        self.closed += 1


class Consent:
    """Answers as it is told, and keeps what it hears."""

    def __init__(self, refusal: str = "") -> None:
        self.asked: list[tuple[str, str]] = []
        self.lates: list[tuple[str, bool]] = []
        self.ends: list[tuple[str, ...]] = []
        self._refusal = refusal

    def late(self, primary: Endpoint, *, was_late: bool) -> None:
        self.lates.append((primary.provider.id, was_late))

    def refusal(self, primary: Endpoint, target: Endpoint) -> str:
        self.asked.append((primary.provider.id, target.provider.id))
        return self._refusal

    def over(self, trail: Sequence[Tried]) -> None:
        self.ends.append(tuple(tried.outcome for tried in trail))


class Track:
    """Makes runners by endpoint and keeps them."""

    def __init__(self, **told: tuple[float, HedgerowError | None]) -> None:
        self._told = told
        self.runners: list[FakeRunner] = []
        self.reassured: list[float] = []
        self.interruptible = True
        self.sent = True
        """Whether providers may have seen what failed."""
        self.budget = 10**6
        self.asked = 0
        """How often the budget was asked."""
        self.consent: Consent = Consent()

    def affordable(self) -> bool:
        self.asked += 1
        return self.asked <= self.budget

    def begin(self, endpoint: Endpoint) -> FakeRunner:
        lasts_s, ends = self._told[endpoint.provider.id]
        if lasts_s < 0:
            assert ends is not None
            raise ends
        self.runners.append(FakeRunner(endpoint, lasts_s, ends, interruptible=self.interruptible))
        self.runners[-1].sent = self.sent
        return self.runners[-1]

    async def reassure(self) -> None:
        self.reassured.append(trio.current_time())

    async def run(self, meter: Meter, plan: Plan = PLAN, every_s: float = NEVER) -> Opened:
        clock: Callable[[], Seconds] = trio.current_time  # type: ignore[assignment]
        silence = Silence(self.reassure, clock, every_s)
        hedges = cast("hedge.Consent", self.consent)
        return await race(
            plan, self.begin, meter, silence, affordable=self.affordable, hedges=hedges
        )


BAD = UpstreamUnavailableError("bad")


def trail_of(meter: Meter) -> list[tuple[Endpoint, str]]:
    return [(tried.endpoint, tried.outcome) for tried in meter.trail]
