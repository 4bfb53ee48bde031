"""Heads, last pieces and failures as a client reads them."""

import json

import pytest
import trio
from trio.testing import MockClock

from proxy.errors import (
    ClientClosedError,
    GatewayError,
    UpstreamRateLimitError,
    UpstreamUnavailableError,
)
from proxy.model.meter import Meter
from proxy.stages.answer import JSON, STREAM, begin, finish, refuse, served
from tests.fakes.downstream import FakeDownstream, a_gateway
from tests.fakes.things import a_call, an_endpoint


def fields(headers: bytes) -> dict[str, str]:
    lines = headers.decode().split("\r\n")
    assert "" == lines.pop()
    return dict(line.split(": ", 1) for line in lines)


async def test_a_head_names_who_served_and_our_own_time(autojump_clock: MockClock) -> None:
    call, meter = a_call(), Meter(endpoint=an_endpoint(), attempts=2, waited_s=0.25)
    call.received_at = trio.current_time()  # type: ignore[assignment]
    await trio.sleep(0.3)
    found = fields(served(STREAM, call, meter, a_gateway()))

    assert ("gen-1-abc", "acme:maker/model", "maker/model", "2") == tuple(
        found[name]
        for name in (
            "x-generation-id", "x-hedgerow-endpoint", "x-hedgerow-model", "x-hedgerow-attempts",
        )
    )  # fmt: skip
    assert "gateway;dur=50.000, upstream;dur=250.000" == found["server-timing"]
    assert "text/event-stream; charset=utf-8" == found["content-type"]
    assert pytest.approx(0.3) == meter.first_byte_s
    assert pytest.approx(0.05) == meter.own_s


async def test_a_head_says_after_how_much_silence_another_attempt_was_started() -> None:
    meter = Meter(endpoint=an_endpoint(), waited_s=0.25, hedge_after_s=0.2)
    found = fields(served(STREAM, a_call(), meter, a_gateway()))

    assert found["server-timing"].endswith("upstream;dur=250.000, hedge;dur=200.000")


async def test_our_own_time_is_never_negative() -> None:
    meter = Meter(waited_s=1e9)
    served(JSON, a_call(), meter, a_gateway())

    assert 0 == meter.own_s


async def test_before_anybody_served_no_endpoint_is_named() -> None:
    assert "x-hedgerow-endpoint" not in fields(served(JSON, a_call(), Meter(), a_gateway()))


async def test_pages_may_read_replies_only_where_keys_are_asked_for() -> None:
    closed, opened = (
        fields(served(JSON, a_call(), Meter(), a_gateway(keys=keys))) for keys in ([], ["x"])
    )

    assert "access-control-allow-origin" not in closed
    assert "*" == opened["access-control-allow-origin"]


async def test_a_stream_is_begun_and_finished_in_place() -> None:
    downstream, gateway, meter = FakeDownstream(), a_gateway(), Meter()
    begin(downstream, a_call(), meter, gateway)
    await finish(b"last", downstream, a_call(), meter, gateway)

    assert (200, b"last", True) == (downstream.status, downstream.sent, downstream.ended)


async def test_a_whole_reply_is_sent_at_once() -> None:
    downstream = FakeDownstream()
    await finish(b"all", downstream, a_call(stream=False), Meter(), a_gateway())

    assert (200, b"all") == (downstream.status, downstream.sent)
    assert "application/json" == fields(downstream.headers)["content-type"]


async def test_before_the_head_a_failure_is_a_status_with_its_headers() -> None:
    downstream = FakeDownstream()
    error = UpstreamRateLimitError("busy", headers=(("retry-after", "7"),))
    await refuse(
        error,
        downstream,
        "openai-chat",
        a_call(),
        Meter(offer=an_endpoint()),
        a_gateway(keys=["x"]),
    )
    found = fields(downstream.headers)

    assert 429 == downstream.status
    assert ("7", "gen-1-abc", "*") == (
        found["retry-after"], found["x-generation-id"], found["access-control-allow-origin"],
    )  # fmt: skip
    assert {
        "error": {
            "code": 429,
            "message": "busy",
            "metadata": {"error_type": "rate_limit_exceeded"},
        }
    } == json.loads(downstream.sent)


async def test_a_failure_before_the_call_is_known_names_no_generation() -> None:
    downstream = FakeDownstream()
    await refuse(GatewayError("secret"), downstream, "openai-chat", None, Meter(), a_gateway())

    assert 500 == downstream.status
    assert b"secret" not in downstream.sent
    assert "x-generation-id" not in fields(downstream.headers)


@pytest.mark.parametrize("error", [UpstreamUnavailableError("gone"), GatewayError("x")])
async def test_behind_the_head_a_failure_comes_in_stream(error: Exception) -> None:
    downstream = FakeDownstream()
    begin(downstream, a_call(), Meter(), a_gateway())
    await refuse(
        error, downstream, "openai-chat", a_call(), Meter(offer=an_endpoint()), a_gateway()
    )  # type: ignore[arg-type]
    first, last, rest = downstream.sent.decode().split("\n\n")
    document = json.loads(first.removeprefix("data: "))

    assert ("data: [DONE]", "") == (last, rest)
    assert "error" == document["choices"][0]["finish_reason"]
    assert "gen-1-abc" == document["id"]
    named = document["error"]["metadata"].get("provider_name")
    assert ("Acme" if isinstance(error, UpstreamUnavailableError) else None) == named


async def test_a_client_that_left_hears_nothing_and_that_is_told_to_the_door() -> None:
    downstream = FakeDownstream(leaves=ClientClosedError("gone"))
    begin(downstream, a_call(), Meter(), a_gateway())
    with pytest.raises(ClientClosedError):
        await refuse(
            ClientClosedError("x"),
            downstream,
            "openai-chat",
            a_call(),
            Meter(offer=an_endpoint()),
            a_gateway(),
        )
