"""Show 3: providers fall ill one after the other, no client notices, and it costs next to nothing.

Three providers serve one model. In each phase one of them is ill in its own way, and then well again;
clients ask on and on. What it cost is counted by the providers themselves.
"""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio

from tests.fakes.fault import Fault
from tests.fakes.replay import Replay, serve_replay
from tests.rig import Rig, chat_body, post, rig
from tests.scenarios.test_faults import CALM, GOOD, TEXT

NAMES = ("first", "second", "third")
DOWN = Fault("reset-before-headers")
ILLNESSES = (
    DOWN,
    Fault("stall-before-headers"),
    Fault("status", status=500),
    Fault("status", status=429, retry_after="1"),
    Fault("close-mid-body", after=0),
)
"""It takes no connections and drops those it had; says nothing; fails; wants less; breaks off unheard."""
TIMEOUTS = {"connect": 1, "first_token": 1, "idle": 1, "total": 1}
QUICK = {"trouble_s": 0.2, "rest_s": 0.2}
"""Phases last a second instead of minutes, so what is remembered lasts a second as well."""
EXTRA_SHARE_MAX = 0.2
CLIENT_S = 5.0
"""Longest that a client may wait: two deadlines, and what a busy machine adds."""


@dataclass
class Show:
    """A gateway before three providers, and what clients saw."""

    rig: Rig
    providers: list[Replay]
    requests: int
    phases: int
    asked: int = 0
    attempts: list[int] = field(default_factory=list)
    """Of each request that was answered, as the gateway says."""
    errors: list[str] = field(default_factory=list)
    ill_attempts: list[int] = field(default_factory=list)
    """Beyond the first, by phase."""

    async def run(self, clients: int) -> None:
        """Phase after phase; returns when everything is at rest."""
        for number in range(self.phases):
            self.fall_ill(number)
            async with trio.open_nursery() as nursery:
                for _ in range(clients):
                    nursery.start_soon(self.ask_on, self.requests * (number + 1) // self.phases)
            await self.recover()
        await self.rig.quiet()

    def fall_ill(self, number: int) -> None:
        """Provider after provider, illness after illness; everybody else is well."""
        ill, fault = self.providers[number % len(NAMES)], ILLNESSES[number % len(ILLNESSES)]
        ill.script("m", fault)
        ill.down = fault is DOWN
        self.ill_attempts.append(0)

    async def recover(self) -> None:
        """Everybody is well, and what was remembered of this phase is over."""
        for provider in self.providers:
            provider.script("m", GOOD)
            provider.down = False
        health = self.rig.gateway.live.health
        while True:
            ends = [*health.troubled.values(), *(rest.until for rest in health.resting.values())]
            if all(until <= self.rig.gateway.clock() for until in ends):
                return
            await trio.sleep(0.02)

    async def ask_on(self, up_to: int) -> None:
        """One client: a connection, and request after request on it."""
        async with self.rig.client() as client:
            while self.asked < up_to:
                number, self.asked = self.asked, self.asked + 1
                with trio.fail_after(CLIENT_S):
                    reply = await client.ask(post(chat_body("a/m", stream=number % 2 == 0)))
                text = reply.text if number % 2 == 0 else content_of(reply.json)
                if not (reply.whole and reply.status == 200 and text == TEXT):
                    self.errors.append(f"{number}: {reply.status} {reply.body[:300]!r}")
                    continue
                attempts = int(reply.headers["x-hedgerow-attempts"])
                self.attempts.append(attempts)
                self.ill_attempts[-1] += attempts - 1

    @property
    def extra(self) -> int:
        """Requests that providers read, beyond those that clients sent."""
        return sum(len(provider.log) for provider in self.providers) - self.requests


def content_of(document: Any) -> Any:
    return document["choices"][0]["message"]["content"] if "choices" in document else document


@asynccontextmanager
async def show(requests: int, phases: int, health: dict[str, Any]) -> AsyncIterator[Show]:
    """Three providers of one price, one of them drawn for each request."""
    async with AsyncExitStack() as stack:
        replays = [await stack.enter_async_context(serve_replay()) for _ in NAMES]
        providers = {
            name: {"base_url": f"{replay.url}/v1"}
            for name, replay in zip(NAMES, replays, strict=True)
        }
        price = {"prompt": "1", "completion": "1"}
        endpoints = [{"provider": name, "upstream_model": "m", "prices": price} for name in NAMES]
        models = [{"id": "a/m", "context_length": 100_000, "endpoints": endpoints}]
        made = rig({}, providers=providers, models=models, timeouts=TIMEOUTS, health=health)
        r = await stack.enter_async_context(made)
        r.gateway.identities.draw = random.Random(7).random
        made_of = Show(r, replays, requests, phases)
        await made_of.recover()
        yield made_of


def check(done: Show) -> None:
    assert [] == done.errors
    assert (done.requests, 0) == done.rig.settled
    assert all(done.ill_attempts), "somebody was ill, and nobody noticed"
    extra = sum(done.attempts) - done.requests
    print(f"{done.requests} requests, extra attempts {extra}, seen by providers {done.extra}: "
          f"{done.ill_attempts}")  # fmt: skip
    assert extra <= EXTRA_SHARE_MAX * done.requests
    assert done.extra <= EXTRA_SHARE_MAX * done.requests


async def test_clients_do_not_notice_that_provider_after_provider_falls_ill() -> None:
    async with show(600, phases=5, health=QUICK) as done:
        await done.run(clients=10)
        check(done)


@pytest.mark.slow
async def test_ten_thousand_requests_through_every_illness_of_every_provider() -> None:
    async with show(10_000, phases=15, health=QUICK) as done:
        await done.run(clients=20)
        check(done)


async def test_without_memory_the_same_illnesses_cost_more_than_the_bound() -> None:
    """Else the tests above would prove nothing of breakers and trouble."""
    async with show(300, phases=5, health=CALM) as done:
        await done.run(clients=10)

        assert sum(done.attempts) - done.requests > EXTRA_SHARE_MAX * done.requests
