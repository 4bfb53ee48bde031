"""The API over HTTP, the same through every door: paths, streams, keys, origins."""

import hashlib
import json
from typing import Any

import pytest
import trio

from tests.fakes.scripts import SCRIPTS, TEXTS
from tests.rig import Reply, Rig, Served, chat_body, chunked, head, post

GOOD = "synthetic/text"
TEXT = "".join(TEXTS)
SERVED: Served = {"a/m": (GOOD,), "a/echo": ("echo",), "a/long": ("synthetic/long",)}
CHAT = "/api/v1/chat/completions"
KEY = "sk-hr-v1-" + "0123456789abcdef" * 4
KEYS = (hashlib.sha256(KEY.encode()).hexdigest(),)
BEARER = f"Authorization: Bearer {KEY}"


@pytest.fixture
async def r(rig: Any) -> object:
    async with rig(SERVED) as running:
        yield running


@pytest.fixture
async def keyed(rig: Any) -> object:
    async with rig(SERVED, keys=KEYS) as running:
        yield running


def echoed(text: str, *lines: str, stream: bool = False) -> bytes:
    return post(chat_body("a/echo", text=text, stream=stream), CHAT, *lines)


# --- one connection, many requests -----------------------------------------------------------------
async def test_a_connection_serves_request_after_request_of_every_kind(r: Rig) -> None:
    async with r.client() as client:
        for turn in range(3):
            assert f"n{turn}" == (await client.ask(echoed(f"n{turn}"))).text
            assert f"s{turn}" == (await client.ask(echoed(f"s{turn}", stream=True))).text
            assert 200 == (await client.ask(head("GET", "/api/v1/models"), "GET")).status
            assert 400 == (await client.ask(post(b"{"))).status


async def test_a_body_of_eight_mebibytes_passes_whole(r: Rig) -> None:
    text = "0123456789abcdef" * (8 << 16)
    reply = await r.raw(echoed(text))
    again = await r.raw(
        head("POST", CHAT, "Transfer-Encoding: chunked")
        + chunked(chat_body("a/echo", text=text), 30_000)
    )

    assert (8 << 20, True, True) == (len(text), text == reply.text, text == again.text)


@pytest.mark.parametrize("path", ["/api/v1/models", "/healthz/live", "/"])
async def test_head_has_the_head_of_get_and_no_body(r: Rig, path: str) -> None:
    async with r.client() as client:
        asked = await client.ask(head("HEAD", path), "HEAD")
        got = await client.ask(head("GET", path), "GET")

    assert (200, b"") == (asked.status, asked.body)
    assert len(got.body) == int(asked.headers["content-length"])


async def test_head_of_what_fails_has_no_body_either(r: Rig) -> None:
    async with r.client() as client:
        for path in (CHAT, "/nowhere"):
            reply = await client.ask(head("HEAD", path), "HEAD")
            assert (True, b"") == (reply.status in {404, 405}, reply.body)
        assert 200 == (await client.ask(head("GET", "/"), "GET")).status


# --- where ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("prefix", ["/api/v1", "/v1"])
@pytest.mark.parametrize(
    "form", ["{}/chat/completions", "{}/chat/completions/", "{}chat/completions"]
)
async def test_a_trailing_or_a_lost_slash_does_not_matter(r: Rig, prefix: str, form: str) -> None:
    reply = await r.raw(post(chat_body("a/m"), form.format(prefix)))

    assert TEXT == reply.text


@pytest.mark.parametrize(
    "path", ["/api/v1/models", "/v1/models/", "/api/v1models", "/v1models?x=1"]
)
async def test_lists_are_as_tolerant(r: Rig, path: str) -> None:
    reply = await r.raw(head("GET", path), "GET")

    assert {"a/m", "a/echo", "a/long"} == {model["id"] for model in reply.json["data"]}


async def test_a_query_behind_the_path_is_read_over(r: Rig) -> None:
    for target in (CHAT + "?beta=true", CHAT + "?"):
        assert TEXT == (await r.raw(post(chat_body("a/m"), target))).text


async def test_completions_are_served_in_their_own_form(r: Rig) -> None:
    body = json.dumps({"model": "a/echo", "prompt": "say this"}).encode()
    reply = await r.raw(post(body, "/v1/completions"))

    assert ("text_completion", "say this") == (
        reply.json["object"],
        reply.json["choices"][0]["text"],
    )
    assert "/v1/completions" == r.one.log[0].path


