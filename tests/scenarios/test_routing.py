"""Routing as clients see it: suffixes, tiers, metadata, options, sticky conversations, fallbacks."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.fault import Fault
from tests.fakes.reply import Reply
from tests.fakes.scripts import Script
from tests.rig import SHORT, Rig, chat_body, post

GOOD = "synthetic/text"
CACHED = Script(usage={"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13,
                       "prompt_tokens_details": {"cached_tokens": 8}})  # fmt: skip
EXPLAINED = "X-OpenRouter-Metadata: enabled"
RigOf = Callable[..., Any]


def endpoint(provider: str, price: str, **more: Any) -> dict[str, Any]:
    return {"provider": provider, "upstream_model": GOOD,
            "prices": {"prompt": price, "completion": price, **more.pop("cached", {})}, **more}  # fmt: skip


def model(*endpoints: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "a/m", "context_length": 100_000, "endpoints": list(endpoints), **more}


def sent(r: Rig, provider: str = "one") -> list[Any]:
    """Bodies that a provider got."""
    return [json.loads(entry.body) for entry in getattr(r, provider).log]


async def explained(r: Rig, **fields: Any) -> Reply:
    path = fields.pop("path", "/api/v1/chat/completions")
    body = fields.pop("body", None) or chat_body("a/m", **fields)
    return await r.raw(post(body, path, EXPLAINED))


async def test_nitro_asks_the_fast_one_and_floor_the_cheap_one(rig: RigOf) -> None:
    fast = endpoint("one", "9", expected_throughput=300, expected_ttft=0.1)
    cheap = endpoint("two", "1", expected_throughput=20, expected_ttft=0.9)
    async with rig({}, models=[model(fast, cheap)]) as r:
        told = [(await r.chat(name)).headers["x-hedgerow-endpoint"] for name in
                ("a/m:nitro", "a/m:floor", "a/m:floor:nitro")]  # fmt: skip

    assert ["one:a/m", "two:a/m", "one:a/m"] == told


async def test_live_figures_turn_an_order_that_the_catalogue_had_wrong(rig: RigOf) -> None:
    said_fast = endpoint("one", "1", expected_ttft=0.001)
    said_slow = endpoint("two", "1", expected_ttft=5.0)
    async with rig({}, models=[model(said_fast, said_slow)], pacing="delay_s=0.03") as r:
        r.one.script(GOOD, Script(texts=("x",) * 20))
        both = {"provider": {"sort": "latency", "order": ["two"]}}
        for fields in (both, {"provider": {"order": ["one"]}}):
            await r.chat("a/m", stream=True, **fields)
        await r.quiet()
        live = r.gateway.live
        live.board.refresh(r.gateway.clock())
        one, two = (live.board.standings[f"{name}:a/m"].ttft.p50 for name in ("one", "two"))
        first = (await r.chat("a/m", provider={"sort": "latency"})).headers["x-hedgerow-endpoint"]

    assert ("one:a/m" if one <= two else "two:a/m") == first
    assert 0.02 < one < 1.0
    assert 0.02 < two < 1.0


@pytest.mark.parametrize(
    ("fields", "tier", "served"),
    [
        ({}, None, "two:a/m"),
        ({"service_tier": "flex"}, "flex", "one/cheap:a/m"),
        ({"service_tier": "priority"}, None, "two:a/m"),
        ({"service_tier": "default"}, "default", "two:a/m"),
        ({"service_tier": "auto"}, "auto", "two:a/m"),
        ({"provider": {"order": ["one/flex"]}}, "flex", "one/cheap:a/m"),
        ({"provider": {"only": ["one/flex"]}}, "flex", "one/cheap:a/m"),
    ],
)
async def test_a_tier_is_asked_for_upstream_only_where_its_price_is_charged(
    rig: RigOf, fields: dict[str, Any], tier: str | None, served: str
) -> None:
    flex = endpoint("one", "1", tier="flex", tag="cheap")
    async with rig({}, models=[model(flex, endpoint("two", "2"))]) as r:
        reply = await r.chat("a/m", **fields)
        body = sent(r, served[:3])[0]

    assert served == reply.headers["x-hedgerow-endpoint"]
    assert tier == body.get("service_tier")


async def test_only_the_provider_that_is_meant_gets_its_options(rig: RigOf) -> None:
    options = {"one": {"min_p": 0.1, "model": "other", "max_tokens": 9}, "two": {"top_k": 3}}
    async with rig({"a/m": (GOOD,)}) as r:
        await r.chat("a/m", provider={"options": options})
        (body,) = sent(r)

    assert (0.1, GOOD) == (body["min_p"], body["model"])
    assert {"max_tokens", "top_k", "provider"}.isdisjoint(body)


async def test_parameters_that_an_endpoint_lacks_are_not_sent_to_it(rig: RigOf) -> None:
    plain = endpoint("one", "1", supported_parameters=["temperature"])
    async with rig({}, models=[model(plain)]) as r:
        reply = await r.chat(
            "a/m", seed=3, temperature=0.5, min_p=0.1, tools=[{"type": "function"}]
        )
        (body,) = sent(r)
        refused = await r.chat("a/m", seed=3, provider={"require_parameters": True})

    assert 200 == reply.status
    assert {"temperature": 0.5, "min_p": 0.1} == {
        k: v for k, v in body.items() if k in {"temperature", "min_p", "seed", "tools"}
    }
    assert (404, ["does not support seed"]) == (
        refused.status, refused.error["metadata"]["endpoints"]["one:a/m"],
    )  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
async def test_metadata_tells_who_was_asked_and_who_answered(rig: RigOf, stream: bool) -> None:
    async with rig({"a/m": ("broken", GOOD)}) as r:
        r.one.script("broken", Fault("status", status=500))
        reply = await explained(r, stream=stream)
        document = reply.chunks[-1] if stream else reply.json
        plain = await r.chat("a/m", stream=stream)

    told = document["openrouter_metadata"]
    assert ("a/m", "direct", 2, False) == (
        told["requested"], told["strategy"], told["attempt"], told["is_byok"],
    )  # fmt: skip
    assert [("One", False), ("Two", True)] == [
        (e["provider"], e["selected"]) for e in told["endpoints"]["available"]
    ]
    assert [("One", 502), ("Two", 200)] == [(a["provider"], a["status"]) for a in told["attempts"]]
    assert all(0 <= a["began_ms"] < 5_000 and 0 <= a["waited_ms"] for a in told["attempts"])
    assert "openrouter_metadata" not in plain.body.decode()


async def test_metadata_stands_beside_an_error(rig: RigOf) -> None:
    async with rig({"a/m": ("broken",)}) as r:
        r.one.script("broken", Fault("status", status=500))
        failed = await explained(r)
        refused = await explained(r, provider={"only": ["two"]})

    assert (502, 1) == (failed.status, failed.json["openrouter_metadata"]["attempt"])
    told = refused.json["openrouter_metadata"]
    assert (404, 0) == (refused.status, told["attempt"])
    assert ["not in provider.only"] == told["endpoints"]["available"][0]["out"]


@pytest.mark.parametrize("stream", [False, True])
async def test_metadata_in_anthropics_dialect(rig: RigOf, stream: bool) -> None:
    messages = [{"role": "user", "content": "hi"}]
    body = {"model": "a/m", "max_tokens": 9, "messages": messages, "stream": stream}
    async with rig({"a/m": (GOOD,)}) as r:
        reply = await explained(r, body=json.dumps(body).encode(), path="/api/v1/messages")

    if stream:
        last = reply.body.decode().strip().split("\n\n")[-1]
        assert last.startswith("event: message_stop")
        told = json.loads(last.partition("data: ")[2])["openrouter_metadata"]
    else:
        told = reply.json["openrouter_metadata"]
    assert "One" == told["attempts"][0]["provider"]


async def test_a_client_may_see_the_bodies_that_providers_got(rig: RigOf) -> None:
    async with rig({"a/m": ("broken", GOOD)}) as r:
        r.one.script("broken", Fault("status", status=500))
        debug = {"echo_upstream_body": True}
        reply = await r.chat("a/m", stream=True, seed=1, debug=debug)
        whole = await r.chat("a/m", seed=1, debug=debug)

    first, second, third = reply.chunks[:3]
    assert [[], []] == [first["choices"], second["choices"]]
    assert ["broken", GOOD] == [c["debug"]["echo_upstream_body"]["model"] for c in (first, second)]
    assert "debug" not in third
    assert "debug" not in whole.json


async def test_a_conversation_returns_to_where_its_prompt_is_cached(rig: RigOf) -> None:
    cached = {"cached": {"cache_read": "0.1"}}
    async with rig({}, models=[model(endpoint("one", "1", **cached), endpoint("two", "2", **cached))]) as r:  # fmt: skip
        r.two.script(GOOD, CACHED)

        async def served(text: str, **fields: Any) -> str:
            reply = await r.raw(post(chat_body("a/m", text=text, **fields)))
            return str(reply.headers["x-hedgerow-endpoint"])

        away = {"provider": {"order": ["two"]}}
        assert "one:a/m" == await served("first")
        assert "two:a/m" == await served("first", **away)  # reports that it used its cache
        assert ["two:a/m", "one:a/m"] == [await served("first"), await served("other")]
        assert "one:a/m" == await served("first", provider={"sort": "price"})
        assert "two:a/m" == await served("x", session_id="s", **away)
        assert ["two:a/m", "one:a/m"] == [
            await served("y", session_id="s"), await served("y", session_id="t"),
        ]  # fmt: skip


@pytest.mark.parametrize("status", [400, 413, 429, 500])
async def test_any_error_of_a_model_moves_on_to_the_next_one(rig: RigOf, status: int) -> None:
    async with rig({"a/bad": ("broken", "broken"), "a/good": (GOOD,)}, timeouts=SHORT) as r:
        for replay in (r.one, r.two):
            replay.script("broken", Fault("status", status=status))
        reply = await r.chat("a/bad", models=["a/good"])

    assert (200, "a/good") == (reply.status, reply.json["model"])


async def test_without_fallbacks_the_first_error_is_the_answer(rig: RigOf) -> None:
    async with rig({"a/m": ("broken", GOOD)}) as r:
        r.one.script("broken", Fault("status", status=500))
        alone = await r.chat("a/m", provider={"allow_fallbacks": False})

    assert 502 == alone.status
    assert "previous_errors" not in alone.error["metadata"]


async def test_a_provider_that_asks_to_wait_is_not_asked_again_before(rig: RigOf) -> None:
    limited = Fault("status", status=429, retry_after="7")
    async with rig({"a/m": ("limited",)}) as r:
        r.one.script("limited", limited)
        replies = [await r.chat("a/m") for _ in range(3)]

        assert [429] * 3 == [reply.status for reply in replies]
        assert 1 == len(r.one.log)
        assert all(5 <= int(reply.headers["retry-after"]) <= 7 for reply in replies)
        assert "capacity_exhausted" == replies[1].error["metadata"]["availability"]["code"]
