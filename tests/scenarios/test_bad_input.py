"""Whatever a client sends, it gets the error envelope, and nobody else notices."""

import json
import socket
from functools import partial
from typing import Any

import pytest
import trio

from tests.fakes.scripts import SCRIPTS, TEXTS
from tests.rig import LANE, Client, Reply, Rig, Served, chat_body, head, post

GOOD = "synthetic/text"
SERVED: Served = {
    "a/m": (GOOD,),
    "a/twin": (GOOD,),
    "b/twin": (GOOD,),
    "a/long": ("synthetic/long",),
}
CHAT = "/api/v1/chat/completions"
START = b'{"model":"a/m","messages":[{"role":"user","content":"hi"}]'


def with_field(field: bytes) -> bytes:
    return START + b"," + field + b"}"


def nested(levels: int) -> bytes:
    """A body whose innermost array lies `levels` deep, the body itself being the first."""
    return with_field(b'"x":' + b"[" * (levels - 1) + b"]" * (levels - 1))


BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "Malformed JSON"),
    "a list": (b"[1]", "must be a JSON object"),
    "a string": (b'"text"', "must be a JSON object"),
    "null": (b"null", "must be a JSON object"),
    "a number": (b"1", "must be a JSON object"),
    "cut short": (START, "Malformed JSON"),
    "two documents": (START + b"}{}", "Malformed JSON"),
    "a trailing comma": (START + b",}", "Malformed JSON"),
    "form fields": (b"model=a/m&messages=hi", "Malformed JSON"),
    "NaN": (with_field(b'"temperature":NaN'), "Malformed JSON"),
    "Infinity": (with_field(b'"temperature":Infinity'), "Malformed JSON"),
    "a number beyond doubles": (with_field(b'"temperature":1e999'), ""),
    "a lone high surrogate": (with_field(b'"user":"\\ud800"'), "Malformed JSON"),
    "a lone low surrogate": (with_field(b'"user":"\\udc00"'), "Malformed JSON"),
    "invalid UTF-8 in a value": (with_field(b'"user":"\xff\xfe"'), "Malformed JSON"),
    "invalid UTF-8 in a key": (with_field(b'"\xc3(":1'), "Malformed JSON"),
    "an encoded surrogate": (with_field(b'"user":"\xed\xa0\x80"'), "Malformed JSON"),
    "a raw control character": (with_field(b'"user":"a\x01b"'), "Malformed JSON"),
    "UTF-16": (chat_body("a/m").decode().encode("utf-16"), "Malformed JSON"),
    "depth 255": (nested(255), "deep"),
    "depth 1,025": (nested(1025), "deep"),
    "depth 100,000": (nested(100_000), "deep"),
    "depth 100,000 and no end": (with_field(b'"x":' + b"[" * 100_000)[:-1], ""),
    "depth 100,000 of objects": (with_field(b'"x":' + b'{"a":' * 100_000), ""),
    "a known integer beyond 64 bits": (with_field(b'"seed":' + b"9" * 30), "$.seed"),
    "an unknown integer beyond 64 bits": (
        with_field(b'"x":[{"y":-' + b"9" * 30 + b"}]"),
        "$.x[0].y",
    ),
    "an integer of 10,000 digits": (with_field(b'"x":' + b"9" * 10_000), ""),
    "no model": (b'{"messages":[]}', "`model`"),
    "no messages": (b'{"model":"a/m"}', "$.messages"),
    "model of a wrong type": (b'{"model":5,"messages":[]}', "$.model"),
    "messages of a wrong type": (b'{"model":"a/m","messages":"hi"}', "$.messages"),
    "a message of a wrong type": (b'{"model":"a/m","messages":["hi"]}', "$.messages[0]"),
    "a message without a role": (b'{"model":"a/m","messages":[{"content":"x"}]}', "role"),
    "a role of a wrong type": (b'{"model":"a/m","messages":[{"role":1}]}', "$.messages[0].role"),
    "stream of a wrong type": (with_field(b'"stream":"yes"'), "$.stream"),
    "max_tokens of a wrong type": (with_field(b'"max_tokens":"1"'), "$.max_tokens"),
    "max_tokens of zero": (with_field(b'"max_tokens":0'), "$.max_tokens"),
    "max_tokens below zero": (with_field(b'"max_tokens":-1'), "$.max_tokens"),
    "max_tokens with a fraction": (with_field(b'"max_tokens":1.5'), "$.max_tokens"),
    "temperature of a wrong type": (with_field(b'"temperature":"hot"'), "$.temperature"),
    "tools of a wrong type": (with_field(b'"tools":{}'), "$.tools"),
    "a tool of a wrong type": (with_field(b'"tools":[1]'), "$.tools[0]"),
    "stop of a wrong type": (with_field(b'"stop":[1]'), "$.stop[0]"),
    "provider of a wrong type": (with_field(b'"provider":[]'), "$.provider"),
    "provider.order of a wrong type": (
        with_field(b'"provider":{"order":"one"}'),
        "$.provider.order",
    ),
    "a price that is none": (
        with_field(b'"provider":{"max_price":{"prompt":"x"}}'),
        "max_price.prompt",
    ),
    "an unknown model": (chat_body("no/such"), "no/such is not a valid model ID"),
    "a model without a name": (chat_body(""), " is not a valid model ID"),
    "a bare name that two models share": (chat_body("twin"), "a/twin, b/twin"),
}
"""What is wrong: (body, what the message must hold). All are answered 400."""


