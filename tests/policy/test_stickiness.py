"""Which conversation a call belongs to, and when its endpoint is remembered."""

from typing import Any

import pytest

from proxy.model.call import Call
from proxy.model.document import Json
from proxy.model.endpoint import Endpoint, Prices, Provider
from proxy.model.event import Usage
from proxy.policy.stickiness import TEXT_CHARACTERS_MAX, activates, conversation_key, worth_it
from proxy.units import NanoDollarsPerMillion

BASE: list[Json] = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]


def said(*messages: Json, **body: Json) -> Call:
    return Call("openai-chat", "chat", {"messages": list(messages), **body}, ("a/m",))


def key(*messages: Json, **body: Json) -> str:
    return conversation_key("me", "a/m", "", said(*messages, **body))


def turn(role: str, content: Json) -> Json:
    return {"role": role, "content": content}


def test_a_conversation_keeps_its_key_as_it_grows() -> None:
    later = [*BASE, turn("assistant", "hello"), turn("user", "more"), turn("system", "be kind")]

    assert key(*BASE) == key(*later)
    assert 1 <= len(key(*BASE)) <= 17


@pytest.mark.parametrize(
    "messages",
    [
        [turn("system", "be long"), turn("user", "hi")],
        [turn("system", "be brief"), turn("user", "ho")],
        [turn("user", "hi")],
        [turn("system", "hi"), turn("user", "be brief")],
    ],
)
def test_another_beginning_is_another_conversation(messages: list[Json]) -> None:
    assert key(*BASE) != key(*messages)


def test_another_account_or_model_is_another_conversation() -> None:
    call = said(*BASE)

    for session in ("", "s"):
        keys = {
            conversation_key(account, model, session, call)
            for account in ("me", "you")
            for model in ("a/m", "a/n")
        }
        assert 4 == len(keys)


def test_a_named_conversation_is_known_by_its_name_alone() -> None:
    one = conversation_key("me", "a/m", "s", said(*BASE))

    assert one == conversation_key("me", "a/m", "s", said(turn("user", "other")))
    assert one == conversation_key("me", "a/m", "s", said())
    assert one != conversation_key("me", "a/m", "t", said(*BASE))


def test_the_first_of_several_system_messages_counts_and_a_developer_is_one() -> None:
    developer = [turn("developer", "be brief"), turn("system", "x"), turn("user", "hi")]

    assert key(*BASE) == key(*developer)


def test_a_system_prompt_may_stand_beside_the_messages() -> None:
    user = turn("user", "hi")

    assert key(*BASE) == key(user, system="be brief")
    assert key(user) != key(user, system="be brief")


@pytest.mark.parametrize(
    "messages",
    [[], [turn("system", "x")], ["no message"], [turn("user", "")], [turn("user", [])], [{"a": 1}]],
)
def test_what_says_nothing_has_no_key(messages: list[Json]) -> None:
    assert "" == key(*messages)


def test_a_prompt_without_messages_has_no_key() -> None:
    assert "" == conversation_key(
        "me", "a/m", "", Call("openai-chat", "completions", {"prompt": "hi"}, ("a/m",))
    )


def test_parts_count_with_their_texts_and_what_they_carry() -> None:
    def parts(text: str, url: str) -> Json:
        shown: Json = {"type": "image_url", "image_url": {"url": url, "detail": 3}, "n": 1}
        return [{"type": "text", "text": text}, shown, "stray"]

    one = key(turn("user", parts("what is it?", "data:a")))

    assert one == key(turn("user", parts("what is it?", "data:a")), turn("assistant", "a cat"))
    assert one != key(turn("user", parts("what is it?", "data:b")))
    assert one != key(turn("user", parts("who is it?", "data:a")))


@pytest.mark.parametrize("as_parts", [False, True])
def test_only_the_beginning_of_a_long_message_counts(as_parts: bool) -> None:
    def long(length: int, end: str) -> str:
        text = "x" * length
        content: Json = text + end
        if as_parts:
            content = [{"text": text[:9]}, {"text": text[9:]}, {"text": end}]
        return key(turn("user", content))

    assert long(TEXT_CHARACTERS_MAX, "a") == long(TEXT_CHARACTERS_MAX, "b")
    assert long(TEXT_CHARACTERS_MAX - 9, "a") != long(TEXT_CHARACTERS_MAX - 9, "b")


@pytest.mark.parametrize(
    ("session", "usage", "expected"),
    [
        (True, Usage(), True),
        (False, Usage(prompt_tokens=9), False),
        (False, Usage(cached_tokens=1), True),
        (False, Usage(cache_write_tokens=1), True),
    ],
)
def test_a_success_is_remembered_by_name_or_once_a_cache_was_used(
    session: bool, usage: Usage, expected: bool
) -> None:
    assert expected == activates(session=session, usage=usage)


@pytest.mark.parametrize(("read", "expected"), [(None, False), (2, False), (3, False), (1, True)])
def test_only_an_endpoint_whose_cache_is_cheaper_is_worth_it(read: Any, expected: bool) -> None:
    prices = Prices(NanoDollarsPerMillion(2), NanoDollarsPerMillion(4), cache_read=read)
    endpoint = Endpoint(Provider("p", "P", "d", "https://p.test"), "a/m", "m", prices, 1)

    assert expected == worth_it(endpoint)
