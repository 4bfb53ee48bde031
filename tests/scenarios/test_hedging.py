"""Two providers race over real sockets: one stream reaches the client, the other is closed and accounted for.

Providers tag what they say with their name and keep their own log: what they were asked, what they said,
and when the connection went away.
"""

import json
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio

from proxy.ledger.memory import MemoryLedger
from proxy.model.meter import Tried
from tests.fakes.reply import Reply
from tests.fakes.things import chunk, event
from tests.rig import Rig, chat_body, post, rig

MODEL = "maker/text"
PROMPT_TOKENS = 10
"""As providers count."""
DELAY_S = 0.03
"""Silence after which the second is asked."""
HEDGING: dict[str, Any] = {
    "default_s": DELAY_S,
    "floor_s": 0.01,
    "samples_min": 1_000_000,
    "budget_share": 0.5,
    "budget_burst": 1000,
    "budget_per_s": 1000,
    "cost_share_max": 1.0,
    "late_share_max": 1.0,
}
RETRIES = {"budget_share": 1.0, "budget_per_s": 100_000}
CLOSED_WITHIN_S = 0.05
"""From the winner's first token to the end of the loser's connection."""


@dataclass(slots=True)
class Heard:
    """One request, as its provider saw it."""

    label: str
    said: int = 0
    """Tokens."""
    first_at: float = math.inf
    """When the first token was sent."""
    end: str = "open"
    """Or "finished", "closed" (by the gateway), "failed" (by us)."""
    ended_at: float = math.inf


