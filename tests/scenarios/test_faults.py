"""Whatever a provider does, a client gets one clear outcome, and every call is settled once.

Rows of the upstream fault matrix that concern one provider, or one and its stand-in: each fault, streamed
and not, alone and with a sound second provider.
"""

import json
from typing import Any

import pytest
import trio

from tests.fakes.fault import Fault
from tests.fakes.replay import refused_url, unanswered_url
from tests.fakes.scripts import TEXTS, USAGE
from tests.fakes.wire_faults import kinds
from tests.rig import SHORT, Reply, Rig, Served, models_of

GOOD = "synthetic/text"
TEXT = "".join(TEXTS)
HONEST: Served = {"honest/one": (GOOD,), "honest/two": ("none", GOOD)}
CALM: dict[str, Any] = {
    "trouble_s": 1e-9, "retry_after_max_s": 1e-9, "failures_max": 1000, "failure_share_max": 1.0,
}  # fmt: skip
"""No failure is remembered: every request meets the same providers in the same order."""
LIMITS: dict[str, dict[str, Any]] = {"extra-bytes": {"upstream_idle_s": 1e-9}}
"""No connection serves twice where the next request could meet what was left behind, if it is quick."""
TIMEOUTS: dict[str, dict[str, Any]] = {"split-multibyte": {**SHORT, "first_token": 2, "idle": 2}}
"""A write for every byte keeps this machine busy for a second where all cells are asked at once."""
CELL_S = 2 + 1.0
"""Longest a cell may take: the longest deadline and a second."""

OK = (200, "")
E502 = (502, "provider_unavailable")
E504 = (504, "timeout")
IS502 = (-502, "provider_unavailable")
IS504 = (-504, "timeout")
"""(status, error_type); a negative one comes in-stream, behind the first content."""
Outcome = tuple[int, str]

MATRIX: dict[str, tuple[Outcome, Outcome]] = {
    "reset-before-headers": (E502, E502),
    "reset-mid-headers": (E502, E502),
    "reset-mid-body": (E502, IS502),
    "reset-mid-body?after=0": (E502, E502),
    "close-before-headers": (E502, E502),
    "close-mid-headers": (E502, E502),
    "close-mid-body": (E502, IS502),
    "close-mid-chunk": (E502, IS502),
    "close-after-reply": (OK, OK),
    "reset-after-reply": (OK, OK),
    "stall-before-headers": (E504, E504),
    "stall-mid-headers": (E504, E504),
    "stall-after-headers": (E504, E504),
    "stall-mid-body": (E504, IS504),
    "stall-mid-body?after=0": (E504, E504),
    "only-comments": (E504, IS504),
    "only-comments?after=0": (E504, E504),
    "stall-before-end": (E504, OK),
    "short-content-length": (E502, E502),
    "both-lengths": (E502, E502),
    "garbage-instead": (E502, E502),
    "extra-bytes": (OK, OK),
    "bad-chunk-size": (E502, IS502),
    "bad-chunk-size?after=0": (E502, E502),
    "negative-chunk-size": (E502, IS502),
    "huge-chunk-size": (E502, IS502),
    "chunk-without-crlf": (E502, IS502),
    "slow-bytes?delay_s=0.02": (E504, E504),
    "split-multibyte": (OK, OK),
    "large-header": (E502, E502),
    "many-headers": (E502, E502),
    "many-headers?count=150": (OK, OK),
    "redirect": (E502, E502),
    "html": (E502, E502),
    "empty-body": (E502, E502),
    "until-close": (OK, OK),
    "gzip": (E502, E502),
    "continue-flood": (E502, E502),
    "continue-flood?count=3": (OK, OK),
    "early-hints-flood": (E502, E502),
    "switching-protocols": (E502, E502),
    "bare-cr": (E502, E502),
    "space-before-colon": (E502, E502),
    "slow-start?delay_s=0.3": (OK, OK),
    "status-400": ((400, "invalid_request"),) * 2,
    "status-401": ((502, "authentication"),) * 2,
    "status-402": ((502, "payment_required"),) * 2,
    "status-403": ((502, "permission_denied"),) * 2,
    "status-404": ((404, "not_found"),) * 2,
    "status-408": (E504, E504),
    "status-422": ((422, "invalid_request"),) * 2,
    "status-429": ((429, "rate_limit_exceeded"),) * 2,
    "status-500": (E502, E502),
    "status-502": (E502, E502),
    "status-503": ((503, "provider_overloaded"),) * 2,
    "status-504": (E504, E504),
    "status-599": (E502, E502),
    "error-first": (E502, E502),
    "error-midstream": (E502, IS502),
    "error-event-name": (E502, IS502),
    "no-done": (OK, OK),
    "no-finish-clean": (OK, IS502),
    "no-finish-done": (OK, IS502),
    "finish-then-eof": (OK, OK),
    "no-finish-eof": (OK, IS502),
    "invalid-utf8": (E502, IS502),
    "invalid-utf8?after=0": (E502, E502),
    "garbage-mid-body": (OK, IS502),
    "event-not-json": (OK, IS502),
    "double-done": (OK, OK),
    "huge-event": (OK, IS502),
    "comments": (OK, OK),
    "crlf": (OK, OK),
    "only-done": (OK, E502),
    "usage-absent": (OK, OK),
    "usage-twice": (OK, OK),
    "usage-null": (OK, OK),
    "usage-negative": (OK, OK),
    "usage-huge": (OK, OK),
    "usage-strings": (OK, OK),
    "usage-float": (OK, OK),
    "usage-list": (OK, OK),
    "json-list": (E502, IS502),
    "json-null": (E502, IS502),
    "json-string": (E502, IS502),
    "json-empty-object": (E502, OK),
    "json-choices-null": (E502, OK),
    "json-choices-string": (E502, OK),
    "json-choices-of-numbers": (E502, IS502),
    "json-message-null": (E502, OK),
    "json-content-number": (E502, IS502),
    "json-truncated": (E502, IS502),
    "json-deep": (E502, IS502),
    "json-nan": (E502, IS502),
}
"""Fault: what a client sees (not streamed, streamed) where nothing else serves the model."""

