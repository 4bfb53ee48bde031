"""Events to what Anthropic's SDKs read: named events in order, our ids, our bill, the rest as it came."""

from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

from proxy.dialects.anthropic_messages.writing import (
    Refusing,
    encode_response,
    error_body,
    usage_document,
)
from proxy.dialects.openai_chat import decode_response
from proxy.errors import (
    AuthenticationError,
    GatewayError,
    HedgerowError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    PayloadTooLargeError,
    PaymentRequiredError,
    PermissionDeniedError,
    RequestTimeoutError,
    UpstreamOverloadedError,
    UpstreamRateLimitError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from proxy.model.event import (
    Charged,
    Citation,
    Ended,
    Event,
    Failed,
    Finished,
    Image,
    Native,
    Reasoning,
    ReasoningSealed,
    Refusal,
    Started,
    Text,
    ToolCall,
    Usage,
)
from proxy.model.meter import Delivered
from proxy.units import NanoDollars
from proxy.wire.body import BodyReader
from proxy.wire.transcript import Transcript
from tests.dialects.anthropic_messages.stream import (
    BILL,
    Frames,
    accumulated,
    read,
    validated,
    writing,
    written,
)
from tests.fakes.things import EVENT_BYTES_MAX, a_call, an_endpoint, chunk, event

STOP = Finished("stop", "stop")
TOOLS = Finished("tool_calls", "tool_calls")
SIGNED = ReasoningSealed(0, "sig", format="anthropic-claude-v1")
USAGE = {
    "input_tokens": 15,
    "cache_creation_input_tokens": 5,
    "cache_read_input_tokens": 10,
    "output_tokens": 7,
    "output_tokens_details": {"thinking_tokens": 2},
    "cost": 1.5e-06,
    "is_byok": False,
    "cost_details": {
        "upstream_inference_cost": 1.5e-06,
        "upstream_inference_prompt_cost": 5e-07,
        "upstream_inference_completions_cost": 1e-06,
    },
}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def tool(name: str, value: Any, id_: str = "c1") -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": name, "input": value}


def thought(said: str, signature: str = "") -> dict[str, Any]:
    return {"type": "thinking", "thinking": said, "signature": signature}


def check(frames: Frames, content: list[Any], reason: str = "end_turn") -> None:
    """Streamed and put together by the SDK, or whole: the same message."""
    whole = orjson.loads(written([*frames, [BILL]], stream=False))
    assert (content, reason) == (whole["content"], whole["stop_reason"])
    message = accumulated(written([*frames, [BILL]]))
    ours = {"cost", "cost_details", "is_byok"}
    assert set(whole["usage"]) == set(USAGE)
    whole["usage"] = {k: v for k, v in whole["usage"].items() if k not in ours}
    assert whole == {k: v for k, v in message.items() if k in whole}


CASES: list[tuple[str, Frames, list[Any], str]] = [
    ("text", [[Started("u", "m")], [Text("H")], [Text("i")], [STOP]], [text("Hi")], "end_turn"),
    ("nothing", [[STOP]], [], "end_turn"),
    ("nobody finished", [[Text("H")]], [text("H")], "end_turn"),
    ("cut", [[Text("H")], [Finished("length", "length")]], [text("H")], "max_tokens"),
    ("filtered", [[Finished("content_filter", "x")]], [], "refusal"),
    ("stopped by a sequence", [[Text("H"), Finished("stop", "stop", stop_sequence="END")]],
     [text("H")], "stop_sequence"),
    ("refused", [[Refusal("I ")], [Refusal("won't")], [Finished("content_filter", "x")]],
     [text("I won't")], "refusal"),
    ("another choice", [[Text("H"), Text("x", 1)], [STOP, Finished("length", "", 1)]], [text("H")], "end_turn"),
    ("thinking, sealed, then text", [[Reasoning("h")], [Reasoning("m")], [SIGNED], [Text("Hi")], [STOP]],
     [thought("hm", "sig"), text("Hi")], "end_turn"),
    ("two blocks of thinking", [[Reasoning("a", block=0)], [Reasoning("b", block=1)], [STOP]],
     [thought("a"), thought("b")], "end_turn"),
    ("a seal without thinking", [[SIGNED], [STOP]], [thought("", "sig")], "end_turn"),
    ("redacted", [[ReasoningSealed(encrypted="E")], [Text("H")], [STOP]],
     [{"type": "redacted_thinking", "data": "E"}, text("H")], "end_turn"),
    ("a foreign seal", [[ReasoningSealed(encrypted="E", format="openai-responses-v1")], [STOP]],
     [{"type": "redacted_thinking", "data": "openai-responses-v1:E"}], "end_turn"),
    ("a foreign signature", [[Reasoning("a"), ReasoningSealed(0, "S", format="google-gemini-v1")], [STOP]],
     [thought("a", "google-gemini-v1:S")], "end_turn"),
    ("a tool called, reason stop", [[ToolCall(0, "c1", "f", '{"a":1}')], [STOP]],
     [tool("f", {"a": 1})], "tool_use"),
    ("a made up id", [[ToolCall(0, "", "f", "{}")], [TOOLS]], [tool("f", {}, "toolu_1_abc_0")], "tool_use"),
    ("an image", [[Image("image/png", "QQ==")], [Image(url="http://x/y")], [STOP]],
     [text("![image](data:image/png;base64,QQ==)![image](http://x/y)")], "end_turn"),
    ("citations", [[Text("H"), Citation("http://x", "T", "words")],
                   [Citation(raw={"type": "char_location", "cited_text": "c", "document_index": 0,
                                  "document_title": None, "start_char_index": 0, "end_char_index": 1})],
                   [STOP]],
     [{"type": "text", "text": "H", "citations": [
         {"type": "web_search_result_location", "cited_text": "words", "encrypted_index": "",
          "title": "T", "url": "http://x"},
         {"type": "char_location", "cited_text": "c", "document_index": 0, "document_title": None,
          "start_char_index": 0, "end_char_index": 1}]}], "end_turn"),
]  # fmt: skip


@pytest.mark.parametrize(("frames", "content", "reason"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])  # fmt: skip
def test_events_of_another_dialect_make_one_message_streamed_or_whole(
    frames: Frames, content: list[Any], reason: str
) -> None:
    check(frames, content, reason)


def test_the_stream_of_a_text_is_said_event_by_event() -> None:
    events = validated(written([[Started()], [Text("H")], [Text("i")], [STOP], [Ended()], [BILL]]))

    assert events == [
        {"type": "message_start", "message": {
            "id": "gen-1-abc", "type": "message", "role": "assistant", "model": "maker/model",
            "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": {"input_tokens": 0, "cache_creation_input_tokens": 0,
                      "cache_read_input_tokens": 0, "output_tokens": 0},
            "provider": "Acme"}},
        {"type": "content_block_start", "index": 0, "content_block": text("")},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "H"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "i"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": USAGE},
        {"type": "message_stop"},
    ]  # fmt: skip


# --- bugs seen in other gateways ----------------------------------------------------------------
def test_bug_4_a_tool_without_arguments_says_one_fragment() -> None:
    for arguments in ("", " "):
        sent = written([[ToolCall(0, "c1", "f", arguments)], [TOOLS], [BILL]])
        assert "{}" == "".join(
            e["delta"]["partial_json"]
            for e in validated(sent)
            if e["type"] == "content_block_delta"
        ).strip()  # fmt: skip
    check([[ToolCall(0, "c1", "f")], [TOOLS]], [tool("f", {})], "tool_use")


def test_bug_5_a_frame_of_text_and_tool_says_both() -> None:
    check(
        [[Native("x", {}), Text("H"), ToolCall(0, "c1", "f", "{}")], [TOOLS]],
        [text("H"), tool("f", {})],
        "tool_use",
    )


@pytest.mark.parametrize(
    "pieces",
    [
        [ToolCall(0, "c1"), ToolCall(0, "", "f"), ToolCall(0, arguments='{"a"'), ToolCall(0, arguments=":1}")],
        [ToolCall(0, "c1", arguments='{"a"'), ToolCall(0, "", "f", ":1}")],
        [ToolCall(0, "c1", "f", '{"a":1}')],
        [ToolCall(0, "c1", "f"), ToolCall(0, "c1", "f", '{"a":1'), ToolCall(0, "c1", arguments="}")],
    ],
)  # fmt: skip
def test_bug_6_however_a_call_is_split_it_is_whole(pieces: list[Event]) -> None:
    check([*([piece] for piece in pieces), [TOOLS]], [tool("f", {"a": 1})], "tool_use")


def test_bug_7_and_9_usage_is_replaced_at_the_end_never_added() -> None:
    start = native("message_start", message={"id": "up", "content": [], "usage": {
        "input_tokens": 99, "output_tokens": 9, "cache_read_input_tokens": 0}})  # fmt: skip
    early = native("message_delta", delta={"stop_reason": None}, usage={"output_tokens": 3})
    last = native("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 8})
    sent = written([[start], [early], [last, STOP], [BILL]])
    (said,) = [e["usage"] for e in validated(sent) if e["type"] == "message_delta"]

    assert said == USAGE


def test_bug_8_input_tokens_are_what_no_cache_had_to_do_with() -> None:
    for usage, tokens in [(Usage(30, 7, 10, 5), 15), (Usage(30, 7), 30), (Usage(3, 7, 10), 0)]:
        bill = Charged(usage, NanoDollars(1), NanoDollars(1), NanoDollars(0))
        assert tokens == usage_document(bill)["input_tokens"]


@pytest.mark.parametrize("before", [[], [[Text("H")]], [[ToolCall(0, "c", "f", "{")]]])
def test_bug_12_a_failure_is_an_error_and_nothing_comes_behind_it(before: Frames) -> None:
    sent = written([*before, [Failed(UpstreamTimeoutError("late"))], [Text("x")], [STOP], [BILL]])

    assert validated(sent)[-1] == {
        "type": "error",
        "error": {"type": "timeout_error", "message": "late", "error_type": "timeout"},
        "request_id": "gen-1-abc",
    }
    assert {"error"} | ({"message_start", "content_block_start", "content_block_delta"}
                        if before else set()) == {e["type"] for e in read(sent)}  # fmt: skip


def test_a_reply_that_ends_in_an_error_is_no_success() -> None:
    failed: Frames = [[Text("H")], [Finished("error", "error")], [BILL]]

    assert "error" == validated(written(failed))[-1]["type"]
    assert "api_error" == orjson.loads(written(failed, stream=False))["error"]["type"]


# --- frames of the same dialect -----------------------------------------------------------------
def native(kind: str, **fields: Any) -> Native:
    return Native("anthropic-messages", {"type": kind, **fields})


def test_frames_of_the_same_dialect_go_on_with_our_names() -> None:
    begun = native("content_block_start", index=0, content_block=text(""), zz=1)
    delta = native("content_block_delta", index=0, delta={"type": "text_delta", "text": "H"})
    ended = native("content_block_stop", index=0)
    last = native("message_delta", delta={"stop_reason": "stop_sequence", "stop_sequence": "E",
                  "x": 1}, usage={"output_tokens": 8, "server_tool_use": {}}, zz=2)  # fmt: skip
    start = native("message_start", message={"id": "up", "model": "up", "content": [], "zz": 3})
    frames: Frames = [[start, Started("up", "up")], [begun], [native("ping")], [delta, Text("H")],
        [ended], [last, STOP, Usage()], [native("message_stop"), Ended()], [BILL]]  # fmt: skip
    events = validated(written(frames))

    assert events == [
        {"type": "message_start", "message": {
            "id": "gen-1-abc", "model": "maker/model", "content": [], "zz": 3, "provider": "Acme"}},
        begun.document, {"type": "ping"}, delta.document, ended.document,
        {"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "E", "x": 1},
         "usage": {**USAGE, "server_tool_use": {}}, "zz": 2},
        {"type": "message_stop"},
    ]  # fmt: skip


def test_a_block_that_the_provider_left_open_is_closed() -> None:
    start = native("message_start", message={"content": []})
    begun = native("content_block_start", index=0, content_block=text(""))

    events = validated(written([[start], [begun], [Finished("length", "x")], [BILL]]))

    assert "max_tokens" == events[-2]["delta"]["stop_reason"]


@pytest.mark.parametrize("kind", ["a\nb", "", None, 5, "message\r"])
def test_a_name_that_would_break_the_framing_is_not_sent(kind: Any) -> None:
    assert b"" == writing().feed([native(kind)])


def test_a_whole_reply_of_the_same_dialect_keeps_what_it_held() -> None:
    document = native("message", id="up", model="up", content=[text("H")], stop_reason="pause_turn",
                      stop_sequence=None, usage={"input_tokens": 1, "service_tier": "x"}, zz=1)  # fmt: skip
    whole = orjson.loads(written([[document, Text("H"), Finished("length", "")], [BILL]], stream=False))  # fmt: skip

    assert whole == {**document.document, "id": "gen-1-abc", "model": "maker/model",
        "provider": "Acme", "usage": {**USAGE, "service_tier": "x"}}  # fmt: skip


# --- errors -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InvalidRequestError("m"), "invalid_request_error"), (AuthenticationError("m"), "authentication_error"),
        (PaymentRequiredError("m"), "billing_error"), (PermissionDeniedError("m"), "permission_error"),
        (NotFoundError("m"), "not_found_error"), (MethodNotAllowedError("m"), "invalid_request_error"),
        (RequestTimeoutError("m"), "timeout_error"), (PayloadTooLargeError("m"), "request_too_large"),
        (UpstreamRateLimitError("m"), "rate_limit_error"), (UpstreamUnavailableError("m"), "api_error"),
        (UpstreamOverloadedError("m"), "overloaded_error"), (UpstreamTimeoutError("m"), "timeout_error"),
    ],
)  # fmt: skip
def test_an_error_has_a_type_by_its_status(error: HedgerowError, kind: str) -> None:
    encoder = encode_response(None, None)
    assert isinstance(encoder, Refusing)

    assert orjson.loads(encoder.feed([Failed(error)])) == {
        "type": "error",
        "error": {"type": kind, "message": "m", "error_type": error.error_type},
        "request_id": None,
    }