@dataclass
class Provider:
    """Says `tokens` tokens after as much silence as `silence_s` tells of a label; NaN: fails at once."""

    name: str
    silence_s: Callable[[str], float]
    tokens: int = 3
    heard: list[Heard] = field(default_factory=list)
    together: dict[str, trio.Event] | None = None
    """By label: both providers speak when both have been asked."""
    url: str = ""

    @property
    def log(self) -> dict[str, Heard]:
        """By label; each was asked once."""
        found = {one.label: one for one in self.heard}
        assert len(found) == len(self.heard)
        return found

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection."""
        unread = b""
        async with stream:
            while True:
                while b"\r\n\r\n" not in unread:
                    if not (data := await _some(stream)):
                        return
                    unread += data
                head, _, unread = unread.partition(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                while len(unread) < length:
                    unread += await _some(stream)
                label = json.loads(unread[:length])["messages"][-1]["content"]
                unread = unread[length:]
                heard = Heard(label)
                self.heard.append(heard)
                unread += await self._answer(stream, heard)
                heard.ended_at = trio.current_time()
                if heard.end != "finished":
                    return

    async def _answer(self, stream: trio.SocketStream, heard: Heard) -> bytes:
        """Say it all, unless the gateway hangs up; returns what it sends next, if that comes so soon."""
        early = b""

        async def watch() -> None:
            nonlocal early
            early = await _some(stream)
            if not early:
                heard.end = "closed"
                nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            try:
                heard.end = await self._speak(stream, heard)
            except trio.BrokenResourceError:
                heard.end = "closed"
            nursery.cancel_scope.cancel()
        return early

    async def _speak(self, stream: trio.SocketStream, heard: Heard) -> str:
        if self.together is not None:
            if heard.label not in self.together:
                self.together[heard.label] = trio.Event()
                await self.together[heard.label].wait()
            else:
                self.together.pop(heard.label).set()
        silence_s = self.silence_s(heard.label)
        if math.isnan(silence_s):
            await stream.send_all(b"HTTP/1.1 500 X\r\ncontent-length: 2\r\n\r\n{}")
            return "failed"
        await trio.sleep(silence_s)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        for number in range(self.tokens):
            heard.first_at = min(heard.first_at, trio.current_time())
            heard.said += 1
            await stream.send_all(head + _piece(event(chunk(content=f"<{self.name}>"))))
            head = b""
            if number:
                await trio.lowlevel.checkpoint()
        usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": self.tokens}
        ending = event(chunk(finish="stop")) + event({**chunk(), "choices": [], "usage": usage})
        await stream.send_all(_piece(ending + b"data: [DONE]\n\n") + b"0\r\n\r\n")
        return "finished"


def _piece(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


async def _some(stream: trio.SocketStream) -> bytes:
    try:
        return bytes(await stream.receive_some(65536))
    except trio.BrokenResourceError:
        return b""


@dataclass
class Stage:
    """A gateway before two providers, and what its ledger was told of attempts."""

    rig: Rig
    one: Provider
    two: Provider
    records: dict[str, tuple[Tried, ...]]
    """By generation id."""

    async def ask(self, label: str, **fields: Any) -> Reply:
        """One streamed request; the first provider is the primary."""
        body = chat_body(MODEL, stream=True, text=label, **fields)
        return await self.rig.raw(
            post(body, "/api/v1/chat/completions", "X-OpenRouter-Metadata: enabled")
        )

    async def quiet(self, within_s: float = 2.0) -> None:
        """Wait until the gateway is at rest and both providers know how each of their replies ended."""
        await self.rig.quiet(within_s)
        with trio.fail_after(within_s):
            while any(heard.end == "open" for heard in (*self.one.heard, *self.two.heard)):
                await trio.sleep(0.002)

    def trail(self, reply: Reply) -> list[tuple[str, str, bool, str]]:
        """(provider, outcome, hedge, basis) of each attempt."""
        return [
            (tried.endpoint.provider.id, tried.outcome, tried.hedge, tried.basis)
            for tried in self.records[reply.headers["x-generation-id"]]
        ]


@asynccontextmanager
async def stage(
    monkeypatch: pytest.MonkeyPatch, one: Callable[[str], float], two: Callable[[str], float],
    *, tokens: int = 3, together: bool = False, provider: dict[str, Any] | None = None,
    **hedging: Any,
) -> AsyncIterator[Stage]:  # fmt: skip
    """Run it all while the block runs, and then look at the books."""
    shared: dict[str, trio.Event] | None = {} if together else None
    providers = [Provider(n, f, tokens, together=shared) for n, f in (("one", one), ("two", two))]
    records: dict[str, tuple[Tried, ...]] = {}
    total = MemoryLedger.attempts

    def attempts(self: Any, generation_id: str, account: str, told: Sequence[Tried]) -> None:
        assert generation_id not in records, "told twice"
        records[generation_id] = tuple(told)
        total(self, generation_id, account, told)

    monkeypatch.setattr(MemoryLedger, "attempts", attempts)
    prices = (
        {"prompt": "0.001", "completion": "0.001"},
        {"prompt": "0.002", "completion": "0.002"},
    )
    endpoints = [
        {"provider": one.name, "upstream_model": "m", "prices": price}
        for one, price in zip(providers, prices, strict=True)
    ]
    async with trio.open_nursery() as nursery:
        for speaker in providers:
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            speaker.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/v1"
            nursery.start_soon(trio.serve_listeners, speaker.serve, [listener])
        async with rig(
            {}, urls={speaker.name: speaker.url for speaker in providers}, provider=provider,
            models=[{"id": MODEL, "context_length": 10_000, "endpoints": endpoints}],
            hedging={**HEDGING, **hedging}, retries=RETRIES,
        ) as running:  # fmt: skip
            yield Stage(running, *providers, records)
            await running.quiet()
            audit(running.ledger, records)
        nursery.cancel_scope.cancel()


def audit(ledger: MemoryLedger, records: dict[str, tuple[Tried, ...]]) -> None:
    """Every attempt's cost is charged to the client or to the house, to the nano-dollar."""
    every = [tried for trail in records.values() for tried in trail]
    paid = [tried for tried in every if tried.outcome == "won"]

    assert len(records) == ledger.posted + ledger.voided
    assert len(paid) == ledger.posted
    assert all(sum(t.outcome == "won" for t in trail) <= 1 for trail in records.values())
    assert sum(tried.cost for tried in paid) == ledger.charged
    assert sum(tried.cost for tried in every) == ledger.charged + ledger.house


def stalls(label: str) -> float:
    return math.inf


def answers(label: str) -> float:
    return 0.0


def fails(label: str) -> float:
    return math.nan


