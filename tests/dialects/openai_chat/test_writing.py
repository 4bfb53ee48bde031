"""Events to what an SDK reads: our names, our ids, our bill; the rest as it came."""

from typing import Any

import orjson
import pytest

from proxy.dialects.openai_chat.writing import DONE, Writing, encode_response, usage_document
from proxy.errors import UpstreamTimeoutError, UpstreamUnavailableError
from proxy.model.call import Surface
from proxy.model.event import (
    Charged,
    Ended,
    Event,
    Failed,
    Finished,
    Native,
    Reasoning,
    Started,
    Text,
    ToolCall,
    Usage,
)
from proxy.units import NanoDollars
from tests.fakes.things import a_call, an_endpoint

OURS = {"id": "gen-1-abc", "created": 1_700_000_000, "model": "maker/model", "provider": "Acme"}
BILL = Charged(
    Usage(11, 7, 4, reasoning_tokens=2), NanoDollars(1500), NanoDollars(500), NanoDollars(1000)
)


def writing(*, stream: bool = True, surface: Surface = "chat") -> Writing:
    call = a_call(stream=stream)
    call.surface = surface
    return encode_response(call, an_endpoint())


def native(**document: Any) -> Native:
    return Native("openai-chat", document)


def told(sent: bytes) -> dict[str, Any]:
    assert sent.startswith(b"data: ")
    assert sent.endswith(b"\n\n")
    document: dict[str, Any] = orjson.loads(sent[6:-2])
    return document


def a_choice(sent: bytes) -> dict[str, Any]:
    choice: dict[str, Any] = told(sent)["choices"][0]
    return choice


def test_a_frame_goes_on_with_our_names_and_what_else_it_held_in_order() -> None:
    frame = native(
        id="up", zz=1, object="x", created=5, model="up", choices=[], system_fingerprint="fp"
    )
    document = told(writing().feed([frame]))

    assert OURS == {key: document[key] for key in OURS}
    assert "chat.completion.chunk" == document["object"]
    assert (1, "fp") == (document["zz"], document["system_fingerprint"])
    assert ["id", "zz", "object", "created", "model", "choices"] == list(document)[:6]


@pytest.mark.parametrize("name", ["usage", "obfuscation", "x_groq"])
def test_what_is_ours_to_say_or_padding_is_dropped(name: str) -> None:
    choices = [{"index": 0, "delta": {}}]

    assert name not in told(writing().feed([native(choices=choices, **{name: {}})]))


def test_a_chunk_of_usage_alone_is_not_sent() -> None:
    assert b"" == writing().feed([native(choices=[], usage={}), Usage()])
    assert b"" == writing().feed([native(usage={}), Usage()])


def test_a_chunk_without_choices_that_says_something_else_is_sent() -> None:
    assert [] == told(writing().feed([native(choices=[], prompt_filter_results=[])]))["choices"]


def test_unknown_fields_of_choices_and_deltas_go_on() -> None:
    choice = a_choice(
        writing().feed(
            [native(choices=[{"index": 0, "token_id": 5, "delta": {"content": "a", "x": [1]}}])]
        )
    )

    assert (5, {"content": "a", "x": [1]}) == (choice["token_id"], choice["delta"])


@pytest.mark.parametrize(
    ("native_reason", "told_reason"),
    [("eos", "stop"), ("max_tokens", "length"), (None, None), ("", None), ("new", "stop")],
)
def test_a_reason_is_told_in_our_word_and_in_the_providers(
    native_reason: Any, told_reason: str | None
) -> None:
    choice = a_choice(
        writing().feed(
            [native(choices=[{"index": 0, "delta": {}, "finish_reason": native_reason}])]
        )
    )

    assert (told_reason, native_reason or None) == (
        choice["finish_reason"],
        choice["native_finish_reason"],
    )


def test_what_the_reader_concluded_counts_more_than_the_word() -> None:
    frame = native(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])

    assert (
        "tool_calls"
        == a_choice(writing().feed([frame, Finished("tool_calls", "stop")]))["finish_reason"]
    )


@pytest.mark.parametrize("index", [None, "0", 1.0])
def test_a_choice_without_an_index_gets_one(index: Any) -> None:
    assert 0 == a_choice(writing().feed([native(choices=[{"index": index, "delta": {}}])]))["index"]


def test_a_choice_without_its_delta_gets_one() -> None:
    assert {} == a_choice(writing().feed([native(choices=[{"finish_reason": "stop"}])]))["delta"]


def test_a_choice_that_is_no_object_is_left_as_it_is() -> None:
    assert [5] == told(writing().feed([native(choices=[5])]))["choices"]


@pytest.mark.parametrize(
    ("delta", "reasoning"),
    [({"reasoning_content": "hm"}, "hm"), ({"reasoning": "a", "reasoning_content": "b"}, "a"),
     ({"reasoning": "a"}, "a"), ({"thinking": "c"}, "c"), ({"thinking": {}}, None), ({}, None)],
)  # fmt: skip
def test_reasoning_is_told_under_the_name_openrouter_gives_it(delta: Any, reasoning: Any) -> None:
    choice = a_choice(writing().feed([native(choices=[{"index": 0, "delta": delta}])]))

    assert reasoning == choice["delta"].get("reasoning")