def test_our_own_fault_is_masked() -> None:
    told: Any = error_body(GatewayError("/etc/secret"), None)

    assert {"type": "api_error", "message": "Internal Server Error", "error_type": "server"} == told["error"]  # fmt: skip


def test_a_frame_that_nests_too_deep_is_the_providers_failure() -> None:
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(UpstreamUnavailableError, match="too deep"):
        writing().feed([native("content_block_delta", x=deep)])


# --- everything ---------------------------------------------------------------------------------
WORDS = st.sampled_from(["a", "é", "\n", "{}"])
ARGUMENTS = ['{"k": "}\\"{"}', "{}", '{"a": [1, {"b": "\\\\"}]}', ""]
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Text, WORDS),
    st.builds(Reasoning, WORDS, block=st.integers(0, 1)),
    st.builds(ReasoningSealed, st.integers(0, 1), st.just("S")),
    st.builds(ReasoningSealed, encrypted=st.just("E")),
    st.builds(Refusal, WORDS),
    st.just(Citation("http://x")),
    st.just(STOP),
)


@st.composite
def replies(draw: st.DrawFn) -> tuple[list[list[Event]], list[str]]:
    """Frames in which calls of tools and everything else are mixed; and the arguments of the calls."""
    arguments = draw(st.lists(st.sampled_from(ARGUMENTS), max_size=3))
    queues: list[list[Event]] = [draw(st.lists(EVENTS, max_size=8))]
    for index, whole in enumerate(arguments):
        cuts = [0, *sorted(draw(st.lists(st.integers(0, len(whole)), max_size=4))), len(whole)]
        pieces: list[Event] = [ToolCall(index, f"c{index}", "f")]
        pieces += [ToolCall(index, arguments=whole[a:b]) for a, b in zip(cuts, cuts[1:])]  # noqa: B905, RUF007
        queues.append(pieces)
    mixed: list[Event] = []
    while live := [q for q in queues if q]:
        mixed.append(draw(st.sampled_from(live)).pop(0))
    size = draw(st.integers(1, 4))
    return [mixed[i : i + size] for i in range(0, len(mixed), size)], arguments