async def test_a_stalled_primary_is_beaten_by_the_hedge_and_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with stage(monkeypatch, stalls, answers) as s:
        reply = await s.ask("a")
        await s.quiet()

        assert ("<two>" * 3, "2") == (reply.text, reply.headers["x-hedgerow-attempts"])
        assert "two:maker/text" == reply.headers["x-hedgerow-endpoint"]
        assert [("two", "won", True, "reported"), ("one", "lost", False, "estimated")] == s.trail(
            reply
        )
        silence_ms = float(reply.headers["server-timing"].split("hedge;dur=")[1])
        assert DELAY_S * 1e3 <= silence_ms < DELAY_S * 1e3 + 30
        assert ("closed", "finished") == (s.one.log["a"].end, s.two.log["a"].end)
        assert (PROMPT_TOKENS + 3) * 2 == s.rig.ledger.charged
        assert 0 < s.rig.ledger.house
        told = reply.chunks[-1]["openrouter_metadata"]["attempts"]
        assert [("two", "won"), ("one", "lost")] == [
            (one["endpoint"].split(":")[0], one["outcome"]) for one in told
        ]
        counted = s.rig.gateway.live.hedges.statistics()
        assert (1, 1, 0, 0) == (counted.fired, counted.won, counted.lost, counted.failed)
        assert s.rig.ledger.house == counted.cost


async def test_where_cancelled_replies_are_billed_the_loser_owes_the_worst(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with stage(monkeypatch, stalls, answers, provider={"bills_cancelled": True}) as s:
        reply = await s.ask("a", max_tokens=50)
        lost = s.records[reply.headers["x-generation-id"]][1]

        assert ("worst_case", 50) == (lost.basis, lost.completion_tokens)
        assert lost.prompt_tokens + 50 == lost.cost == s.rig.ledger.house


async def test_losers_are_closed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def every_other(label: str) -> float:
        return math.inf if int(label) % 2 else 0.0

    async with stage(monkeypatch, every_other, answers) as s:
        for number in range(400):
            assert (await s.ask(str(number))).status == 200
        await s.quiet()
        late = sorted(
            s.one.log[label].ended_at - heard.first_at for label, heard in s.two.log.items()
        )

        assert 200 == len(late)
        assert late[197] < CLOSED_WITHIN_S, late[-5:]
        assert {"closed"} == {s.one.log[label].end for label in s.two.log}


async def test_the_primary_may_win_after_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(monkeypatch, lambda _: DELAY_S * 2, stalls) as s:
        reply = await s.ask("a")

        assert ("<one>" * 3, "2") == (reply.text, reply.headers["x-hedgerow-attempts"])
        assert [("one", "won", False, "reported"), ("two", "lost", True, "estimated")] == s.trail(
            reply
        )
        await s.quiet()
        assert "closed" == s.two.log["a"].end


async def test_a_primary_that_fails_while_the_hedge_runs_leaves_it_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Failing(Provider):
        async def _speak(self, stream: trio.SocketStream, heard: Heard) -> str:
            await trio.sleep(DELAY_S * 2)
            await stream.send_all(b"HTTP/1.1 500 X\r\ncontent-length: 2\r\n\r\n{}")
            return "failed"

    async with stage(monkeypatch, fails, lambda _: DELAY_S * 4) as s:
        s.one._speak = Failing._speak.__get__(s.one)  # type: ignore[method-assign]
        reply = await s.ask("a")

        assert "<two>" * 3 == reply.text
        assert [
            ("one", "provider_unavailable", False, "none"),
            ("two", "won", True, "reported"),
        ] == (s.trail(reply))
        assert 0 == s.rig.ledger.house


@pytest.mark.parametrize("fields", [{"provider": {"hedge": False}}, {"store": True}])
async def test_who_does_not_want_it_or_cannot_have_it_is_not_hedged(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]
) -> None:
    async with stage(monkeypatch, lambda _: DELAY_S * 3, answers) as s:
        reply = await s.ask("a", **fields)

        assert ("<one>" * 3, "1") == (reply.text, reply.headers["x-hedgerow-attempts"])
        assert "hedge" not in reply.headers["server-timing"]


async def test_without_budget_the_primary_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(monkeypatch, lambda _: DELAY_S * 3, answers, cost_share_max=0.0) as s:
        reply = await s.ask("a")

        assert ("<one>" * 3, "1") == (reply.text, reply.headers["x-hedgerow-attempts"])
        assert {"cost": 1} == s.rig.gateway.live.hedges.statistics().skipped


