"""Replies."""

import orjson

from proxy.console.api.replies import error_reply, json_reply
from proxy.errors import GatewayError, ShedError


def test_fragments_are_passed_on() -> None:
    reply = json_reply({"data": [orjson.Fragment(b'{"a":1}')]}, status=201, headers={"x-a": "b"})

    assert (201, b'{"data":[{"a":1}]}') == (reply.status_code, reply.body)
    assert (reply.headers["content-type"], reply.headers["x-a"]) == ("application/json", "b")


def test_an_error_brings_its_status_and_headers() -> None:
    reply = error_reply(ShedError("busy", headers=(("retry-after", "2"),)))

    assert (503, "2") == (reply.status_code, reply.headers["retry-after"])
    assert orjson.loads(reply.body)["error"]["metadata"] == {"error_type": "provider_overloaded"}


def test_our_own_faults_are_masked() -> None:
    assert b"hunter2" not in error_reply(GatewayError("hunter2")).body