@given(replies())
def test_whatever_comes_the_stream_is_valid_and_says_what_the_whole_reply_says(
    reply: tuple[list[list[Event]], list[str]],
) -> None:
    frames, arguments = reply
    whole = orjson.loads(written([*frames, [BILL]], stream=False))
    message = accumulated(written([*frames, [BILL]]))

    assert (whole["content"], whole["stop_reason"]) == (message["content"], message["stop_reason"])
    called = {b["id"]: b["input"] for b in whole["content"] if b["type"] == "tool_use"}
    assert called == {f"c{i}": orjson.loads(a or "{}") for i, a in enumerate(arguments)}
    said = "".join(b["text"] for b in whole["content"] if b["type"] == "text")
    kept = [e.text for f in frames for e in f if isinstance(e, Text | Refusal)]
    assert said == "".join(kept)


@given(replies(), st.integers(0, 20))
def test_a_failure_at_any_place_ends_the_stream_there(
    reply: tuple[list[list[Event]], list[str]], place: int
) -> None:
    frames: list[list[Event]] = [*reply[0], [BILL]]
    failed: list[Event] = [Failed(UpstreamUnavailableError("gone"))]
    frames.insert(min(place, len(frames) - 1), failed)

    assert "error" == validated(written(frames))[-1]["type"]


