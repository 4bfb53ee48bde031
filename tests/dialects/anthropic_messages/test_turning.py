"""Turns of a conversation as messages: one table of what is written, one of what is refused."""

import base64
from typing import Any

import pytest

from proxy.dialects.anthropic_messages.names import NAME, SEAL
from proxy.dialects.anthropic_messages.turning import OPENING, UNANSWERED, fit_id, write_turns
from proxy.errors import InvalidRequestError
from proxy.model.conversation import (
    AudioPart,
    FilePart,
    ImagePart,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Turn,
)

PNG = {"type": "base64", "media_type": "image/png", "data": "aWk="}
MARK: dict[str, Any] = {"type": "ephemeral"}
HOUR: dict[str, Any] = {"type": "ephemeral", "ttl": "1h"}


def say(role: Role, *parts: Part | str) -> Turn:
    return Turn(role, [TextPart(p) if isinstance(p, str) else p for p in parts])


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": [text(b) if isinstance(b, str) else b for b in blocks]}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {**user(*blocks), "role": "assistant"}


def use(name: str, **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": name, "name": "f", "input": given}


def result(name: str, *blocks: str, **more: Any) -> dict[str, Any]:
    content = {"content": [text(b) for b in blocks]} if blocks else {}
    return {"type": "tool_result", "tool_use_id": name, **content, **more}


def call(name: str, arguments: str = "{}", **more: Any) -> ToolCallPart:
    return ToolCallPart(name, "f", arguments, **more)


def answer(name: str, *texts: str, **more: Any) -> ToolResultPart:
    return ToolResultPart(name, [TextPart(t) for t in texts], **more)


LOST = {"type": "tool_result", "tool_use_id": "b", "content": UNANSWERED, "is_error": True}
HI = say("user", "hi")
CASES: dict[str, tuple[list[Turn], list[Any], list[Any]]] = {
    # turns, system, messages
    "one turn": ([HI], [], [user("hi")]),
    "system first": ([say("system", "s", " "), say("system", "t"), HI], [text("s"), text("t")], [user("hi")]),
    "system later": (
        [HI, say("assistant", "a"), say("system", "s"), say("user", "b")],
        [],
        [user("hi"), assistant("a"), user("<system>s</system>", "b")],
    ),
    "system last": ([HI, say("assistant", "a"), say("system", "s", " ")], [],
                    [user("hi"), assistant("a"), user("<system>s</system>")]),
    "system alone": ([say("system", "s")], [text("s")], [user(OPENING)]),
    "assistant first": ([say("assistant", "a"), HI], [], [user(OPENING), assistant("a"), user("hi")]),
    "one role twice": ([HI, say("user", "b"), say("assistant", "a"), say("assistant", "c"), HI], [],
                       [user("hi", "b"), assistant("a", "c"), user("hi")]),
    "an answer to go on with": ([HI, say("assistant", "a", "b \n")], [], [user("hi"), assistant("a", "b")]),
    "an answer to go on with that ends in no text": (
        [HI, say("assistant", NativePart(NAME, {"type": "x"}))],
        [],
        [user("hi"), assistant({"type": "x"})],
    ),
    "a refusal": ([HI, say("assistant", RefusalPart("no"), RefusalPart(" ")), HI], [],
                  [user("hi"), assistant("no"), user("hi")]),
    "an empty turn between two": ([HI, say("assistant", ""), say("user", "b")], [], [user("hi", "b")]),
    "a mark": ([say("user", TextPart("hi", MARK), TextPart("", MARK))], [], [user(text("hi", cache_control=MARK))]),
    "native": ([say("user", NativePart(NAME, {"type": "x"}))], [], [user({"type": "x"})]),
    "images": (
        [say("user", ImagePart("image/png", "aWk=", cache=MARK), ImagePart(url="https://a.test/i"),
             ImagePart("image/JPG", "aWk="))],
        [],
        [user({"type": "image", "source": PNG, "cache_control": MARK},
              {"type": "image", "source": {"type": "url", "url": "https://a.test/i"}},
              {"type": "image", "source": {**PNG, "media_type": "image/jpeg"}})],
    ),
    "documents": (
        [say("user", FilePart("application/pdf", "JVBERg==", name="a.pdf", cache=HOUR),
             FilePart(url="https://a.test/d"), FilePart(text="words"), FilePart(text=" "),
             FilePart("text/csv", base64.b64encode("ä,b".encode()).decode()), FilePart("image/png", "aWk="))],
        [],
        [user(
            {"type": "document", "title": "a.pdf", "cache_control": HOUR,
             "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}},
            {"type": "document", "source": {"type": "url", "url": "https://a.test/d"}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "ä,b"}},
            {"type": "image", "source": PNG},
        )],
    ),
    "thinking": (
        [HI, say("assistant", ReasoningPart("hm", "sig", format=SEAL), ReasoningPart(encrypted="xyz"),
                 ReasoningPart("unsigned"), ReasoningPart("of another", "sig", format="openai-v1"), "a"), HI],
        [],
        [user("hi"), assistant({"type": "thinking", "thinking": "hm", "signature": "sig"},
                               {"type": "redacted_thinking", "data": "xyz"}, "a"), user("hi")],
    ),
    "a call and its result": (
        [HI, say("assistant", "a", call("a", '{"x": 1, "b": [2]}', cache=MARK)),
         say("user", answer("a", "r", cache=MARK))],
        [],
        [user("hi"), assistant("a", {**use("a", x=1, b=[2]), "cache_control": MARK}),
         user(result("a", "r", cache_control=MARK))],
    ),
    "a call without arguments": ([HI, say("assistant", call("a", " ")), say("user", answer("a"))], [],
                                 [user("hi"), assistant(use("a")), user(result("a"))]),
    "an error, and one without words": (
        [HI, say("assistant", call("a"), call("b")), say("user", answer("a", "e", is_error=True), answer("b", is_error=True))],
        [],
        [user("hi"), assistant(use("a"), use("b")), user(result("a", "e", is_error=True), LOST | {"is_error": True})],
    ),
    "results in turns of their own, behind a text": (
        [HI, say("assistant", call("a"), call("b")), say("system", "s"), say("user", "t", answer("b", "2")), say("user", answer("a", "1"))],
        [],
        [user("hi"), assistant(use("a"), use("b")), user(result("b", "2"), result("a", "1"), "<system>s</system>", "t")],
    ),
    "a result that is missing": (
        [HI, say("assistant", call("a"), call("b")), say("user", answer("a", "1"), "go on")],
        [],
        [user("hi"), assistant(use("a"), use("b")), user(result("a", "1"), LOST, "go on")],
    ),
    "all results missing at the end": ([HI, say("assistant", call("b"))], [], [user("hi"), assistant(use("b")), user(LOST)]),
    "an id used twice": (
        [HI, *[say("assistant", call("b")), say("user", answer("b", "1"))] * 2], [],
        [user("hi"), *[assistant(use("b")), user(result("b", "1"))] * 2],
    ),
    "an id in letters that are not taken": (
        [HI, say("assistant", call("functions.f:0")), say("user", answer("functions.f:0", "1"))], [],
        [user("hi"), assistant(use("functions_f_0")), user(result("functions_f_0", "1"))],
    ),
    "an image as a result": (
        [HI, say("assistant", call("a")), say("user", ToolResultPart("a", [ImagePart("image/png", "aWk=")]))], [],
        [user("hi"), assistant(use("a")), user(result("a") | {"content": [{"type": "image", "source": PNG}]})],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_turns_are_written(name: str) -> None:
    turns, system, messages = CASES[name]

    assert (system, messages) == write_turns(turns)


P = "$.messages[3].content[0]"
CALLED = [HI, say("assistant", call("a"))]
REFUSED: dict[str, list[Turn]] = {
    "audio": [say("user", AudioPart("aWk=", "mp3", P))],
    "another image": [say("user", ImagePart("image/tiff", "aWk=", path=P))],
    "an image of no known type": [say("user", ImagePart(data="aWk=", path=P))],
    "an image that is nowhere": [say("user", ImagePart("image/png", path=P))],
    "an image on a disk": [say("user", ImagePart(url="file:///etc/passwd", path=P))],
    "another file": [say("user", FilePart("application/zip", "aWk=", path=P))],
    "text by URL": [say("user", FilePart("text/plain", url="https://a.test", path=P))],
    "a file by its id": [say("user", FilePart(file_id="file-1", path=P))],
    "text that is none": [say("user", FilePart("text/plain", "/w==", path=P))],
    "text that is no base64": [say("user", FilePart("text/plain", "aGk=!", path=P))],
    "a part of another API": [say("user", NativePart("other", {}, P))],
    "an image by the system": [say("system", ImagePart("image/png", "aWk=", path=P))],
    "an image by the system later": [HI, say("system", ImagePart("image/png", "aWk=", path=P))],
    "a call by the user": [say("user", call("a", path=P))],
    "thinking by the user": [say("user", ReasoningPart("hm", "s", path=P))],
    "a result by the assistant": [HI, say("assistant", answer("a", path=P))],
    "arguments that are no JSON": [HI, say("assistant", call("a", "{", path=P))],
    "arguments that are no object": [HI, say("assistant", call("a", '"{}"', path=P))],
    "a result without a call": [say("user", answer("a", path=P))],
    "a result of another call": [*CALLED, say("user", answer("b", path=P))],
    "a second result": [*CALLED, say("user", answer("a"), answer("a", path=P))],
    "a result that comes late": [
        *CALLED,
        HI,
        say("assistant", "x"),
        say("user", answer("a", path=P)),
    ],
    "audio as a result": [*CALLED, say("user", ToolResultPart("a", [AudioPart("", "mp3", P)]))],
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_said_is_refused_by_its_path(name: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        write_turns(REFUSED[name])

    assert caught.value.message.endswith(f" - at `{P}`")
    assert caught.value.metadata == {"field": P}


@pytest.mark.parametrize(
    ("bug", "name"),
    [(10, "a call and its result"), (15, "an empty turn between two"),
     (16, "results in turns of their own, behind a text"), (17, "a result that is missing"),
     (18, "an id used twice"), (19, "thinking")],
)  # fmt: skip
def test_bugs_of_other_gateways_have_a_case(bug: int, name: str) -> None:
    """10: marks lost; 15: empty texts; 16: parallel results apart; 17: a call without its result;
    18: results of different calls merged; 19: unsigned thinking sent back."""
    turns, _, messages = CASES[name]

    assert messages == write_turns(turns)[1], bug


def test_no_document_of_the_client_is_written_to() -> None:
    document: dict[str, Any] = {"type": "text", "text": "a "}
    _, messages = write_turns([HI, say("assistant", NativePart(NAME, document))])

    assert messages[-1] == assistant("a")
    assert document == {"type": "text", "text": "a "}


def test_an_id_is_never_empty() -> None:
    assert [fit_id("a-B_9"), fit_id("a.b"), fit_id("")] == ["a-B_9", "a_b", "_"]
