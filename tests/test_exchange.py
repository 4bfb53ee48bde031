"""The life of a request, in memory: every way it can end settles the money exactly once."""

import json
from typing import Any

import orjson
import pytest
import trio
from trio.testing import MockClock

from proxy import exchange as told
from proxy.config.settings import HedgingSettings, LimitSettings, Settings
from proxy.errors import (
    ClientClosedError,
    HedgerowError,
    UpstreamRefusedError,
    UpstreamUnavailableError,
)
from proxy.exchange import exchange
from proxy.model.endpoint import Endpoint
from proxy.model.event import Failed, Finished, Native, Text
from proxy.model.outcome import NOTHING, Dropped, Failure, Opened
from proxy.stages.relay import COMMENT
from proxy.units import Seconds
from tests.fakes.downstream import FakeDownstream, FakeLedger, FakeReply, a_gateway, opened
from tests.fakes.things import a_call, a_model, an_endpoint

MODELS = a_model(an_endpoint("one"), an_endpoint("two"))


class Runner:
    """An attempt that takes `lasts_s`, then ends so."""

    def __init__(
        self, endpoint: Endpoint, lasts_s: float, end: Opened | Failure | BaseException
    ) -> None:
        self.endpoint = endpoint
        self.deadline: Any = trio.current_time() + 60
        self._ends_at = trio.current_time() + lasts_s
        self._end = end
        self.closed = 0

    async def drive(self) -> Opened | Failure:
        await trio.sleep_until(self._ends_at)
        if isinstance(self._end, BaseException):
            raise self._end
        return self._end

    def wake_at(self, deadline: float) -> bool:
        return False

    def overdue(self) -> Failure:
        raise AssertionError

    def abandon(self, winner_s: float = 0.0) -> Dropped:
        self.closed += 1
        return Dropped(self.endpoint, Seconds(0.0), 1.0, NOTHING)


