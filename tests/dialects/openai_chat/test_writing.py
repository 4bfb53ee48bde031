"""Replies written: what must change changes, all else stays as it came."""

from typing import Any

import orjson
import pytest

from proxy.dialects.openai_chat.writing import Writing
from proxy.errors import UpstreamTimeoutError
from proxy.model.event import (
    Charged,
    Ended,
    Failed,
    Finished,
    Native,
    Reasoning,
    Text,
    ToolCall,
    Usage,
)
from proxy.units import NanoDollars
from tests.fakes.things import a_call, an_endpoint, chunk, said

USAGE = Usage(
    10, 5, cached_tokens=4, raw={"completion_tokens_details": {"accepted_prediction_tokens": 1}}
)
BILL = Charged(USAGE, NanoDollars(60_000), NanoDollars(20_000), NanoDollars(40_000))
HEAD = {"id": "gen-1-abc", "created": 1_700_000_000, "model": "maker/model", "provider": "Acme"}


def a_writing(*, stream: bool = True, completions: bool = False) -> Writing:
    call = a_call(stream=stream)
    call.surface = "completions" if completions else "chat"
    return Writing(call, an_endpoint())


def native(document: dict[str, Any]) -> list[Any]:
    return [Native("openai-chat", document)]


def test_a_chunk_keeps_what_we_do_not_know() -> None:
    document = {**chunk("hi", extra={"deep": [1]}), "system_fingerprint": "fp", "odd": True}
    document["choices"][0]["odder"] = 1

    sent = said(a_writing().feed(native(document)))[0]

    assert HEAD.items() <= sent.items()
    assert ("fp", True, 1, {"deep": [1]}) == (
        sent["system_fingerprint"], sent["odd"], sent["choices"][0]["odder"], sent["choices"][0]["delta"]["extra"],
    )  # fmt: skip
    assert None is sent["choices"][0]["native_finish_reason"]


def test_padding_and_usage_are_taken_out() -> None:
    document = {**chunk("hi"), "obfuscation": "xx", "x_groq": {"id": 1}, "usage": None}

    assert {"obfuscation", "x_groq", "usage"}.isdisjoint(
        said(a_writing().feed(native(document)))[0]
    )


def test_a_chunk_that_only_brings_usage_says_nothing() -> None:
    assert b"" == a_writing().feed(native({"choices": [], "usage": {}}))
    assert b"" == a_writing().feed([])
    assert b"" == a_writing().feed([Ended()])


def test_a_chunk_without_choices_that_says_something_else_is_passed_on() -> None:
    sent = said(a_writing().feed(native({"choices": [], "prompt_filter_results": [1]})))

    assert [1] == sent[0]["prompt_filter_results"]


def test_the_finish_reason_is_normalised_and_the_native_one_kept() -> None:
    sent = said(
        a_writing().feed([*native(chunk(finish="max_tokens")), Finished("length", "max_tokens")])
    )[0]

    assert ("length", "max_tokens") == (
        sent["choices"][0]["finish_reason"],
        sent["choices"][0]["native_finish_reason"],
    )


def test_a_stream_ends_with_usage_that_repeats_the_finish_reason_and_a_terminator() -> None:
    writing = a_writing()
    writing.feed([*native(chunk(finish="eos")), Finished("stop", "eos")])
    sent = writing.feed([BILL])
    last = said(sent)[0]

    assert sent.endswith(b"data: [DONE]\n\n")
    assert {"role": "assistant", "content": ""} == last["choices"][0]["delta"]
    assert ("stop", "eos") == (
        last["choices"][0]["finish_reason"],
        last["choices"][0]["native_finish_reason"],
    )
    assert (10, 5, 15, 0.00006, False) == tuple(
        last["usage"][k]
        for k in ("prompt_tokens", "completion_tokens", "total_tokens", "cost", "is_byok")
    )
    assert 4 == last["usage"]["prompt_tokens_details"]["cached_tokens"]
    assert 1 == last["usage"]["completion_tokens_details"]["accepted_prediction_tokens"]
    assert {
        "upstream_inference_cost",
        "upstream_inference_prompt_cost",
        "upstream_inference_completions_cost",
    } == set(last["usage"]["cost_details"])


