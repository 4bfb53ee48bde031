"""When an endpoint is left alone: a breaker as a value, and what its recent ends say.

    closed --failures--> open --rest is over--> half-open --one attempt--> probing --success--> closed
                          ^------------------------------failure-----------------'

Rule 1: this file never reads a clock; `now` is an argument, a fact makes a new value.
Rule 2: an attempt is judged when it is over, not when it begins to answer.
Rule 3: what does not get a place among the model's resting endpoints (`room`) is not left alone:
somebody has to serve.
Source: Envoy's outlier detection (consecutive failures, rests that grow, a share that may be ejected) and
circuit breakers as in "Release It!" (one probe).
"""

from zlib import crc32

import msgspec

from proxy.config.settings import HealthSettings
from proxy.model.observation import Fault
from proxy.policy.recent import Recent
from proxy.units import Seconds

SHARE_SPAN_S = 10
"""Ends that `failure_share_max` looks at."""
TROUBLE_SPAN_S = 30
"""Ends that a failure is compared with, before it is called trouble."""
TROUBLE_ENDS_MAX = 10
"""Ends to one that failed, at most, for it to be trouble: one failure among a thousand is a slip."""
SPREAD = 0.3
PROBE_S = Seconds(60.0)
"""A probe that is not over by then is forgotten, and another one may start."""


class Breaker(msgspec.Struct, frozen=True):
    """Whether one endpoint may be asked."""

    failures: int = 0
    """In a row."""
    openings: int = 0
    """In a row, without a successful probe between them."""
    until: Seconds | None = None
    """Everybody but the probe stays away until then; None: closed."""
    probing: bool = False
    """One attempt is under way to find out."""
    failed_at: Seconds = Seconds(0.0)
    """When the last attempt failed."""

    def rests(self, now: Seconds) -> bool:
        """Whether others stay away."""
        return self.until is not None and now < self.until


CLOSED = Breaker()


def began(breaker: Breaker, now: Seconds, *, room: bool) -> Breaker:
    """An attempt starts: the first one after a rest is the probe."""
    if breaker.until is None or breaker.rests(now) or not room:
        return breaker
    return msgspec.structs.replace(breaker, until=Seconds(now + PROBE_S), probing=True)


def succeeded(breaker: Breaker, now: Seconds, began_at: Seconds | None = None) -> Breaker:
    """An attempt ended well; one that began before the last failure, or the rest, says nothing of now.

    Long replies end well for minutes after their provider has gone down for others (seen in `bench.day`).
    """
    if began_at is not None and began_at < breaker.failed_at:
        return breaker
    return breaker if breaker.rests(now) and not breaker.probing else CLOSED


def undecided(breaker: Breaker, now: Seconds) -> Breaker:
    """An attempt ended without telling anything: if it was the probe, the next one probes."""
    if not breaker.probing:
        return breaker
    return msgspec.structs.replace(breaker, until=now, probing=False)


def failed(
    breaker: Breaker, now: Seconds, ends: "Ends", settings: HealthSettings, *, room: bool,
    lot: float = 0.0,
) -> Breaker:  # fmt: skip
    """An attempt ended badly, and is counted in `ends` already.

    Args:
        lot: of [0, 1), the endpoint's own: makes its rests longer by up to SPREAD, so that endpoints
            which failed together do not return together.
    """
    resting, over = breaker.rests(now), breaker.until is not None
    if resting and not breaker.probing:
        return breaker
    failures = breaker.failures + 1
    opens = over or failures >= settings.failures_max or ends.mostly_fail(now, settings)
    if not (opens and room):
        return msgspec.structs.replace(
            breaker, failures=failures, until=now if over else None, probing=False, failed_at=now
        )
    openings = breaker.openings + 1
    rest_s = min(settings.rest_s * openings * (1 + SPREAD * lot), settings.rest_max_s)
    return Breaker(0, openings, Seconds(now + rest_s), failed_at=now)


def lot_of(endpoint: str) -> float:
    """An endpoint's own number of [0, 1), the same in every process."""
    return crc32(endpoint.encode()) / 2**32


def places(endpoints: int, settings: HealthSettings) -> int:
    """How many of a model's endpoints breakers may rest at a time; the only one is never ejected."""
    return int(endpoints * settings.ejected_share_max + ROUNDING) if endpoints > 1 else 0


ROUNDING = 1e-9
"""0.29 of 100 is 28.999999999999996, and means 29."""


class Ends:
    """How the last attempts at one endpoint ended; mutable, as a success must cost next to nothing."""

    __slots__ = ("_all", "_failures", "_troubles")

    def __init__(self) -> None:
        self._all = Recent(TROUBLE_SPAN_S)
        self._failures = Recent(SHARE_SPAN_S)
        self._troubles = Recent(TROUBLE_SPAN_S)

    def succeeded(self, now: Seconds) -> None:
        """One ended well."""
        self._all.add(now)

    def troubled(self, now: Seconds, fault: Fault) -> None:
        """One ended with a fault that is not the caller's, nor ours."""
        self._all.add(now)
        self._troubles.add(now)
        if fault == "endpoint":
            self._failures.add(now)

    def mostly_fail(self, now: Seconds, settings: HealthSettings) -> bool:
        """Whether too large a share of enough ends within 10 s were failures."""
        ends = self._all.total(now, SHARE_SPAN_S)
        failures = self._failures.total(now, SHARE_SPAN_S)
        return ends >= settings.samples_min and failures > settings.failure_share_max * ends

    def are_trouble(self, now: Seconds) -> bool:
        """Whether the troubles of the last 30 s are more than a slip."""
        ends = self._all.total(now, TROUBLE_SPAN_S)
        return self._troubles.total(now, TROUBLE_SPAN_S) * TROUBLE_ENDS_MAX >= ends


def pause_s(retry_after_s: float | None, settings: HealthSettings) -> float:
    """How long a rate limit rests an endpoint, seconds; 0: not at all."""
    return min(max(retry_after_s or 0.0, 0.0), settings.retry_after_max_s)