@pytest.fixture
async def r(rig: Any) -> object:
    async with rig(SERVED, limits={"body_bytes_max": 1 << 20}) as running:
        yield running


async def honest(r: Rig) -> None:
    reply = await r.chat("a/m")
    assert (200, "".join(TEXTS)) == (reply.status, reply.text)


def kind(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.error["metadata"]["error_type"]


@pytest.mark.parametrize("case", BODIES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_bad_body_is_a_400_that_says_where(r: Rig, case: str, stream: bool) -> None:
    body, words = BODIES[case]
    if stream:
        body = body.replace(b'"messages"', b'"stream":true,"messages"', 1)
    async with r.client() as client:
        reply = await client.ask(post(body))

        assert (400, "invalid_request") == kind(reply)
        assert words in reply.error["message"]
        assert "application/json" == reply.headers["content-type"]
        assert len(reply.body) < 2000
        again = await client.ask(post(chat_body("a/m")))
        assert "".join(TEXTS) == again.text
    assert 1 == len(r.one.log)
    assert 1 == r.ledger.posted
    assert r.is_quiet


async def test_the_deepest_body_that_is_allowed_arrives_as_it_came(r: Rig) -> None:
    reply = await r.raw(post(nested(254)))

    assert 200 == reply.status
    assert nested(254).partition(b'"x":')[2][:-1] in r.one.log[0].body


@pytest.mark.parametrize("value", [2**64 - 1, -(2**63), 2**53 + 1, 0])
async def test_an_integer_of_64_bits_arrives_whole(r: Rig, value: int) -> None:
    await r.raw(post(with_field(b'"seed":%d' % value)))

    assert value == json.loads(r.one.log[0].body)["seed"]


async def test_of_duplicate_keys_the_last_wins_and_only_it_is_forwarded(r: Rig) -> None:
    body = (
        b'{"model":"no/such","user":"first","model":"a/m","messages":[],"user":"second",'
        b'"messages":[{"role":"user","role":"system","content":"x"}]}'
    )
    reply = await r.raw(post(body))
    sent = r.one.log[0].body

    assert 200 == reply.status
    assert [1, 1, 1] == [sent.count(key) for key in (b'"model"', b'"user"', b'"messages"')]
    assert b"first" not in sent
    assert [{"role": "system", "content": "x"}] == json.loads(sent)["messages"]


async def test_text_of_every_plane_arrives_as_it_came(r: Rig) -> None:
    text = 'é 生け垣 🦔 \u2028 \x7f "\\/ \ufffe \U0010ffff'
    for ascii_only in (True, False):
        document = json.loads(chat_body("a/m", text=text))
        await r.raw(post(json.dumps(document, ensure_ascii=ascii_only).encode()))

    sent = [json.loads(entry.body)["messages"][0]["content"] for entry in r.one.log]
    assert [text, text] == sent


async def test_names_that_would_steer_the_gateway_are_not_forwarded(r: Rig) -> None:
    fields = {
        "api_base": "http://evil.test",
        "api_key": "x",
        "proxy": "y",
        "provider": {},
        "top_k": 3,
    }
    await r.raw(post(chat_body("a/m", **fields)))
    sent = json.loads(r.one.log[0].body)

    assert {"model", "messages", "stream", "top_k"} == set(sent)
    assert GOOD == sent["model"]


PATHS = [
    ("POST", "/nowhere", 404),
    ("GET", "/nowhere", 404),
    ("POST", "/api/v2/chat/completions", 404),
    ("POST", "/api/v1/chat", 404),
    ("POST", "/api/v1/chat/completions/more", 404),
    ("POST", "/chat/completions", 404),
    ("POST", "/api/v1//chat/completions", 404),
    ("POST", "/api/v1/../v1/chat/completions", 404),
    ("POST", "/api/v1/chat%2Fcompletions/../x", 404),
    ("POST", "/%ff", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), PATHS)
async def test_an_unknown_path_is_a_404(r: Rig, method: str, path: str, status: int) -> None:
    async with r.client() as client:
        reply = await client.ask(head(method, path, "Content-Length: 2") + b"{}", method)

        assert (status, "not_found") == kind(reply)
        assert 200 == (await client.ask(post(chat_body("a/m")))).status


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", [CHAT, "/v1/completions"])
async def test_a_wrong_method_is_a_405_that_names_the_right_one(
    r: Rig, method: str, path: str
) -> None:
    reply = await r.raw(head(method, path), method)

    assert (405, "invalid_request") == kind(reply)
    assert "POST" == reply.headers["allow"]
    await honest(r)


async def test_a_declared_body_over_the_limit_is_a_413_before_it_is_sent(r: Rig) -> None:
    reply = await r.raw(head("POST", CHAT, f"Content-Length: {(1 << 20) + 1}"))

    assert (413, "payload_too_large") == kind(reply)
    assert reply.headers.get("connection", "close") == "close"  # HTTP/2 has no such field
    await honest(r)


@LANE
async def test_a_declared_body_over_the_limit_that_is_sent_anyway_is_told_so(r: Rig) -> None:
    async with r.client() as client:
        body = b" " * (8 << 20)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_quietly, client, post(body))
            reply = await client.read()
            nursery.cancel_scope.cancel()
        assert (413, "payload_too_large") == kind(reply)
    await honest(r)


@LANE
async def test_a_chunked_body_over_the_limit_is_a_413(r: Rig) -> None:
    async with r.client() as client:
        data = (
            head("POST", CHAT, "Transfer-Encoding: chunked")
            + (b"8000\r\n" + b" " * 0x8000 + b"\r\n") * 33
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_quietly, client, data)
            reply = await client.read()
            nursery.cancel_scope.cancel()
        assert (413, "payload_too_large") == kind(reply)
        assert await client.ended()
    await honest(r)


async def test_a_body_of_exactly_the_limit_is_read(r: Rig) -> None:
    body = chat_body("a/m")
    padded = body + b" " * ((1 << 20) - len(body))

    assert 200 == (await r.raw(post(padded))).status
    chunked = head("POST", CHAT, "Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (
        1 << 20,
        padded,
    )
    assert 200 == (await r.raw(chunked)).status


async def send_quietly(client: Client, data: bytes) -> None:
    try:
        await client.send(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


HEADS: dict[str, tuple[bytes, int]] = {
    "over 32 KiB": (head("POST", CHAT, "X: " + "x" * 33_000), 431),
    "over 32 KiB and no end": (b"POST / HTTP/1.1\r\nX: " + b"x" * 40_000, 431),
    "one endless line": (b"G" * 40_000, 431),
    "101 fields": (head("POST", CHAT, *(f"X-{n}: 1" for n in range(100))), 400),
    "no host": (b"POST / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (head("POST", CHAT, "Host: other"), 400),
    "two lengths": (head("POST", CHAT, "Content-Length: 1", "Content-Length: 1"), 400),
    "length and coding": (
        head("POST", CHAT, "Content-Length: 5", "Transfer-Encoding: chunked"),
        400,
    ),
    "a negative length": (head("POST", CHAT, "Content-Length: -1"), 400),
    "a length with a sign": (head("POST", CHAT, "Content-Length: +1"), 400),
    "a length beyond 64 bits": (head("POST", CHAT, "Content-Length: " + "9" * 30), 400),
    "an unknown coding": (head("POST", CHAT, "Transfer-Encoding: gzip, chunked"), 400),
    "a shadowing name": (head("POST", CHAT, "Content_Length: 5"), 400),
    "a space before the colon": (head("POST", CHAT, "X : 1"), 400),
    "a folded line": (head("POST", CHAT, "X: 1", " 2"), 400),
    "a bare line feed": (head("POST", CHAT, "X: 1\nY: 2"), 400),
    "a null byte": (head("POST", CHAT, "X: \0"), 400),
    "a line without a colon": (head("POST", CHAT, "X"), 400),
    "a target with a space": (b"POST /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a version to come": (b"POST / HTTP/2.0\r\nHost: x\r\n\r\n", 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "a method in lower case": (b"post / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
}


@pytest.mark.parametrize("case", HEADS)
@LANE
async def test_a_bad_head_is_refused_and_the_connection_ends(r: Rig, case: str) -> None:
    data, status = HEADS[case]
    async with r.client() as client:
        reply = await client.ask(data + post(chat_body("a/m")))

        assert (status, "invalid_request") == kind(reply)
        assert "close" == reply.headers["connection"]
        assert await client.ended()
    assert [] == r.one.log
    await honest(r)


CHUNKS: dict[str, bytes] = {
    "no number": b"zz\r\n{}\r\n0\r\n\r\n",
    "a negative size": b"-2\r\n{}\r\n0\r\n\r\n",
    "a size with 0x": b"0x2\r\n{}\r\n0\r\n\r\n",
    "a size beyond 64 bits": b"FFFFFFFFFFFFFFFFF\r\n{}",
    "more than its size": b"2\r\n{}}}\r\n0\r\n\r\n",
    "a bare line feed": b"2\n{}\n0\n\n" + b" " * 2000,
    "an endless size line": b"2;" + b"x" * 4000,
    "endless trailers": b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 4000,
}


@pytest.mark.parametrize("case", CHUNKS)
@LANE
async def test_a_bad_chunk_is_refused_and_the_connection_ends(r: Rig, case: str) -> None:
    async with r.client() as client:
        start = head("POST", CHAT, "Transfer-Encoding: chunked")
        reply = await client.ask(start + CHUNKS[case] + post(chat_body("a/m")))

        assert (400, "invalid_request") == kind(reply)
        assert await client.ended()
    assert [] == r.one.log
    await honest(r)


@LANE
async def test_a_neighbour_is_not_disturbed(rig: Any) -> None:
    async with rig(SERVED, pacing="delay_s=0.002", limits={"body_bytes_max": 1 << 20}) as r:
        replies: list[Reply] = []

        async def read_long() -> None:
            replies.append(await r.chat("a/long", stream=True))

        async def send_bad(data: bytes) -> None:
            async with r.client() as client:
                await client.ask(data)

        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(read_long)
            await r.one.wait_served(4)
            for body, _ in BODIES.values():
                nursery.start_soon(send_bad, post(body))
            for data, _ in HEADS.values():
                nursery.start_soon(send_bad, data)
        expected = "".join(SCRIPTS["long"].texts)
        assert [expected] * 4 == [reply.text for reply in replies]
        await r.quiet()


@LANE
async def test_a_connection_that_says_nothing_or_half_a_head_is_no_burden(r: Rig) -> None:
    async with r.client(), r.client() as half, r.client() as gone:
        await half.send(b"POST /api/v1/chat/comp")
        gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await gone.stream.aclose()
        await honest(r)


@LANE
async def test_half_a_head_is_let_go_after_its_time(rig: Any) -> None:
    async with rig(SERVED, limits={"head_time_s": 0.2, "idle_connection_s": 0.2}) as r:
        async with r.client() as half, r.client() as silent:
            await half.send(b"POST /api/v1/chat/comp")
            with trio.fail_after(3):
                async with trio.open_nursery() as nursery:
                    for client in (half, silent):
                        nursery.start_soon(partial(client.stream.receive_some, 1))
        await honest(r)