def test_a_whole_reply_is_sent_when_it_is_billed() -> None:
    writing = a_writing(stream=False)
    document = {
        "id": "x",
        "choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {},
    }

    assert b"" == writing.feed([*native(document), Finished("stop", "stop")])
    sent = orjson.loads(writing.feed([BILL]))

    assert HEAD.items() <= sent.items()
    assert "chat.completion" == sent["object"]
    assert None is sent["system_fingerprint"]
    assert (0, "stop", "stop") == tuple(
        sent["choices"][0][k] for k in ("index", "finish_reason", "native_finish_reason")
    )
    assert 15 == sent["usage"]["total_tokens"]


def test_a_reply_that_names_no_finish_reason_gets_one() -> None:
    writing = a_writing(stream=False)
    writing.feed(
        [*native({"choices": [{"index": 0, "message": {"content": "x"}}]}), Finished("stop", "")]
    )

    assert "stop" == orjson.loads(writing.feed([BILL]))["choices"][0]["finish_reason"]


@pytest.mark.parametrize(
    ("completions", "kind"), [(False, "chat.completion.chunk"), (True, "text_completion")]
)
def test_the_surface_gives_the_object_its_name(completions: bool, kind: str) -> None:
    writing = a_writing(completions=completions)

    assert (
        kind
        == said(writing.feed(native({"choices": [{"index": 0, "text": "x", "delta": {}}]})))[0][
            "object"
        ]
    )
    assert ("text" in said(writing.feed([BILL]))[0]["choices"][0]) is completions


def test_events_of_another_dialect_become_chunks() -> None:
    writing = a_writing()
    events = [
        Native("other", {}),
        Reasoning("hm"),
        Text("a"),
        Text("b"),
        ToolCall(0, "c", "f", "{}"),
        Finished("stop", "end"),
    ]

    choice = said(writing.feed(events))[0]["choices"][0]

    assert ("ab", "hm") == (choice["delta"]["content"], choice["delta"]["reasoning"])
    assert [
        {"index": 0, "type": "function", "function": {"arguments": "{}", "name": "f"}, "id": "c"}
    ] == choice["delta"]["tool_calls"]
    assert ("stop", "end") == (choice["finish_reason"], choice["native_finish_reason"])


def test_events_of_another_dialect_become_a_message() -> None:
    writing = a_writing(stream=False)
    writing.feed([Text("ab"), ToolCall(0, arguments="{}"), Finished("stop", "end")])

    assert "ab" == orjson.loads(writing.feed([BILL]))["choices"][0]["message"]["content"]
    plain = a_writing(stream=False, completions=True)
    plain.feed([Text("ab")])
    assert "ab" == orjson.loads(plain.feed([BILL]))["choices"][0]["text"]


@pytest.mark.parametrize("completions", [False, True])
def test_a_failure_in_a_stream_is_one_chunk_and_the_terminator(completions: bool) -> None:
    sent = a_writing(completions=completions).feed([Failed(UpstreamTimeoutError("late"))])
    last = said(sent)[0]

    assert (504, "late", "timeout") == (
        last["error"]["code"],
        last["error"]["message"],
        last["error"]["metadata"]["error_type"],
    )
    assert "error" == last["choices"][0]["finish_reason"]
    assert sent.endswith(b"data: [DONE]\n\n")


def test_a_failure_of_a_whole_reply_is_the_envelope() -> None:
    assert (
        504
        == orjson.loads(a_writing(stream=False).feed([Failed(UpstreamTimeoutError("late"))]))[
            "error"
        ]["code"]
    )