# --- behind a transcript ------------------------------------------------------------------------
def relayed(frames: list[dict[str, Any]], *, at_once: bool = False) -> bytes:
    """What a client of this dialect reads of a stream of chunks."""
    call, writer = a_call(), writing()
    transcript = Transcript(
        BodyReader(chunked=False, length=None), decode_response(call, an_endpoint(), 200), writer, Delivered(),
        event_bytes_max=EVENT_BYTES_MAX,
    )  # fmt: skip
    events = [event(frame) for frame in frames] + [b"data: [DONE]\n\n"]
    buffers: list[Any] = []
    for piece in [b"".join(events)] if at_once else events:
        buffers += transcript.feed(piece)
    assert transcript.failure is None
    return b"".join(bytes(b) for b in buffers) + writer.feed([BILL])


@pytest.mark.parametrize("at_once", [True, False])
def test_spliced_text_goes_into_the_open_block(at_once: bool) -> None:
    words = [f"w{i} " for i in range(30)]
    sent = relayed([*(chunk(w) for w in words), chunk(finish="stop")], at_once=at_once)

    assert [text("".join(words))] == accumulated(sent)["content"]


@pytest.mark.parametrize("at_once", [True, False])
def test_text_behind_a_tool_call_begins_a_block_of_its_own(at_once: bool) -> None:
    call = {"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}}
    frames = [chunk("a"), chunk("b"), chunk(tool_calls=[call]), chunk("c"), chunk("d"), chunk(finish="stop")]  # fmt: skip

    assert [text("ab"), tool("f", {}), text("cd")] == accumulated(relayed(frames, at_once=at_once))["content"]  # fmt: skip


def test_thinking_and_text_in_turns_stay_in_blocks_of_their_own() -> None:
    turns = [f for i in range(20) for f in (chunk(reasoning=f"r{i}"), chunk(f"t{i}"), chunk(f"u{i}"))]  # fmt: skip

    content = accumulated(relayed([*turns, chunk(finish="stop")]))["content"]

    assert [(f"r{i}", f"t{i}u{i}") for i in range(20)] == [
        (a["thinking"], b["text"]) for a, b in zip(content[::2], content[1::2], strict=True)
    ]


@pytest.mark.parametrize("rest", ["1}", ""])
def test_text_between_the_pieces_of_a_call_waits_and_is_said_once(rest: str) -> None:
    pieces = [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": '{"a":' if rest else ""}},
              {"index": 0, "function": {"arguments": rest}}]  # fmt: skip
    first, last = (chunk(tool_calls=[piece]) for piece in pieces)

    content = accumulated(relayed([first, chunk("a"), last, chunk("b"), chunk(finish="stop")]))["content"]  # fmt: skip

    assert [tool("f", {"a": 1} if rest else {}), text("ab")] == content
