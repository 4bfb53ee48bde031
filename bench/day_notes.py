"""What is noted of a day while it passes: counts by second, and a few lists.

Rule 1: nothing is judged here; `day_findings` and `day_plots` read it afterwards.
"""

from array import array
from collections import Counter
from typing import NamedTuple

from bench.day_world import Script
from proxy.model.standing import Rest
from proxy.units import Seconds

KINDS = {"default": 0.7, "nitro": 0.1, "floor": 0.1, "latency": 0.1}
"""Kinds of traffic, and their shares."""
TAIL_S = 120
"""The last requests take a little longer than the day."""


class Span(NamedTuple):
    """One endpoint was left alone, or asked last."""

    endpoint: str
    begins: float
    ends: float
    why: str
    """breaker | rate_limit | trouble."""


class Failed(NamedTuple):
    """A client got an error."""

    at: float
    kind: str
    why: str
    healthy: int
    """Endpoints that would have served at that moment."""


class Notes:
    """One day."""

    def __init__(self, script: Script, weights: dict[str, float]) -> None:
        """Args: weights: of the draw, by endpoint id, cheapest first."""
        self.script = script
        self.weights = weights
        endpoints = self.endpoints = list(weights)
        """Ids, cheapest first."""
        seconds = self.seconds = int(script.span_s) + TAIL_S
        self.requests_all = 0
        self.requests = array("H", bytes(2 * seconds))
        """By second, as all that follow."""
        self.paid = array("H", bytes(2 * seconds))
        """Attempts beyond the first that the retry budget paid."""
        self.free = array("H", bytes(2 * seconds))
        """Those that cost none, as the one before had never been sent."""
        self.started_at = {id_: array("H", bytes(2 * seconds)) for id_ in endpoints}
        """All attempts, by endpoint."""
        self.first_at = {
            (kind, id_): array("H", bytes(2 * seconds)) for kind in KINDS for id_ in endpoints
        }
        """Plans by kind of traffic and the endpoint in front."""
        self.ttft = {kind: (array("d"), array("f")) for kind in KINDS}
        """Times, and how long the client had waited for its first token."""
        self.attempts: Counter[int] = Counter()
        """Requests served, by how many attempts they took."""
        self.failures: list[Failed] = []
        self.spans: list[Span] = []
        self.ejected_max = 0
        """Most endpoints that breakers rested at a time."""
        self._rests: dict[str, tuple[float, Rest]] = {}
        self._troubles: dict[str, tuple[float, float]] = {}

    def arrived(self, now: Seconds) -> None:
        """A request came."""
        self.requests_all += 1
        self.requests[int(now)] += 1

    def asked(self, kind: str, endpoint: str, now: Seconds) -> None:
        """It has a plan; who stands in front."""
        self.first_at[kind, endpoint][int(now)] += 1

    def started(self, endpoint: str, now: Seconds, *, first: bool, paid: bool) -> None:
        """An attempt starts."""
        second = int(now)
        self.started_at[endpoint][second] += 1
        if not first:
            (self.paid if paid else self.free)[second] += 1

    def won(self, kind: str, now: Seconds, waited_s: float, attempts: int) -> None:
        """A client gets its first token."""
        times, waits = self.ttft[kind]
        times.append(now)
        waits.append(waited_s)
        self.attempts[attempts] += 1

    def failed(self, kind: str, now: Seconds, why: str, healthy: int, attempts: int) -> None:
        """A client gets an error."""
        self.failures.append(Failed(now, kind, why, healthy))

    def saw(
        self, endpoint: str, now: Seconds, rest: Rest | None, troubled_until: Seconds | None
    ) -> None:
        """Health may have changed its mind of an endpoint."""
        begun = self._rests.get(endpoint)
        if rest != (None if begun is None else begun[1]):
            self._end_rest(endpoint, now)
            if rest is not None:
                self._rests[endpoint] = now, rest
                ejected = [r for _, r in self._rests.values()
                           if r.reason == "breaker" and r.until > now]  # fmt: skip
                self.ejected_max = max(self.ejected_max, len(ejected))
        if troubled_until is not None and troubled_until > now:
            since, until = self._troubles.get(endpoint, (now, 0.0))
            if until < now:
                self._end_trouble(endpoint)
                since = now
            self._troubles[endpoint] = since, troubled_until

    def close(self) -> "Notes":
        """Everything that is still open is noted; returns itself."""
        for endpoint in self.endpoints:
            self._end_rest(endpoint, float(self.seconds))
            self._end_trouble(endpoint)
        self.spans.sort(key=lambda span: span.begins)
        return self

    def _end_rest(self, endpoint: str, now: float) -> None:
        if endpoint in self._rests:
            since, rest = self._rests.pop(endpoint)
            self.spans.append(Span(endpoint, since, min(now, rest.until), rest.reason))

    def _end_trouble(self, endpoint: str) -> None:
        if endpoint in self._troubles:
            since, until = self._troubles.pop(endpoint)
            self.spans.append(Span(endpoint, since, until, "trouble"))