FINAL = {"status-400", "status-422"}
"""The provider judged the request, not itself: no other endpoint is asked."""
UNDECIDED = {"slow-bytes", "slow-start", "event-empty", "status"}
"""Kinds that are here with parameters only, or have a test of their own."""


def served(upstream: str) -> Served:
    return {"alone/m": (upstream,), "both/m": (upstream, GOOD), **HONEST}


def as_seen(reply: Reply) -> Outcome:
    """What came, after a look at its form."""
    assert reply.whole
    if reply.status != 200:
        return reply.status, reply.error["metadata"]["error_type"]
    if "event-stream" not in reply.headers["content-type"]:
        assert reply.json["usage"]["prompt_tokens"] >= 0
        return OK
    *content, last = reply.chunks
    error = last.get("error")
    if error is None:
        assert last["usage"]["total_tokens"] > 0
        assert last["choices"][0]["finish_reason"] == "stop"
        return OK
    assert {"code", "message", "metadata"} == set(error)
    assert last["choices"][0]["finish_reason"] == "error"
    assert content
    return -error["code"], error["metadata"]["error_type"]


def check_text(reply: Reply, outcome: Outcome) -> None:
    """A whole answer is intact; one that broke off says nothing that was not said."""
    if outcome == OK:
        assert TEXT == reply.text
    elif outcome[0] < 0:
        assert TEXT.startswith(reply.text)
        assert reply.text


async def check_cells(r: Rig, whole: Outcome, stream: Outcome, *, final: bool = False) -> None:
    """All four columns of one row at once, then the money, the pool and an honest request."""
    seen: dict[str, Reply] = {}

    async def ask(column: str, model: str, streamed: bool) -> None:
        with trio.fail_after(CELL_S):
            seen[column] = await r.chat(model, stream=streamed)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, "alone", "alone/m", False)
        nursery.start_soon(ask, "alone, streamed", "alone/m", True)
        nursery.start_soon(ask, "both", "both/m", False)
        nursery.start_soon(ask, "both, streamed", "both/m", True)
    expected = {
        "alone": whole,
        "alone, streamed": stream,
        "both": whole if final else OK,
        "both, streamed": stream if final or stream[0] < 0 else OK,
    }

    assert expected == {column: as_seen(seen[column]) for column in expected}
    for column, outcome in expected.items():
        check_text(seen[column], outcome)
    for column, alone in (("both", whole), ("both, streamed", stream)):
        if expected[column] == OK:
            server = "one" if alone == OK else "two"
            assert f"{server}:both/m" == seen[column].headers["x-hedgerow-endpoint"]
            assert ("1" if alone == OK else "2") == seen[column].headers["x-hedgerow-attempts"]
    await r.quiet()
    posted = sum(outcome == OK for outcome in expected.values())
    assert (posted, 4 - posted) == r.settled
    for model in ("honest/one", "honest/two") if not final else ("honest/one",):
        assert TEXT == (await r.chat(model, stream=True)).text
    await r.quiet()


