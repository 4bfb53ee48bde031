"""The body, parsed strictly; what is wrong with it is said with its place."""

import math

import pytest
import trio
from trio.testing import MockClock

from proxy.errors import InvalidRequestError, PayloadTooLargeError
from proxy.stages.receive import parse, receive
from tests.fakes.downstream import FakeDownstream, a_gateway

BODY = b'{"model":"maker/model","messages":[{"role":"user","content":"hi"}],"stream":true}'


async def test_a_body_becomes_a_call_that_knows_its_size_and_time(
    autojump_clock: MockClock,
) -> None:
    await trio.sleep(5)
    call = await receive(FakeDownstream(request_body=BODY), a_gateway(), "openai-chat", "chat")

    assert (("maker/model",), True, "chat") == (call.models, call.stream, call.surface)
    assert (len(BODY), trio.current_time()) == (call.prompt_bytes, call.received_at)


async def test_the_limit_is_handed_to_the_door() -> None:
    class Full(FakeDownstream):
        async def body(self, bytes_max: int) -> bytes:
            raise PayloadTooLargeError(str(bytes_max))

    with pytest.raises(PayloadTooLargeError, match="33554432"):
        await receive(Full(), a_gateway(), "openai-chat", "chat")


async def test_a_wrong_type_is_told_with_its_path() -> None:
    body = BODY.replace(b'"hi"', b'"hi","role":5')
    with pytest.raises(InvalidRequestError, match=r"\$\.messages\[0\]\.role"):
        await receive(FakeDownstream(request_body=body), a_gateway(), "openai-chat", "chat")


def test_of_duplicate_keys_the_last_wins() -> None:
    assert {"a": 2, "b": {"c": 4}} == parse(b'{"a":1,"b":{"c":3,"c":4},"a":2}')


@pytest.mark.parametrize("body", [b"[]", b"1", b'"a"', b"null", b"true"])
def test_only_an_object_is_a_request(body: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="must be a JSON object"):
        parse(body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "Malformed JSON"),
        (b'{"a":}', "Malformed JSON: .*column"),
        (b'{"a":NaN}', "Malformed JSON"),
        (b'{"a":"\xff"}', "Malformed JSON"),
        (b'{"a":"\\ud800"}', "Malformed JSON"),
        (b"[" * 100_000, "deeper than 254"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(body: bytes, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        parse(body)


def test_what_only_one_of_two_parsers_refuses_is_refused_with_its_words() -> None:
    try:
        value = parse(b'{"a":1e999}')["a"]
    except InvalidRequestError as error:
        assert "Malformed JSON" in error.message
    else:
        assert not isinstance(value, float) or math.isfinite(value)
