"""What live statistics say, as planning sees it: values and read-only views.

`proxy.live` writes them; everything else only reads. Seconds are on the gateway's monotonic clock.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from proxy.model.endpoint import Endpoint
from proxy.units import Seconds

RestReason = Literal["breaker", "rate_limit", "credential"]


class Quantiles(msgspec.Struct, frozen=True):
    """Percentiles of one figure. Of a throughput, p90 is what 90 % of the replies reach."""

    p50: float
    p75: float
    p90: float
    p99: float
    p95: float = 0.0
    """For hedging; not published."""


class Standing(msgspec.Struct, frozen=True):
    """The last five minutes of one endpoint, or of a provider, as of the last refresh."""

    ttft: Quantiles | None = None
    """Request sent -> first content of a streamed reply, seconds."""
    throughput: Quantiles | None = None
    """Output tokens per second, the wait for the first one included."""
    total: Quantiles | None = None
    """Request sent -> last byte of the reply, seconds."""
    samples: int = 0
    """Observations behind `ttft`, those that are lower bounds included."""
    prompt_price: float | None = None
    """Really paid per prompt token in the last 30 minutes, nano-dollars per million; None: no traffic."""
    completion_price: float | None = None


class Rest(msgspec.Struct, frozen=True):
    """An endpoint or provider that is left alone for a while."""

    until: Seconds
    """From then on it may be tried again; after a breaker's rest by one request only."""
    reason: RestReason


class Snapshot(msgspec.Struct, frozen=True):
    """All that planning knows of the present; the mappings are live views, read in one go."""

    standings: Mapping[str, Standing] = {}
    """By endpoint id, and by provider id: the prior of endpoints without samples."""
    troubled: Mapping[str, Seconds] = {}
    """By endpoint id: until when its last trouble counts; may be in the past."""
    resting: Mapping[str, Rest] = {}
    """By endpoint id, or by provider id where no credential of it can be used."""

    def rest_of(self, endpoint: Endpoint, now: Seconds) -> Rest | None:
        """The rest that keeps an endpoint, or its provider, from being asked; None: it is awake.

        Entries that are over may still be there.
        """
        resting = self.resting
        rest = resting.get(endpoint.provider.id)
        if rest is not None and rest.until > now:
            return rest
        rest = resting.get(endpoint.id)
        return rest if rest is not None and rest.until > now else None


NOTHING_KNOWN = Snapshot()


class Report(msgspec.Struct, frozen=True):
    """All that is published of one endpoint."""

    recent: Standing
    """The last five minutes, with what came since the last refresh."""
    half_hour: Standing
    """Percentiles of the last 30 minutes."""
    ends: Mapping[str, int]
    """Attempts that ended since the start, by `observation.Fault`."""
    recent_ends: Mapping[str, int]
    """The same, of the last five minutes."""
    uptime_5m: float | None = None
    """Share of minutes in which at least 80 % of the attempts succeeded, percent; minutes with fewer than
    ten attempts do not count, nor do attempts that failed by rate limits or callers."""
    uptime_30m: float | None = None
    uptime_1d: float | None = None
    last_at: Seconds | None = None
    """When the last attempt ended."""