def test_a_legacy_completion_has_text_and_no_delta() -> None:
    sent = writing(surface="completions").feed([native(choices=[{"index": 0, "text": "Hi"}])])

    assert "text_completion" == told(sent)["object"]
    assert {
        "index": 0,
        "text": "Hi",
        "finish_reason": None,
        "native_finish_reason": None,
    } == a_choice(sent)


def test_the_bill_closes_a_stream_for_every_choice_that_finished() -> None:
    writer = writing()
    writer.feed(
        [native(choices=[]), Finished("length", "max_tokens", 1), Finished("stop", "eos", 0)]
    )
    sent = writer.feed([BILL])

    assert sent.endswith(DONE)
    document = told(sent.removesuffix(DONE))
    assert [(0, "stop", "eos"), (1, "length", "max_tokens")] == [
        (c["index"], c["finish_reason"], c["native_finish_reason"]) for c in document["choices"]
    ]
    assert usage_document(BILL) == document["usage"]
    assert OURS == {key: document[key] for key in OURS}


@pytest.mark.parametrize(
    ("surface", "said"),
    [("chat", {"delta": {}}), ("completions", {"text": ""})],
)
def test_a_bill_without_a_reason_says_stop(surface: Surface, said: dict[str, Any]) -> None:
    choice = a_choice(writing(surface=surface).feed([BILL]).removesuffix(DONE))

    assert {
        "index": 0,
        **said,
        "finish_reason": "stop",
        "native_finish_reason": "stop",
        "logprobs": None,
    } == choice


def test_the_terminator_of_the_provider_is_not_ours() -> None:
    assert b"" == writing().feed([Ended()])
    assert b"" == writing().feed([])


@pytest.mark.parametrize(
    ("surface", "said"), [("chat", {"delta": {"content": ""}}), ("completions", {"text": ""})]
)
def test_a_failure_in_a_stream_is_an_event_with_an_error_and_the_end(
    surface: Surface, said: dict[str, Any]
) -> None:
    sent = writing(surface=surface).feed([Failed(UpstreamTimeoutError("late"))])

    assert sent.endswith(DONE)
    document = told(sent.removesuffix(DONE))
    assert {"code": 504, "message": "late", "metadata": {"error_type": "timeout"}} == document[
        "error"
    ]
    assert [
        {"index": 0, **said, "finish_reason": "error", "native_finish_reason": "error"}
    ] == document["choices"]


def test_a_failure_of_a_whole_reply_is_its_body() -> None:
    sent = writing(stream=False).feed([Failed(UpstreamTimeoutError("late"))])

    assert ["error"] == list(orjson.loads(sent))


def whole(events: list[Event], surface: Surface = "chat") -> dict[str, Any]:
    writer = writing(stream=False, surface=surface)
    assert b"" == writer.feed(events)
    document: dict[str, Any] = orjson.loads(writer.feed([BILL]))
    return document


def test_a_whole_reply_is_sent_with_its_bill_at_the_end() -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "eos"}
    document = whole(
        [
            native(id="up", choices=[choice], usage={"x": 1}, zz=1),
            Text("Hi"),
            Finished("stop", "eos"),
        ]
    )

    assert "chat.completion" == document["object"]
    assert "usage" == list(document)[-1]
    assert usage_document(BILL) == document["usage"]
    assert (1, None) == (document["zz"], document["system_fingerprint"])
    assert ("stop", "eos") == tuple(
        document["choices"][0][key] for key in ("finish_reason", "native_finish_reason")
    )


def test_a_whole_reply_without_a_reason_gets_the_readers() -> None:
    choice = {"index": 0, "message": {"content": "Hi"}, "finish_reason": None}
    told_choice = whole([native(choices=[choice], system_fingerprint="fp"), Finished("stop", "")])[
        "choices"
    ][0]

    assert ("stop", None) == (told_choice["finish_reason"], told_choice["native_finish_reason"])


def test_a_whole_reply_nobody_finished_has_no_reason() -> None:
    assert (
        None
        is whole([native(choices=[{"index": 0, "message": {}}])])["choices"][0]["finish_reason"]
    )


FOREIGN: list[Event] = [
    Native("other", {}), Started("up", "m"), Reasoning("h"), Reasoning("m"), Text("H"), Text("i"),
    ToolCall(0, "c", "f", "{"), ToolCall(0, arguments="}"), Finished("tool_calls", "tool_use"), Usage(),
]  # fmt: skip