@pytest.mark.parametrize("fault", MATRIX)
async def test_a_fault_has_the_outcome_of_the_matrix(rig: Any, fault: str) -> None:
    whole, stream = MATRIX[fault]
    tables = {"limits": LIMITS.get(fault, {}), "timeouts": TIMEOUTS.get(fault, SHORT)}
    async with rig(served(f"fault/{fault}"), health=CALM, **tables) as r:
        await check_cells(r, whole, stream, final=fault in FINAL)


def test_every_fault_that_the_replay_server_knows_is_in_the_matrix() -> None:
    known = {fault.partition("?")[0] for fault in MATRIX} | UNDECIDED

    assert set() == set(kinds()) - known


async def test_an_event_without_data_is_no_end_of_a_stream(rig: Any) -> None:
    """`data:` alone is an empty event (WHATWG HTML 9.2.6); it says nothing, so it breaks nothing."""
    async with rig(served("fault/event-empty"), timeouts=SHORT) as r:
        reply = await r.chat("alone/m", stream=True)

    assert OK == as_seen(reply)
    assert TEXT == reply.text


async def test_a_refused_connection_falls_back_at_once(rig: Any) -> None:
    with refused_url() as url:
        async with rig(served("x"), urls={"one": url}, timeouts=SHORT) as r:
            started = trio.current_time()
            whole, stream = await r.chat("both/m"), await r.chat("both/m", stream=True)
            took_s = trio.current_time() - started
            alone = [await r.chat("alone/m", stream=stream) for stream in (False, True)]
            await r.quiet()

            assert [OK, OK, E502, E502] == [as_seen(one) for one in (whole, stream, *alone)]
            assert took_s < 0.5
            assert (2, 2) == r.settled


async def test_a_connection_that_nobody_accepts_times_out_and_falls_back(rig: Any) -> None:
    with unanswered_url() as url:
        async with rig(served("x"), urls={"one": url}, timeouts=SHORT, health=CALM) as r:
            started = trio.current_time()
            replies = [await r.chat("both/m"), await r.chat("both/m", stream=True)]
            took_s = trio.current_time() - started
            replies += [await r.chat("alone/m", stream=stream) for stream in (False, True)]
            await r.quiet()

            assert [OK, OK, E504, E504] == [as_seen(one) for one in replies]
            assert 0.6 <= took_s < 1.5
            assert (2, 2) == r.settled


async def test_a_name_that_does_not_resolve_falls_back(rig: Any) -> None:
    url = "http://no-such-name.invalid/v1"
    async with rig(served("x"), urls={"one": url}, timeouts=SHORT) as r:
        fallback, alone = await r.chat("both/m"), await r.chat("alone/m")
        await r.quiet()

        assert OK == as_seen(fallback)
        assert as_seen(alone) in {E502, E504}
        assert (1, 1) == r.settled


async def test_a_reused_connection_that_died_is_replaced_once_at_the_same_provider(
    rig: Any,
) -> None:
    async with rig({"a/m": ("m", GOOD)}, timeouts=SHORT) as r:
        r.one.script("m", GOOD, Fault("reset-before-headers"), GOOD)
        replies = [await r.chat("a/m") for _ in range(2)]

        assert [OK, OK] == [as_seen(reply) for reply in replies]
        assert ["one:a/m"] * 2 == [reply.headers["x-hedgerow-endpoint"] for reply in replies]
        assert ["1", "1"] == [reply.headers["x-hedgerow-attempts"] for reply in replies]
        assert [1, 1, 2] == [entry.connection_id for entry in r.one.log]


async def test_a_stream_whose_last_chunk_comes_in_its_own_packet_leaves_its_connection_to_the_next(
    rig: Any,
) -> None:
    """Most servers send `0` behind `[DONE]` in a write of its own."""
    async with rig({"a/m": (GOOD,)}, timeouts=SHORT) as r:
        for _ in range(3):
            assert OK == as_seen(await r.chat("a/m", stream=True))
            await r.quiet()

        assert [1, 1, 1] == [entry.connection_id for entry in r.one.log]


async def test_a_fresh_connection_that_dies_is_not_tried_again_at_the_same_provider(
    rig: Any,
) -> None:
    async with rig({"a/m": ("fault/reset-before-headers", GOOD)}, timeouts=SHORT) as r:
        reply = await r.chat("a/m")

        assert "two:a/m" == reply.headers["x-hedgerow-endpoint"]
        assert 1 == len(r.one.log)


