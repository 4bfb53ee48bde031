"""What is measured of one endpoint: three figures, four sums of money and tokens, ends, uptime.

The figures and sums are made when traffic comes and dropped when it has stayed away for half an hour;
counts of ends and the day's uptime stay.

Rule 1: `record` is on the hot path and only adds; whatever costs more waits for `close`.
Rule 2: an attempt that was cancelled while it waited counts with the time it had waited: a lower
bound, so a percentile of waiting times is never said to be higher than it is.
"""

import math

from proxy.live.counts import falling, rising, samples_of
from proxy.live.tally import Tally
from proxy.live.uptime import Uptime
from proxy.live.window import HALF_HOUR_S, RECENT_S, SLICE_S, Window, clamped
from proxy.model.observation import Fault, Observation
from proxy.model.standing import Report, Standing
from proxy.units import MILLION, Seconds

FAULTS: tuple[Fault, ...] = (
    "none", "endpoint", "rate_limit", "credential", "request", "client", "gateway",
)  # fmt: skip
"""In the order of their counts."""
PLACES = {fault: place for place, fault in enumerate(FAULTS)}
BAD = frozenset({"endpoint", "credential"})
"""Ends that count against uptime."""

TIME_STEPS = 1000
"""Times are recorded in milliseconds, of which this many are a second."""
SPEED_STEPS = 10
"""Throughputs are recorded in tenths of a token per second."""
TOTAL_S_MIN = 0.001
"""Shorter replies count as this long: the clock says no more."""
PROMPT_TOKENS, PROMPT_COST, COMPLETION_TOKENS, COMPLETION_COST = range(4)
"""The sums of money and tokens."""


class Figures:
    """What is kept of an endpoint that has traffic."""

    __slots__ = ("money", "opened_at", "throughput", "total", "ttft")

    def __init__(self, now: Seconds) -> None:
        self.ttft = Window()
        """Milliseconds."""
        self.throughput = Window()
        """Tenths of a token per second."""
        self.total = Window()
        """Milliseconds."""
        self.money = Tally(4, HALF_HOUR_S)
        self.opened_at = now
        """When the open slice began."""

    def record(self, observation: Observation) -> None:
        """Take in whatever was measured."""
        ttft_s, total_s = observation.ttft_s, observation.total_s
        if ttft_s is not None and observation.streamed:
            self.ttft.record(clamped(ttft_s * TIME_STEPS))
        tokens = observation.completion_tokens
        if total_s is not None:
            self.total.record(clamped(total_s * TIME_STEPS))
            if tokens:
                self.throughput.record(clamped(tokens * SPEED_STEPS / max(total_s, TOTAL_S_MIN)))
        if tokens or observation.prompt_tokens:
            sums = self.money.totals
            sums[PROMPT_TOKENS] += observation.prompt_tokens
            sums[PROMPT_COST] += observation.prompt_cost
            sums[COMPLETION_TOKENS] += tokens
            sums[COMPLETION_COST] += observation.completion_cost

    def close(self, now: Seconds) -> bool:
        """End the open slice; whether anything has left the windows."""
        began_at, self.opened_at = self.opened_at, now
        windows = (self.ttft, self.throughput, self.total)
        left = [window.close(began_at, now) for window in windows]
        return self.money.close(began_at, now) or any(left)


class Vitals:
    """One endpoint."""

    __slots__ = ("changed", "due_at", "ends", "figures", "last_at", "provider", "uptime")

    def __init__(self, provider: str, now: Seconds) -> None:
        self.provider = provider
        """Id of the provider."""
        self.figures: Figures | None = None
        self.ends = Tally(len(FAULTS), RECENT_S)
        """By the places of FAULTS."""
        self.uptime = Uptime(now)
        self.last_at = now
        """When the last attempt ended."""
        self.due_at = Seconds(math.inf)
        """When the open slice shall end; infinity: there is none."""
        self.changed = False
        """Its standing is not what it should be."""

    def record(self, observation: Observation) -> None:
        """Take in an attempt that is over; `figures` are there."""
        at, fault = observation.at, observation.fault
        self.last_at, self.changed = at, True
        self.ends.totals[PLACES[fault]] += 1
        uptime = self.uptime
        if at >= uptime.ends_at:
            uptime.turn(at)
        if fault == "none":
            uptime.good += 1
        elif fault in BAD:
            uptime.bad += 1
        assert self.figures is not None
        self.figures.record(observation)

    def begin(self, now: Seconds) -> Figures:
        """Traffic comes."""
        self.figures = Figures(now)
        self.due_at = Seconds(now + SLICE_S)
        return self.figures

    def close(self, now: Seconds) -> None:
        """End the open slice; after half an hour without traffic, drop the figures, which exist."""
        assert self.figures is not None
        began_at = self.figures.opened_at
        self.changed |= self.figures.close(now)
        self.changed |= self.ends.close(began_at, now)
        after = Seconds(self.due_at + SLICE_S)
        self.due_at = after if after > now else Seconds(now + SLICE_S)
        if now - self.last_at >= HALF_HOUR_S:
            self.figures, self.due_at, self.changed = None, Seconds(math.inf), True

    def standing(self) -> Standing:
        """The last five minutes, prices of the last thirty."""
        return standing_of([] if self.figures is None else [self.figures])

    def report(self, now: Seconds) -> Report:
        """Everything, as of `now`."""
        if now >= self.due_at:
            self.close(now)
        figures, ends = self.figures, self.ends
        return Report(
            recent=self.standing(),
            half_hour=Standing() if figures is None else half_hour_of(figures),
            ends=dict(zip(FAULTS, ends.totals, strict=True)),
            recent_ends=dict(zip(FAULTS, ends.recent(), strict=True)),
            uptime_5m=self.uptime.percent(5, now),
            uptime_30m=self.uptime.percent(30, now),
            uptime_1d=self.uptime.percent(1440, now),
            last_at=self.last_at,
        )


def standing_of(figures: list[Figures]) -> Standing:
    """All of them taken together."""
    return _standing(
        sum(one.ttft.recent() for one in figures),
        sum(one.throughput.recent() for one in figures),
        sum(one.total.recent() for one in figures),
        samples=sum(one.ttft.samples for one in figures),
        money=[sum(sums) for sums in zip(*(one.money.recent() for one in figures), strict=True)],
    )


def half_hour_of(figures: Figures) -> Standing:
    """The last thirty minutes; takes a good deal longer than `standing_of`."""
    ttft = figures.ttft.half_hour()
    return _standing(
        ttft,
        figures.throughput.half_hour(),
        figures.total.half_hour(),
        samples=samples_of(ttft),
        money=figures.money.recent(),
    )


def _standing(
    ttft: int, throughput: int, total: int, *, samples: int, money: list[int]
) -> Standing:
    prompt, prompt_cost, completion, completion_cost = money or (0, 0, 0, 0)
    return Standing(
        ttft=rising(ttft, TIME_STEPS),
        throughput=falling(throughput, SPEED_STEPS),
        total=rising(total, TIME_STEPS),
        samples=samples,
        prompt_price=prompt_cost * MILLION / prompt if prompt else None,
        completion_price=completion_cost * MILLION / completion if completion else None,
    )