def test_events_of_another_dialect_are_composed() -> None:
    choice = a_choice(writing().feed(FOREIGN))

    assert {
        "role": "assistant",
        "content": "Hi",
        "reasoning": "hm",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "h", "index": 0},
            {"type": "reasoning.text", "text": "m", "index": 0},
        ],
        "tool_calls": [
            {
                "index": 0,
                "type": "function",
                "function": {"arguments": "{", "name": "f"},
                "id": "c",
            },
            {"index": 0, "type": "function", "function": {"arguments": "}"}},
        ],
    } == choice["delta"]
    assert ("tool_calls", "tool_use") == (choice["finish_reason"], choice["native_finish_reason"])


def test_a_whole_reply_of_another_dialect_is_composed() -> None:
    assert {"role": "assistant", "content": "Hi"} == whole([Text("Hi")])["choices"][0]["message"]
    assert None is whole([Finished("stop", "x")])["choices"][0]["message"]["content"]
    assert "Hi" == whole([Text("Hi")], "completions")["choices"][0]["text"]
    assert "" == whole([Finished("stop", "x")], "completions")["choices"][0]["text"]


def test_a_reply_of_another_dialect_that_came_in_pieces_is_one_message() -> None:
    writer = writing(stream=False)
    for events in ([Text("H")], [Native("other", {}), Text("i"), Text("b", 1)], FOREIGN[6:]):
        assert b"" == writer.feed(events)
    first, second = orjson.loads(writer.feed([BILL]))["choices"]

    assert {"role": "assistant", "content": "Hi", "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]} == first["message"]  # fmt: skip
    assert ("tool_calls", "tool_use") == (first["finish_reason"], first["native_finish_reason"])
    assert ("b", None) == (second["message"]["content"], second["finish_reason"])


def test_a_foreign_stream_tells_role_and_finish_once_and_nothing_where_nothing_is_said() -> None:
    writer = writing()
    frames: list[list[Event]] = [
        [Native("other", {}), Started("up", "m")], [Native("other", {}), Text("H")],
        [Native("other", {}), Text("i")], [Usage()], [Finished("stop", "end_turn")], [Usage()],
    ]  # fmt: skip
    sent = [writer.feed(events) for events in frames]

    assert [False, True, True, False, True, False] == [bool(piece) for piece in sent]
    choices = [a_choice(piece) for piece in sent if piece]
    assert [{"role": "assistant", "content": "H"}, {"content": "i"}, {}] == [
        c["delta"] for c in choices
    ]
    assert [None, None, "stop"] == [c["finish_reason"] for c in choices]


def test_a_failure_in_the_middle_is_told_with_an_error_and_the_end_bug_46() -> None:
    writer = writing()
    writer.feed([Text("H")])
    sent = writer.feed([Failed(UpstreamUnavailableError("gone"))])

    assert sent.endswith(DONE)
    assert "error" == a_choice(sent.removesuffix(DONE))["finish_reason"]


def test_usage_comes_once_with_the_last_chunk_and_in_no_other_bug_43() -> None:
    writer = writing()
    told_before = [told(writer.feed(e)) for e in ([Text("H"), Usage()], [Finished("stop", "x")])]
    last = told(writer.feed([BILL]).removesuffix(DONE))

    assert [False, False] == ["usage" in chunk for chunk in told_before]
    assert 18 == last["usage"]["total_tokens"]


def test_usage_is_told_normalised_with_the_providers_details_and_the_cost() -> None:
    raw: dict[str, Any] = {
        "prompt_tokens_details": {"cached_tokens": 99, "text_tokens": 7},
        "completion_tokens_details": {"accepted_prediction_tokens": 1},
    }
    usage = Usage(11, 7, 4, 1, 2, 3, 5, raw=raw)

    assert {
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "total_tokens": 18,
        "cost": 0.0000015,
        "is_byok": False,
        "prompt_tokens_details": {
            "cached_tokens": 4, "text_tokens": 7, "cache_write_tokens": 1, "audio_tokens": 3,
        },
        "cost_details": {
            "upstream_inference_cost": 0.0000015,
            "upstream_inference_prompt_cost": 0.0000005,
            "upstream_inference_completions_cost": 0.000001,
        },
        "completion_tokens_details": {
            "accepted_prediction_tokens": 1, "reasoning_tokens": 2, "image_tokens": 5,
        },
    } == usage_document(Charged(usage, NanoDollars(1500), NanoDollars(500), NanoDollars(1000)))  # fmt: skip


@pytest.mark.parametrize("stream", [True, False])
def test_a_reply_nested_deeper_than_can_be_written_is_the_providers_failure(stream: bool) -> None:
    deep = orjson.loads(b"[" * 300 + b"]" * 300)
    writer = writing(stream=stream)

    with pytest.raises(UpstreamUnavailableError, match="too deep"):
        writer.feed([native(choices=[], x=deep)])
        writer.feed([BILL])


def test_where_there_is_no_call_an_error_is_its_body() -> None:
    sent = encode_response(None, None).feed([Failed(UpstreamTimeoutError("late"))])

    assert "late" == orjson.loads(sent)["error"]["message"]
