"""Latency, throughput, prices and uptime of every endpoint that has traffic.

Rule 1: `record` adds to counts and no more; standings are made by `refresh`, for what has changed.
Rule 2: endpoints' slices end at different refreshes, so that no refresh has all of them to close.
Rule 3: bounded: of more than ENDPOINTS_MAX endpoints, the one that was idle longest is forgotten.
Rule 4: one thread writes; there is no lock.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from proxy.live.vitals import Figures, Vitals, standing_of
from proxy.live.window import SLICE_S
from proxy.model.endpoint import Endpoint
from proxy.model.observation import Observation
from proxy.model.standing import Report, Standing
from proxy.units import Seconds

ENDPOINTS_MAX = 2_000
"""At some 80 KiB each with much traffic, 160 MiB (`bench.live`)."""
REFRESH_S = Seconds(3.0)
"""How often `refresh` is meant to be called."""
REFRESHES_PER_SLICE = round(SLICE_S / REFRESH_S)
BATCH = 10
"""Endpoints done between two pauses of `steps`; a millisecond or two."""


class Board:
    """All endpoints' statistics; iterating gives the ids of those that are known."""

    def __init__(self) -> None:
        self._vitals: dict[str, Vitals] = {}
        self._standings: dict[str, Standing] = {}
        self._providers: set[str] = set()
        """Those that have a standing."""
        self._providers_due_at = Seconds(0.0)
        self._begun = 0
        """Endpoints whose traffic has begun; decides when their slices end."""

    @property
    def standings(self) -> Mapping[str, Standing]:
        """By endpoint id and by provider id; a view that follows every refresh."""
        return self._standings

    @property
    def vitals(self) -> Mapping[str, Vitals]:
        """By endpoint id; a live view, only to be read."""
        return MappingProxyType(self._vitals)

    def __iter__(self) -> Iterator[str]:
        """Ids of all known endpoints, in the order of their first traffic."""
        return iter(tuple(self._vitals))

    def __len__(self) -> int:
        """Known endpoints."""
        return len(self._vitals)

    def record(self, observation: Observation) -> None:
        """Take in one attempt that is over."""
        endpoint = observation.endpoint
        vitals = self._vitals.get(endpoint.id)
        if vitals is None or vitals.figures is None:
            vitals = self._begin(endpoint, observation.at)
        vitals.record(observation)

    def refresh(self, now: Seconds) -> None:
        """Make the standings of what changed since the last refresh; close slices that are over."""
        for _ in self.steps(now):
            pass

    def steps(self, now: Seconds) -> Iterator[None]:
        """`refresh` with pauses, in which others may run and record."""
        done = 0
        for name, vitals in tuple(self._vitals.items()):
            if vitals.due_at <= now:
                vitals.close(now)
            elif not vitals.changed:
                continue
            self._publish(name, vitals)
            done += 1
            if done % BATCH == 0:
                yield
        if now >= self._providers_due_at:
            self._providers_due_at = Seconds(now + SLICE_S)
            yield from self._merge()

    def report(self, endpoint_id: str, now: Seconds) -> Report | None:
        """All that is known of an endpoint; None: nothing. Takes up to 1 ms."""
        vitals = self._vitals.get(endpoint_id)
        return None if vitals is None else vitals.report(now)

    def adopt(self, endpoint_id: str, vitals: Vitals) -> None:
        """Take in what an earlier run has measured, unless there is something newer."""
        if endpoint_id not in self._vitals:
            self._make_room()
            self._vitals[endpoint_id] = vitals
            self._stagger(vitals)
            vitals.changed = True

    def _begin(self, endpoint: Endpoint, now: Seconds) -> Vitals:
        vitals = self._vitals.get(endpoint.id)
        if vitals is None:
            self._make_room()
            vitals = self._vitals[endpoint.id] = Vitals(endpoint.provider.id, now)
        vitals.begin(now)
        self._stagger(vitals)
        return vitals

    def _stagger(self, vitals: Vitals) -> None:
        """End its first slice early, at one of the refreshes in turn; infinity stays infinity."""
        vitals.due_at = Seconds(vitals.due_at - self._begun % REFRESHES_PER_SLICE * REFRESH_S)
        self._begun += 1

    def _make_room(self) -> None:
        if len(self._vitals) >= ENDPOINTS_MAX:
            idle = min(self._vitals, key=lambda name: self._vitals[name].last_at)
            del self._vitals[idle]
            self._standings.pop(idle, None)

    def _publish(self, name: str, vitals: Vitals) -> None:
        if not vitals.changed or self._vitals.get(name) is not vitals:  # forgotten in a pause
            return
        vitals.changed = False
        if vitals.figures is None:
            self._standings.pop(name, None)
        else:
            self._standings[name] = vitals.standing()

    def _merge(self) -> Iterator[None]:
        """Standings of providers, from those of their endpoints that have figures."""
        active: dict[str, list[Figures]] = {}
        for vitals in self._vitals.values():
            if vitals.figures is not None:
                active.setdefault(vitals.provider, []).append(vitals.figures)
        for provider in self._providers.difference(active):
            del self._standings[provider]
        self._providers = set(active)
        for provider, figures in active.items():
            self._standings[provider] = standing_of(figures)
            yield