class Stage:
    """One exchange: what attempts do by provider, and what came of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **ends: Any) -> None:
        self.ledger = FakeLedger()
        settings = Settings(
            limits=LimitSettings(comment_after_s=5), hedging=HedgingSettings(enabled=False)
        )
        self.gateway = a_gateway(MODELS, ledger=self.ledger, settings=settings)
        self.ends = ends
        self.runners: list[Runner] = []
        monkeypatch.setattr(told, "Attempt", self._attempt)

    def _attempt(self, call: Any, endpoint: Endpoint, gateway: Any) -> Runner:
        lasts_s, end = self.ends[endpoint.provider.id]
        if isinstance(end, HedgerowError) and not isinstance(end, ClientClosedError):
            end = Failure(endpoint, end)
        elif isinstance(end, FakeReply):
            end = opened(call, endpoint, reply=end, held=[b"<held>"], encoder=Encoder())
        self.runners.append(Runner(endpoint, lasts_s, end))
        return self.runners[-1]

    async def run(self, downstream: FakeDownstream | None = None, **fields: Any) -> FakeDownstream:
        call = a_call(**fields)
        body = {"model": "maker/model", "stream": call.stream, "messages": []}
        downstream = downstream or FakeDownstream()
        downstream.request_body = orjson.dumps(body)
        self.status = await exchange(self.gateway, downstream, "openai-chat", "chat")
        return downstream

    @property
    def money(self) -> list[str]:
        return [kind for kind, _ in self.ledger.moves]


class Encoder:
    """Says which event it was given."""

    def feed(self, events: list[Any]) -> bytes:
        match events[0]:
            case Native() | Text() | Finished():
                return b""
            case Failed(error=error):
                return b"<failed %d>" % error.status
            case event:
                return b"<%b>" % type(event).__name__.encode()


BROKEN = UpstreamUnavailableError("broken")


async def test_a_stream_passes_and_is_posted_before_its_last_piece(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    stage = Stage(monkeypatch, one=(1, FakeReply([(1, b"<more>")])))

    class Watching(FakeDownstream):
        async def end(self, buffers: Any) -> None:
            assert ["hold", "post"] == stage.money
            await super().end(buffers)

    downstream = await stage.run(Watching())

    assert (b"<held><more><Charged>", 200) == (downstream.sent, stage.status)
    assert ["hold", "post"] == stage.money


async def test_a_whole_reply_passes(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    stage = Stage(monkeypatch, one=(1, FakeReply()))
    downstream = await stage.run(stream=False)

    assert (200, b"<Charged>", ["hold", "post"]) == (stage.status, downstream.sent, stage.money)


async def test_a_fallback_serves_where_the_first_fails(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    stage = Stage(monkeypatch, one=(1, BROKEN), two=(1, FakeReply()))
    downstream = await stage.run()

    assert b"x-hedgerow-endpoint: two:maker/model" in downstream.headers
    assert ["hold", "post"] == stage.money


async def test_nobody_serves_and_nothing_is_charged(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    stage = Stage(monkeypatch, one=(1, BROKEN), two=(1, UpstreamUnavailableError("too")))
    downstream = await stage.run()
    error = json.loads(downstream.sent)["error"]

    assert (502, 502, "Two") == (stage.status, error["code"], error["metadata"]["provider_name"])
    assert ["hold", "void"] == stage.money


async def test_a_refusal_by_the_first_is_final(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    stage = Stage(monkeypatch, one=(1, UpstreamRefusedError("bad")))
    await stage.run()

    assert (400, 1, ["hold", "void"]) == (stage.status, len(stage.runners), stage.money)


async def test_a_stream_that_breaks_off_is_free_and_told_in_stream(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    reply = FakeReply([(1, b"<more>")], failure=UpstreamUnavailableError("broken"))
    stage = Stage(monkeypatch, one=(1, reply))
    downstream = await stage.run()

    assert (200, ["hold", "void"]) == (downstream.status, stage.money)
    assert downstream.sent.startswith(b"<held><more>data: {")
    assert downstream.sent.endswith(b"data: [DONE]\n\n")
    assert 1 == reply.closed


async def test_silence_before_the_first_token_is_bridged(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    stage = Stage(monkeypatch, one=(12, FakeReply()))
    downstream = await stage.run()

    assert [COMMENT, COMMENT, b"<held>", b"<Charged>"] == downstream.written


async def test_a_failure_behind_a_comment_is_told_in_stream(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    stage = Stage(monkeypatch, one=(12, BROKEN), two=(1, BROKEN))
    downstream = await stage.run()

    assert (200, ["hold", "void"]) == (downstream.status, stage.money)
    assert downstream.sent.startswith(COMMENT * 2 + b"data: {")


async def test_who_does_not_stream_hears_no_comment(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    stage = Stage(monkeypatch, one=(12, FakeReply()))
    downstream = await stage.run(stream=False)

    assert [b"<Charged>"] == downstream.written


@pytest.mark.parametrize(("after_s", "moves"), [(0.5, ["hold", "void"]), (1.5, ["hold", "post"])])
async def test_a_departure_voids_before_the_first_token_and_posts_behind_it(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, after_s: float, moves: list[str]
) -> None:
    reply = FakeReply([(100, b"late")])
    stage = Stage(monkeypatch, one=(1, reply))
    with trio.move_on_after(after_s):
        await stage.run()

    assert moves == stage.money
    assert 1 == reply.closed + stage.runners[0].closed


async def test_a_client_that_left_pays_what_it_got(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    stage = Stage(monkeypatch, one=(1, FakeReply([(1, b"x")])))
    with pytest.raises(ClientClosedError):
        await stage.run(FakeDownstream(leaves=ClientClosedError("gone")))

    assert ["hold", "post"] == stage.money


async def test_a_bug_of_ours_is_free_and_gets_past(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    stage = Stage(monkeypatch, one=(1, ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        await stage.run()

    assert ["hold", "void"] == stage.money


async def test_what_is_wrong_before_the_plan_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    downstream = FakeDownstream(request_body=b"[]")
    status = await exchange(stage.gateway, downstream, "openai-chat", "chat")

    assert (400, 400, []) == (status, downstream.status, stage.money)
    assert b"x-generation-id" not in downstream.headers


async def test_requests_are_counted_by_their_end(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    stage = Stage(monkeypatch, one=(1, FakeReply()))
    await stage.run()
    text = stage.gateway.statistics.render().decode()

    counted = [
        line
        for line in text.splitlines()
        if line.startswith("hedgerow_requests_total{") and not line.endswith(" 0.0")
    ]
    assert 1 == len(counted)
    assert counted[0].endswith(" 1.0")