@pytest.mark.parametrize(
    ("sent", "told"),
    [("7", "7"), ("0", "1"), ("-1", None), ("1e9", None), ("999999999", "3600"), ("soon", None)],
)
async def test_a_hint_to_wait_is_handed_on_clean(rig: Any, sent: str, told: str | None) -> None:
    async with rig(served(f"fault/status-429?retry_after={sent}"), timeouts=SHORT) as r:
        reply = await r.chat("alone/m")

    assert 429 == reply.status
    assert told == reply.headers.get("retry-after")


async def test_a_client_is_told_who_failed_before(rig: Any) -> None:
    upstreams = ("fault/status-500", "fault/status-429")
    async with rig({"a/m": upstreams}, timeouts=SHORT) as r:
        error = (await r.chat("a/m")).error

    assert (429, "Two") == (error["code"], error["metadata"]["provider_name"])
    assert [{"provider": "One", "code": "provider_unavailable", "status": 502}] == error[
        "metadata"
    ]["previous_errors"]


@pytest.mark.parametrize("kind", ["extra-bytes", "double-done", "stall-before-end"])
async def test_a_connection_with_something_behind_its_reply_serves_no_other(
    rig: Any, kind: str
) -> None:
    async with rig(served(f"fault/{kind}"), timeouts=SHORT) as r:
        assert OK == as_seen(await r.chat("alone/m", stream=True))
        await r.quiet()
        assert OK == as_seen(await r.chat("honest/one"))
        assert [1, 2] == [entry.connection_id for entry in r.one.log]


@pytest.mark.parametrize(
    ("kind", "estimated"),
    [
        ("usage-absent", True),
        ("usage-negative", True),
        ("usage-strings", True),
        ("status-ok", False),
    ],
)
async def test_usage_that_cannot_be_believed_is_counted_by_us(
    rig: Any, kind: str, estimated: bool
) -> None:
    upstream = GOOD if kind == "status-ok" else f"fault/{kind}"
    async with rig(served(upstream), timeouts=SHORT) as r:
        for stream in (False, True):
            reply = await r.chat("alone/m", stream=stream)
            usage = reply.chunks[-1]["usage"] if stream else reply.json["usage"]
            counted = usage["prompt_tokens"], usage["completion_tokens"]

            assert estimated is (counted != (USAGE["prompt_tokens"], USAGE["completion_tokens"]))
            assert all(count > 0 for count in counted)
            assert usage["cost"] > 0


async def test_no_answer_repeats_the_providers_own_words_about_our_key(rig: Any) -> None:
    secret = "sk-upstream-0123456789"
    async with rig(
        served("fault/status-401"),
        environ={"UPSTREAM": secret},
        provider={"api_key": "env:UPSTREAM"},
        timeouts=SHORT,
    ) as r:
        reply = await r.chat("alone/m")
        headers = dict(r.one.log[0].headers)

    assert f"Bearer {secret}" == headers["authorization"]
    assert secret not in json.dumps(reply.json)
    assert "invalid_api_key" not in json.dumps(reply.json)


async def test_a_provider_that_goes_away_and_comes_back_is_used_again(rig: Any) -> None:
    async with rig(served(GOOD), timeouts=SHORT, health=CALM) as r:
        r.one.down = True
        assert "two:both/m" == (await r.chat("both/m")).headers["x-hedgerow-endpoint"]
        r.one.down = False
        assert "one:both/m" == (await r.chat("both/m")).headers["x-hedgerow-endpoint"]


async def test_a_provider_that_stops_reading_on_a_reused_connection_is_a_504(rig: Any) -> None:
    """The request is too large for the socket's buffers, so sending it waits."""
    async with trio.open_nursery() as nursery:

        async def answer_once(stream: trio.SocketStream) -> None:
            async with stream:
                await stream.receive_some(1 << 20)
                body = (
                    b'{"choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}'
                )
                await stream.send_all(
                    b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
                )
                await trio.sleep_forever()

        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, answer_once, [listener])
        (model,) = models_of({"a/m": ("m",)})
        model["context_length"] = 100_000_000
        async with rig(
            {}, urls={"one": f"http://127.0.0.1:{port}/v1"}, timeouts=SHORT, models=[model]
        ) as r:
            first = await r.chat("a/m")
            second = await r.chat("a/m", text="x" * 12_000_000)
            await r.quiet()

        assert (200, 504) == (first.status, second.status)
        nursery.cancel_scope.cancel()