async def test_a_race_that_was_asked_for_asks_both_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(monkeypatch, stalls, answers, default_s=5) as s:
        started = trio.current_time()
        reply = await s.ask("a", provider={"race": {"n": 2}})

        assert ("<two>" * 3, "2") == (reply.text, reply.headers["x-hedgerow-attempts"])
        assert trio.current_time() - started < 1
        assert [("two", "won", False, "reported"), ("one", "lost", False, "estimated")] == s.trail(
            reply
        )


async def test_a_client_that_leaves_while_two_run_closes_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with stage(monkeypatch, stalls, stalls) as s:
        async with s.rig.client() as client:
            await client.send(post(chat_body(MODEL, stream=True, text="a")))
            with trio.fail_after(5):
                while not s.two.heard:
                    await trio.sleep(0.005)
        await s.quiet()
        assert {"closed"} == {one.end for one in (*s.one.heard, *s.two.heard)}
        (trail,) = s.records.values()

        assert ["cancelled", "cancelled"] == [tried.outcome for tried in trail]
        assert (0, 0, 1) == (s.rig.ledger.charged, s.rig.ledger.posted, s.rig.ledger.voided)
        assert sum(tried.cost for tried in trail) == s.rig.ledger.house > 0


async def never_mixed(monkeypatch: pytest.MonkeyPatch, requests: int) -> None:
    """Both providers speak at the same moment; every client hears one of them."""
    winners: Counter[str] = Counter()
    async with stage(monkeypatch, answers, answers, together=True) as s:

        async def ask_on(first: int) -> None:
            for number in range(first, requests, 8):
                reply = await s.ask(str(number), provider={"race": {"n": 2}})
                assert reply.text in {"<one>" * 3, "<two>" * 3}, reply.body
                winners[reply.text] += 1

        async with trio.open_nursery() as nursery:
            for first in range(8):
                nursery.start_soon(ask_on, first)
        await s.quiet()

        assert requests == winners.total() == len(s.records) == s.rig.ledger.posted
        assert 2 == len(winners)
        assert {"won", "lost"} == {t.outcome for trail in s.records.values() for t in trail}


async def test_two_that_speak_in_the_same_moment_are_never_mixed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await never_mixed(monkeypatch, 2_000)


@pytest.mark.slow
async def test_a_hundred_thousand_that_speak_in_the_same_moment_are_never_mixed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await never_mixed(monkeypatch, 100_000)


async def audited(monkeypatch: pytest.MonkeyPatch, requests: int) -> None:
    """Providers' own logs against the records: every attempt is there, at the cost that was reported."""

    def every_third(label: str) -> float:
        return (0.0, math.inf, DELAY_S * 1.2)[int(label) % 3]

    async with stage(monkeypatch, every_third, lambda _: DELAY_S * 0.1) as s:
        labels: dict[str, str] = {}

        async def ask_on(first: int) -> None:
            for number in range(first, requests, 16):
                reply = await s.ask(str(number))
                assert reply.text in {"<one>" * 3, "<two>" * 3}
                labels[reply.headers["x-generation-id"]] = str(number)

        async with trio.open_nursery() as nursery:
            for first in range(16):
                nursery.start_soon(ask_on, first)
        await s.quiet()
        logs, seen = {"one": s.one.log, "two": s.two.log}, 0
        for generation_id, trail in s.records.items():
            for tried in trail:
                heard = logs[tried.endpoint.provider.id][labels[generation_id]]
                seen += 1
                if tried.basis == "reported":
                    assert ("finished", PROMPT_TOKENS, 3) == (
                        heard.end, tried.prompt_tokens, tried.completion_tokens,
                    )  # fmt: skip
                    price = {"one": 1, "two": 2}[tried.endpoint.provider.id]
                    assert (PROMPT_TOKENS + 3) * price == tried.cost
                else:
                    assert ("lost", "estimated") == (tried.outcome, tried.basis)

        assert requests == len(s.records)
        assert seen == len(s.one.heard) + len(s.two.heard)
        counted = s.rig.gateway.live.hedges.statistics()
        assert len(s.two.heard) == counted.fired == counted.won + counted.lost
        assert requests / 4 < counted.fired
        assert s.rig.ledger.house == counted.cost


async def test_every_attempt_is_accounted_for(monkeypatch: pytest.MonkeyPatch) -> None:
    await audited(monkeypatch, 600)


@pytest.mark.slow
async def test_every_attempt_of_very_many_requests_is_accounted_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await audited(monkeypatch, 30_000)
