"""The fault matrix where the client, the provider, or both speak the messages dialect.

Each fault, streamed and not: one clear outcome in the client's own envelope, within the deadline, the pool
clean, one settled record. Where only the client differs the outcome is that of the matrix itself.
"""

import json
from typing import Any

import pytest
import trio

from tests.fakes.reply import Reply
from tests.rig import SHORT, Rig, head, post, rig
from tests.scenarios.test_faults import CELL_S, MATRIX, OK, Outcome

MESSAGES = "/api/v1/messages"
KINDS = {
    400: "invalid_request_error", 403: "permission_error", 404: "not_found_error",
    422: "invalid_request_error", 429: "rate_limit_error", 502: "api_error", 503: "overloaded_error",
    504: "timeout_error",
}  # fmt: skip
IN_STREAM = {"provider_unavailable", "provider_overloaded", "timeout"}
TALK = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 100}


def asked(surface: str, *, stream: bool) -> bytes:
    body = json.dumps({"model": "a/m", "stream": stream, **TALK}).encode()
    if surface == "chat":
        return post(body)
    return head("POST", MESSAGES, f"Content-Length: {len(body)}") + body


def events_of(reply: Reply) -> list[dict[str, Any]]:
    """Events of a stream, each named as its type says."""
    found = []
    for raw in reply.body.decode().split("\n\n"):
        if raw and not raw.startswith(":"):
            name, data = raw.split("\n")
            document = json.loads(data.removeprefix("data: "))
            assert f"event: {document['type']}" == name
            found.append(document)
    return found


def seen_by_messages(reply: Reply) -> Outcome:
    """What came, after a look at its form; a negative status came in the stream."""
    assert reply.whole
    streamed = "event-stream" in reply.headers.get("content-type", "")
    last = events_of(reply)[-1] if streamed else reply.json
    if last["type"] == "error":
        error = last["error"]
        assert {"type", "message", "error_type"} == set(error)
        assert reply.headers["x-generation-id"] == last["request_id"]
        if not streamed:
            assert KINDS[reply.status] == error["type"]
        status = 504 if error["type"] == "timeout_error" else 502
        return (-status if streamed else reply.status), error["error_type"]
    assert (200, "message_stop" if streamed else "message") == (reply.status, last["type"])
    usage = events_of(reply)[-2]["usage"] if streamed else last["usage"]
    assert usage["output_tokens"] > 0
    return OK


def seen_by_chat(reply: Reply) -> Outcome:
    assert reply.whole
    if reply.status != 200:
        return reply.status, reply.error["metadata"]["error_type"]
    if "event-stream" not in reply.headers["content-type"]:
        assert reply.json["usage"]["completion_tokens"] > 0
        return OK
    error = reply.chunks[-1].get("error")
    return OK if error is None else (-error["code"], error["metadata"]["error_type"])


async def ask(r: Rig, surface: str, *, stream: bool) -> Outcome:
    with trio.fail_after(CELL_S):
        reply = await r.raw(asked(surface, stream=stream))
    return seen_by_chat(reply) if surface == "chat" else seen_by_messages(reply)


ASKED = {"status-429": 1}
"""Of two requests, how many are planned: a provider that named a time to wait is not asked before."""


@pytest.mark.parametrize("fault", MATRIX)
async def test_a_client_of_the_messages_dialect_sees_the_outcome_of_the_matrix(fault: str) -> None:
    async with rig({"a/m": (f"fault/{fault}",)}, timeouts=SHORT) as r:
        outcomes = tuple([await ask(r, "messages", stream=stream) for stream in (False, True)])
        await r.quiet()

        assert MATRIX[fault] == outcomes
        assert outcomes.count(OK) == r.settled[0]
        assert ASKED.get(fault, 2) == sum(r.settled)


@pytest.mark.parametrize("surface", ["chat", "messages"])
@pytest.mark.parametrize("fault", MATRIX)
async def test_a_provider_of_the_messages_dialect_may_fail_in_any_way(
    fault: str, surface: str
) -> None:
    provider = {"dialect": "anthropic-messages"}
    async with rig({"a/m": (f"fault/{fault}",)}, timeouts=SHORT, provider=provider) as r:
        outcomes = [await ask(r, surface, stream=stream) for stream in (False, True)]
        await r.quiet()

        assert "/v1/messages" == r.one.log[0].path
        assert outcomes.count(OK) == r.settled[0]
        assert ASKED.get(fault, 2) == sum(r.settled)
        for outcome in outcomes:
            assert outcome[0] >= 200 or outcome[1] in IN_STREAM
        if fault in SAME:
            assert MATRIX[fault] == tuple(outcomes)


SAME = {
    fault
    for fault in MATRIX
    if fault.startswith(("reset", "close", "stall", "status-5", "status-429", "status-400", "garbage-in",
                         "redirect", "html", "gzip", "huge-chunk", "bad-chunk", "invalid-utf8"))
}  # fmt: skip
"""Faults below the dialect: they look the same in any."""
