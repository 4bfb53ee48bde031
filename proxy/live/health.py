"""Who is left alone for a while, and who had trouble lately; decided by `policy.health`.

Rule 1: `resting` and `troubled` may hold what is over already; who reads them compares with `now`.
Rule 2: a caller's own key that is refused, or used up, says nothing of the endpoint.
"""

import logging
from collections import deque
from collections.abc import Mapping
from typing import Literal, NamedTuple

from proxy.config.settings import HealthSettings
from proxy.model.endpoint import Endpoint
from proxy.model.observation import Fault, Observation
from proxy.model.standing import Rest
from proxy.policy.health import (
    CLOSED,
    Breaker,
    Ends,
    began,
    failed,
    lot_of,
    pause_s,
    places,
    succeeded,
    undecided,
)
from proxy.units import Seconds

log = logging.getLogger("hedgerow.health")

ALERTS_MAX = 100
TOLD_AGAIN_S = 60.0
"""A provider that refuses our key is told of once in this time, not for every request."""
BLAMED: frozenset[Fault] = frozenset({"endpoint", "rate_limit", "credential"})
OWN: frozenset[Fault] = frozenset({"rate_limit", "credential"})
"""Blame that lies with the key; that of a caller's own key is the caller's."""


class Alert(NamedTuple):
    """Something that the operator should know."""

    at: Seconds
    kind: Literal["breaker", "credential"]
    text: str


class Watched:
    """One endpoint that has been asked."""

    __slots__ = ("breaker", "ends", "id", "lot", "model", "paused_until")

    def __init__(self, endpoint: Endpoint) -> None:
        self.id, self.model = endpoint.id, endpoint.model
        self.lot = lot_of(endpoint.id)
        self.breaker = CLOSED
        self.ends = Ends()
        self.paused_until = Seconds(0.0)
        """Until when the provider wants no requests."""


class Health:
    """Breakers of all endpoints, and rests that providers asked for."""

    def __init__(self, settings: HealthSettings, siblings: Mapping[str, int]) -> None:
        self._settings = settings
        self._siblings = siblings
        """Endpoints of each model, by model id."""
        self._resting: dict[str, Rest] = {}
        self._troubled: dict[str, Seconds] = {}
        self._watched: dict[str, Watched] = {}
        """By endpoint id; never more than there are endpoints."""
        self._opened: dict[str, dict[str, Watched]] = {}
        """By model and endpoint id: breakers that are not closed."""
        self._told: dict[str, Seconds] = {}
        """By provider id: when it was last told that our key was refused."""
        self.alerts: deque[Alert] = deque(maxlen=ALERTS_MAX)
        """The newest last."""

    @property
    def resting(self) -> Mapping[str, Rest]:
        """By endpoint id or provider id; a live view."""
        return self._resting

    @property
    def troubled(self) -> Mapping[str, Seconds]:
        """By endpoint id; a live view."""
        return self._troubled

    def began(self, endpoint: Endpoint, now: Seconds) -> None:
        """An attempt starts; one at a half-open endpoint is its probe."""
        watched = self._watched.get(endpoint.id)
        if watched is not None and watched.breaker is not CLOSED:
            room = self._has_room(watched, now)
            self._change(watched, began(watched.breaker, now, room=room), now)

    def heard(self, observation: Observation) -> None:
        """An attempt is over."""
        endpoint, fault, now = observation.endpoint, observation.fault, observation.at
        watched = self._watched.get(endpoint.id)
        if watched is None:
            watched = self._watched[endpoint.id] = Watched(endpoint)
        if fault == "none":
            watched.ends.succeeded(now)
            if watched.breaker is not CLOSED:
                began_at = Seconds(now - (observation.total_s or 0.0))
                self._change(watched, succeeded(watched.breaker, now, began_at), now)
            if self._troubled or self._resting:
                self._forget(watched.id, now)
        elif fault in BLAMED and not (fault in OWN and endpoint.own_key):
            self._blame(watched, observation)
        elif watched.breaker is not CLOSED:
            self._change(watched, undecided(watched.breaker, now), now)

    def rest_provider(self, provider: str, until: Seconds | None) -> None:
        """None of a provider's credentials can be used until then; None: one can again."""
        if until is None:
            self._resting.pop(provider, None)
        else:
            self._resting[provider] = Rest(until, "credential")

    def _blame(self, watched: Watched, observation: Observation) -> None:
        fault, now, settings = observation.fault, observation.at, self._settings
        watched.ends.troubled(now, fault)
        if watched.ends.are_trouble(now):
            self._troubled[watched.id] = Seconds(now + settings.trouble_s)
        if fault == "endpoint":
            room = self._has_room(watched, now)
            breaker = failed(
                watched.breaker, now, watched.ends, settings, room=room, lot=watched.lot
            )
        else:
            breaker = undecided(watched.breaker, now)
        if fault == "rate_limit":
            pause = Seconds(now + pause_s(observation.retry_after_s, settings))
            watched.paused_until = max(watched.paused_until, pause)
        elif fault == "credential":
            self._tell_of_key(observation.endpoint, now)
        self._change(watched, breaker, now)

    def _change(self, watched: Watched, breaker: Breaker, now: Seconds) -> None:
        """Keep a breaker, and publish how long the endpoint rests."""
        opened = breaker.openings > watched.breaker.openings
        watched.breaker = breaker
        among = self._opened.setdefault(watched.model, {})
        if breaker.until is None:
            among.pop(watched.id, None)
        else:
            among[watched.id] = watched
        if opened and breaker.until is not None:
            rest_s = breaker.until - now
            self._alert(now, "breaker", f"{watched.id} keeps failing: no requests for {rest_s:.0f} s.")  # fmt: skip
        self._publish(watched, now)

    def _publish(self, watched: Watched, now: Seconds) -> None:
        """Say how long the endpoint rests, by the longer one of its two reasons."""
        until, paused_until = watched.breaker.until, watched.paused_until
        if until is not None and now < until >= paused_until:
            self._resting[watched.id] = Rest(until, "breaker")
        elif now < paused_until:
            self._resting[watched.id] = Rest(paused_until, "rate_limit")
        else:
            self._resting.pop(watched.id, None)

    def _has_room(self, watched: Watched, now: Seconds) -> bool:
        """Whether one more endpoint of its model may rest."""
        among = self._opened.get(watched.model, {})
        others = sum(one.breaker.rests(now) for one in among.values() if one is not watched)
        return others < places(self._siblings.get(watched.model, 1), self._settings)

    def _forget(self, endpoint: str, now: Seconds) -> None:
        """Let go of entries that are over."""
        troubled_until, rest = self._troubled.get(endpoint), self._resting.get(endpoint)
        if troubled_until is not None and troubled_until <= now:
            del self._troubled[endpoint]
        if rest is not None and rest.until <= now:
            del self._resting[endpoint]

    def _tell_of_key(self, endpoint: Endpoint, now: Seconds) -> None:
        provider = endpoint.provider.id
        told_at = self._told.get(provider)
        if told_at is None or now >= told_at + TOLD_AGAIN_S:
            self._told[provider] = now
            self._alert(now, "credential", f"{provider} refuses our key, or has no credit for it.")

    def _alert(self, now: Seconds, kind: Literal["breaker", "credential"], text: str) -> None:
        self.alerts.append(Alert(now, kind, text))
        log.warning("%s", text)