async def test_a_body_that_was_read_leaves_the_connection_alive_behind_an_error(r: Rig) -> None:
    async with r.client() as client:
        assert 400 == (await client.ask(post(b"[" * 5000))).status
        assert TEXT == (await client.ask(post(chat_body("a/m")))).text


async def test_many_streams_at_once_are_each_whole(rig: Any) -> None:
    async with rig(SERVED, pacing="delay_s=0.0005") as r:
        replies: list[Reply] = []

        async def read() -> None:
            replies.append(await r.chat("a/long", stream=True))

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(read)
        assert {"".join(SCRIPTS["long"].texts)} == {reply.text for reply in replies}
        await r.quiet()
        assert (20, 0) == r.settled


async def test_a_silent_provider_is_bridged_by_comments(rig: Any) -> None:
    async with rig(
        {"a/slow": ("fault/slow-start?delay_s=0.7",)}, limits={"comment_after_s": 0.2}
    ) as r:
        reply = await r.chat("a/slow", stream=True)
        whole = await r.chat("a/slow")

    assert reply.body.startswith(b": HEDGEROW PROCESSING\n\n")
    assert 2 <= reply.body.count(b": HEDGEROW PROCESSING") <= 4
    assert (TEXT, TEXT) == (reply.text, whole.text)


async def test_a_failure_behind_a_comment_comes_in_stream(rig: Any) -> None:
    async with rig(
        {"a/slow": ("fault/stall-before-headers",)},
        limits={"comment_after_s": 0.2},
        timeouts={"first_token": 0.6},
    ) as r:
        reply = await r.chat("a/slow", stream=True)
        await r.quiet()

        assert 200 == reply.status
        assert (504, "timeout") == (
            reply.chunks[-1]["error"]["code"],
            reply.chunks[-1]["error"]["metadata"]["error_type"],
        )
        assert (0, 1) == r.settled


# --- who --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "LOCALHOST"]
)
async def test_an_open_gateway_answers_to_loopback_names(r: Rig, host: str) -> None:
    assert 200 == (await r.raw(post(chat_body("a/m"), host=host))).status
    assert 200 == (await r.raw(head("GET", "/api/v1/models", host=host), "GET")).status


FOREIGN = [
    ("evil.test", ()),
    ("localhost.evil.test", ()),
    ("127.0.0.1.evil.test", ()),
    ("localhost", ("Origin: https://evil.test",)),
    ("localhost", ("Origin: null",)),
    ("localhost", ("Origin: http://localhost.evil.test",)),
    ("localhost", ("Origin: https://app.example.evil.test",)),
]


@pytest.mark.parametrize(("host", "lines"), FOREIGN)
async def test_an_open_gateway_refuses_foreign_pages_everywhere(
    r: Rig, host: str, lines: tuple[str, ...]
) -> None:
    body = chat_body("a/m")
    asks = [
        post(body, CHAT, *lines, host=host),
        head("GET", "/api/v1/models", *lines, host=host),
        head("GET", "/metrics", *lines, host=host),
        head("OPTIONS", CHAT, *lines, "Access-Control-Request-Method: POST", host=host),
    ]
    for data in asks:
        reply = await r.raw(data, data.split()[0].decode())
        assert (403, "permission_denied") == (reply.status, reply.error["metadata"]["error_type"])
        assert "access-control-allow-origin" not in reply.headers
    assert [] == r.one.log


async def test_hosts_and_origins_that_the_operator_names_are_answered(rig: Any) -> None:
    server = {"hosts": ["box.lan"], "origins": ["https://app.example"]}
    async with rig(SERVED, server=server) as r:
        body = chat_body("a/m")
        assert 200 == (await r.raw(post(body, host="box.lan:8080"))).status
        assert 200 == (await r.raw(post(body, CHAT, "Origin: https://app.example"))).status
        assert 403 == (await r.raw(post(body, CHAT, "Origin: http://app.example"))).status


