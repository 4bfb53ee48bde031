"""After commit: copied piece by piece, commented in silence, given up after too much of it."""

import pytest
import trio
from trio.testing import MockClock

from proxy.errors import ClientClosedError, UpstreamTimeoutError, UpstreamUnavailableError
from proxy.model.downstream import Buffer
from proxy.model.endpoint import Timeouts
from proxy.model.event import Usage
from proxy.model.meter import Delivered, Meter
from proxy.stages.relay import COMMENT, Pace, relay
from proxy.units import Seconds
from tests.fakes.downstream import FakeDownstream, FakeReply, a_gateway, opened
from tests.fakes.things import a_call, an_endpoint

TIMEOUTS = Timeouts(idle_s=Seconds(25), total_s=Seconds(100))
ENDPOINT = an_endpoint(timeouts=TIMEOUTS)


def begun(**fields: object) -> FakeDownstream:
    return FakeDownstream(started=True, **fields)  # type: ignore[arg-type]


async def copy(
    reply: FakeReply, downstream: FakeDownstream, meter: Meter | None = None, **fields: object
) -> bytes:
    call = a_call()
    winner = opened(call, ENDPOINT, reply=reply, **fields)
    meter = meter or Meter()
    meter.delivered = winner.delivered  # as the race leaves it
    return await relay(winner, downstream, call, meter, a_gateway())


async def test_pieces_pass_in_order_and_the_bill_is_handed_back_unsent(
    autojump_clock: MockClock,
) -> None:
    reply, downstream, meter = FakeReply([(1, b"b"), (2, b"c")]), begun(), Meter()
    ending = await copy(reply, downstream, meter, held=[b"a"])

    assert ([b"a", b"b", b"c"], b"<Charged>", 1) == (downstream.written, ending, reply.closed)
    assert "complete" == meter.end
    assert meter.charge is not None
    assert 3 == meter.charge.usage.prompt_tokens


async def test_a_reply_that_is_not_streamed_is_encoded_whole() -> None:
    call, meter = a_call(stream=False), Meter()
    winner = opened(call, ENDPOINT)
    downstream = FakeDownstream()
    ending = await relay(winner, downstream, call, meter, a_gateway())

    assert (b"<Charged>", b"", "complete") == (ending, downstream.sent, meter.end)


async def test_a_slow_client_is_waited_for(autojump_clock: MockClock) -> None:
    downstream = begun(slow=True)
    await copy(FakeReply([(0, b"a"), (0, b"b")]), downstream)

    assert (2, b"ab") == (downstream.drained, downstream.sent)


async def test_silence_is_filled_with_comments(autojump_clock: MockClock) -> None:
    downstream = begun()
    await copy(FakeReply([(1, b"a"), (21, b"b"), (9, b"c")]), downstream)

    assert [b"a", COMMENT, COMMENT, b"b", b"c"] == downstream.written


async def test_too_long_a_silence_is_the_end(autojump_clock: MockClock) -> None:
    reply, downstream, meter = FakeReply([(1, b"a"), (1000, b"b")]), begun(), Meter()
    started = trio.current_time()
    with pytest.raises(UpstreamTimeoutError, match="silent"):
        await copy(reply, downstream, meter)

    assert pytest.approx(26, abs=1) == trio.current_time() - started
    assert ([b"a", COMMENT, COMMENT], 1) == (downstream.written, reply.closed)
    assert (Meter().end, None) == (meter.end, meter.charge)


async def test_a_providers_comments_are_no_content(autojump_clock: MockClock) -> None:
    started = trio.current_time()
    with pytest.raises(UpstreamTimeoutError):
        await copy(FakeReply([(5, b"")] * 100), begun())

    assert pytest.approx(25, abs=6) == trio.current_time() - started


async def test_a_lively_stream_ends_with_the_whole_deadline(autojump_clock: MockClock) -> None:
    started, downstream = trio.current_time(), begun()
    with pytest.raises(UpstreamTimeoutError):
        await copy(FakeReply([(15, b"x")] * 100), downstream)

    assert pytest.approx(100, abs=16) == trio.current_time() - started
    assert downstream.written.count(b"x") >= 6


async def test_a_reply_that_breaks_off_is_raised_behind_what_came() -> None:
    reply = FakeReply([(0, b"a")], failure=UpstreamUnavailableError("broken"))
    downstream, meter = begun(), Meter()
    with pytest.raises(UpstreamUnavailableError, match="broken"):
        await copy(reply, downstream, meter)

    assert (b"a", 1, None) == (downstream.sent, reply.closed, meter.charge)


async def test_a_client_that_left_closes_the_reply() -> None:
    reply = FakeReply([(0, b"a"), (0, b"b")])
    with pytest.raises(ClientClosedError):
        await copy(reply, begun(leaves=ClientClosedError("gone")), held=[b"x"])

    assert 1 == reply.closed


async def test_a_cancel_closes_the_reply(autojump_clock: MockClock) -> None:
    reply = FakeReply([(50, b"a")])
    with trio.move_on_after(1):
        await copy(reply, begun())

    assert 1 == reply.closed


async def test_steps_rewrite_what_passes() -> None:
    def shout(buffers: list[Buffer]) -> list[Buffer]:
        return [bytes(buffer).upper() for buffer in buffers]

    call, downstream = a_call(), begun()
    winner = opened(call, ENDPOINT, reply=FakeReply([(0, b"b")]), held=[b"a"])
    await relay(winner, downstream, call, Meter(), a_gateway(), [shout, lambda b: [*b, b"!"]])

    assert [b"A!", b"B!"] == downstream.written


async def test_usage_that_nobody_sent_is_counted_by_us() -> None:
    delivered = Delivered(output_bytes=9)
    call, meter = a_call(stream=False), Meter(delivered=delivered)
    winner = opened(call, ENDPOINT, delivered=delivered)
    await relay(winner, FakeDownstream(), call, meter, a_gateway())

    assert meter.charge is not None
    assert Usage(100, 3, estimated=True) == meter.charge.usage


def test_a_pace_knows_the_next_moment_to_look() -> None:
    pace = Pace(Seconds(0), 10, TIMEOUTS)
    assert 10 == pace.wake_at
    assert pace.comment_is_due(Seconds(10))
    assert 20 == pace.wake_at
    pace.content_at = pace.sent_at = Seconds(19)
    assert not pace.comment_is_due(Seconds(20))
    assert 29 == pace.wake_at
    pace.content_at = pace.sent_at = Seconds(95)
    assert not pace.comment_is_due(Seconds(96))
    assert 100 == pace.wake_at
    with pytest.raises(UpstreamTimeoutError):
        pace.comment_is_due(Seconds(100))
