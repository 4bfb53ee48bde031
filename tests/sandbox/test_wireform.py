"""The sandbox's wire shapes."""

from typing import Any

import orjson

from proxy.model.call import Surface
from proxy.sandbox.personas import Answer, Mishap, respond
from proxy.sandbox.wireform import beats, mishap_frame, refusal, whole


def answer_to(surface: Surface = "chat", **body: Any) -> Answer:
    document = {"model": "a/b", **body}
    answer = respond(orjson.dumps(document), document, surface, count=0)
    assert isinstance(answer, Answer)
    return answer


def chunks(answer: Answer, surface: Surface = "chat", *, usage: bool = False) -> list[Any]:
    frames = [beat.frame for beat in beats(answer, surface, include_usage=usage)]
    assert frames.pop() == b"data: [DONE]\n\n"
    return [orjson.loads(frame.removeprefix(b"data: ")) for frame in frames]


def deltas(answer: Answer) -> list[Any]:
    return [chunk["choices"][0]["delta"] for chunk in chunks(answer)]


def test_a_stream_spells_the_same_text_as_a_whole_reply() -> None:
    answer = answer_to(messages=[{"role": "user", "content": "hi"}])
    body = orjson.loads(whole(answer, "chat")[1])

    spelled = "".join(delta.get("content", "") for delta in deltas(answer))

    assert spelled == body["choices"][0]["message"]["content"]
    assert deltas(answer)[0]["role"] == "assistant"
    assert [None, "stop"] == [c["choices"][0]["finish_reason"] for c in chunks(answer)][-2:]


def test_every_chunk_names_itself() -> None:
    answer = answer_to(messages=[])

    for chunk in chunks(answer, usage=True):
        assert chunk["id"] == f"chatcmpl-{answer.digest[:24]}"
        assert chunk["object"] == "chat.completion.chunk"
        assert chunk["model"] == "a/b"


def test_usage_comes_last_and_only_where_asked_for() -> None:
    answer = answer_to(messages=[])

    assert [] == [chunk for chunk in chunks(answer) if "usage" in chunk]
    last = chunks(answer, usage=True)[-1]
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == answer.prompt_tokens + answer.completion_tokens


def test_waits_are_those_of_the_persona() -> None:
    answer = answer_to(messages=[], model="slow/a/b")
    waits = [beat.wait_s for beat in beats(answer, "chat", include_usage=False)]

    assert waits[:3] == [0.3, 0.03, 0.03]
    assert waits[-2:] == [0.0, 0.0]
    assert whole(answer, "chat")[0] == 0.3 + len(answer.text) * 0.03


def test_a_tool_call_is_streamed_in_pieces() -> None:
    schema = {"required": ["text"], "properties": {"text": {"default": "a rather long argument"}}}
    tool = {"type": "function", "function": {"name": "say", "parameters": schema}}
    answer = answer_to(messages=[], tools=[tool], tool_choice="required")

    calls = [d["tool_calls"][0] for d in deltas(answer) if "tool_calls" in d]
    message = orjson.loads(whole(answer, "chat")[1])["choices"][0]["message"]

    assert calls[0]["function"]["name"] == "say"
    assert len(calls) > 2
    assert orjson.loads("".join(c["function"]["arguments"] for c in calls)) == {
        "text": "a rather long argument"
    }
    assert message["content"] is None
    assert message["tool_calls"][0]["id"] == calls[0]["id"]


def test_reasoning_comes_first() -> None:
    answer = answer_to(messages=[], reasoning={"effort": "low"})

    kinds = ["reasoning" if "reasoning" in delta else "content" for delta in deltas(answer)[:-1]]
    assert kinds == sorted(kinds, reverse=True)
    assert orjson.loads(whole(answer, "chat")[1])["choices"][0]["message"]["reasoning"]


def test_a_reply_cut_within_reasoning_still_has_content() -> None:
    answer = answer_to(messages=[], reasoning={"effort": "low"}, max_tokens=1)

    assert deltas(answer)[-2]["content"] == ""
    assert chunks(answer)[-1]["choices"][0]["finish_reason"] == "length"


def test_completions_have_text() -> None:
    answer = answer_to("completions", prompt="Once")
    body = orjson.loads(whole(answer, "completions")[1])
    streamed = chunks(answer, "completions")

    assert body["object"] == streamed[0]["object"] == "text_completion"
    assert body["choices"][0]["text"] == "".join(c["choices"][0]["text"] for c in streamed)


def test_errors_look_like_those_of_a_provider() -> None:
    persona = answer_to().persona
    frame = mishap_frame(Mishap(persona, 500, "no", "server_error", in_stream=True))

    assert orjson.loads(refusal(404, "no", "not_found"))["error"]["type"] == "invalid_request_error"
    assert orjson.loads(frame.removeprefix(b"data: "))["error"]["type"] == "server_error"