UNKNOWN = "User not found."
NONE = "No auth credentials found"
CREDENTIALS = [
    ((), NONE),
    (("Authorization: ",), NONE),
    (("Authorization: Basic dTpw",), NONE),
    (("X-Api-Key: ",), NONE),
    ((f"X-Api-Key: {KEY}x",), UNKNOWN),
    (("Authorization: Bearer ",), NONE),
    (("Authorization: Bearer wrong",), UNKNOWN),
    ((f"Authorization: Bearer {KEY}x",), UNKNOWN),
    ((f"Authorization: Bearer {KEY} {KEY}",), UNKNOWN),
    ((f"Authorization: Bearer {KEYS[0]}",), UNKNOWN),
]


@pytest.mark.parametrize(("lines", "message"), CREDENTIALS)
async def test_without_a_known_key_it_is_a_401_with_the_apis_own_words(
    keyed: Rig, lines: tuple[str, ...], message: str
) -> None:
    for stream in (False, True):
        reply = await keyed.raw(post(chat_body("a/m", stream=stream), CHAT, *lines))
        assert (401, message) == (reply.status, reply.error["message"])
        assert "authentication" == reply.error["metadata"]["error_type"]
    assert [] == keyed.one.log
    assert (0, 0) == keyed.settled


@pytest.mark.parametrize(
    "field",
    ["Authorization: Bearer", "Authorization: bearer", "Authorization: BEARER", "X-Api-Key:"],
)
async def test_a_known_key_is_served_and_never_sent_on(keyed: Rig, field: str) -> None:
    reply = await keyed.raw(post(chat_body("a/m"), CHAT, f"{field} {KEY}"))

    assert TEXT == reply.text
    sent = {name.lower() for name, _ in keyed.one.log[0].headers}
    assert sent.isdisjoint({"authorization", "x-api-key"})
    assert KEY.encode() not in keyed.one.log[0].body


async def test_with_keys_any_host_and_origin_may_call_and_read(keyed: Rig) -> None:
    lines = (BEARER, "Origin: https://page.example")
    for stream in (False, True):
        reply = await keyed.raw(
            post(chat_body("a/m", stream=stream), CHAT, *lines, host="gw.example")
        )
        assert (200, "*") == (reply.status, reply.headers["access-control-allow-origin"])
        assert "x-generation-id" in reply.headers["access-control-expose-headers"].lower()


@pytest.mark.parametrize(
    "path", [CHAT, "/v1/chat/completions", "/api/v1/models", "/v1/completions"]
)
async def test_with_keys_a_preflight_is_granted_without_one(keyed: Rig, path: str) -> None:
    lines = (
        "Origin: https://page.example",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: authorization, x-stainless-os",
    )
    async with keyed.client() as client:
        reply = await client.ask(head("OPTIONS", path, *lines), "OPTIONS")
        assert (204, b"", "*") == (
            reply.status, reply.body, reply.headers["access-control-allow-origin"],
        )  # fmt: skip
        assert "authorization, x-stainless-os" == reply.headers["access-control-allow-headers"]
        assert "POST" in reply.headers["access-control-allow-methods"]
        assert 200 == (await client.ask(post(chat_body("a/m"), CHAT, BEARER))).status


FAILING = {
    "no key": post(chat_body("a/m"), CHAT),
    "bad body": post(b"{", CHAT, BEARER),
    "unknown path": post(b"{}", "/api/v1/nowhere", BEARER),
    "too large": head("POST", CHAT, BEARER, "Content-Length: 99999999999"),
}


@pytest.mark.parametrize("case", FAILING)
async def test_with_keys_a_page_may_read_why_it_failed(keyed: Rig, case: str) -> None:
    reply = await keyed.raw(FAILING[case])

    assert reply.error
    assert "*" == reply.headers.get("access-control-allow-origin")


async def test_open_replies_carry_no_cross_origin_headers(r: Rig) -> None:
    for data in (post(chat_body("a/m")), post(b"{"), head("GET", "/api/v1/models")):
        reply = await r.raw(data, data.split()[0].decode())
        assert not [name for name in reply.headers if name.startswith("access-control-")]


async def test_a_reply_names_who_served_and_what_it_took(r: Rig) -> None:
    reply = await r.chat("a/m", stream=True)

    assert ("one:a/m", "a/m", "1") == tuple(
        reply.headers[f"x-hedgerow-{name}"] for name in ("endpoint", "model", "attempts")
    )
    assert reply.headers["x-generation-id"] == reply.chunks[0]["id"]
    assert reply.headers["server-timing"].startswith("gateway;dur=")
