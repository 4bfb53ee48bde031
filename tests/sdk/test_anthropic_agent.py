"""A coding agent's day, in the shape in which such agents talk: one conversation, many streamed turns.

System blocks and the last tool mark what to cache, each turn sends back the thinking of the one before
as it came, results of tools stand in user turns, tokens are counted before each turn, and the model is
named bare and with its date.
"""

import json
from typing import Any

import anthropic
import pytest

from tests.fakes.messages_scripts import COUNTED, SIGNATURE
from tests.fakes.scripts import Script, ToolCall
from tests.sdk.messages_meaning import document_of
from tests.sdk.rig import AGENT, SMALL_AGENT, ThreadedRig

EPHEMERAL = {"type": "ephemeral"}
SYSTEM: Any = [
    {"type": "text", "text": "You are a coding agent. " * 40},
    {
        "type": "text",
        "text": "Working directory: /src",
        "cache_control": {**EPHEMERAL, "ttl": "1h"},
    },
]
NAMES = ("Bash", "Edit", "Glob", "Grep", "LS", "Read", "Task", "TodoWrite", "WebFetch", "Write")
TOOLS: Any = [
    {
        "name": name,
        "description": f"The tool {name}.",
        "input_schema": {
            "type": "object",
            "properties": {"path": {"type": "string"}, "limit": {"type": "integer"}},
            "required": ["path"],
            "additionalProperties": False,
        },
        **({"cache_control": EPHEMERAL} if name == NAMES[-1] else {}),
    }
    for name in NAMES
]
TURNS = [
    Script(
        texts=("I'll look at ", "the code."),
        reasoning=("Where does ", "it break?"),
        tool_calls=(
            ToolCall("Read", '{"path":"/src/naïve.py","limit":20}', "toolu_1"),
            ToolCall("Glob", '{"path":"**/*.py"}', "toolu_2"),
        ),
    ),
    Script(
        texts=(),
        reasoning=("A typo.",),
        tool_calls=(ToolCall("Edit", '{"path":"/src/naïve.py"}', "toolu_3"),),
    ),
    *(
        Script(
            texts=(f"Test {number}.",),
            tool_calls=(ToolCall("Bash", '{"path":"make test"}', f"toolu_{number}"),),
        )
        for number in range(4, 12)
    ),
    Script(texts=("Done: ", "生け垣 ", "🌳.")),
]
BETA = {"anthropic-beta": "interleaved-thinking-2025-05-14"}
REMINDER: Any = {"type": "text", "text": "<system-reminder>Be brief.</system-reminder>"}

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def result(block: Any, *, last: bool) -> dict[str, Any]:
    """What a tool answered: text as it is, as blocks, or an error."""
    said: dict[str, Any] = {"type": "tool_result", "tool_use_id": block.id, "content": "ok"}
    match block.name:
        case "Read":
            said["content"] = [{"type": "text", "text": "line 1\nline 2"}]
        case "Edit":
            said |= {"content": "no such line", "is_error": True}
    return {**said, "cache_control": EPHEMERAL} if last else said


def work(client: anthropic.Anthropic, model: str, *, counts: bool) -> list[Any]:
    """Have the whole conversation; returns the final messages of all turns."""
    conversation: list[Any] = [
        {"role": "user", "content": [REMINDER, {"type": "text", "text": "Fix the bug."}]}
    ]
    fixed: Any = {
        "model": model,
        "system": SYSTEM,
        "tools": TOOLS,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "extra_headers": BETA,
    }
    said: list[Any] = []
    counted = 0
    while not said or said[-1].stop_reason == "tool_use":
        if counts:
            tokens = client.messages.count_tokens(**fixed, messages=conversation).input_tokens
            assert tokens > counted or tokens == COUNTED, "ours grows, the replayed one does not"
            counted = tokens
        with client.messages.stream(
            **fixed,
            messages=conversation,
            max_tokens=8000,
            metadata={"user_id": "user_1"},
        ) as reading:
            message = reading.get_final_message()
        said.append(message)
        calls = [block for block in message.content if block.type == "tool_use"]
        answers = [result(block, last=block is calls[-1]) for block in calls]
        content = [_sent_back(block) for block in message.content]
        conversation += [{"role": "assistant", "content": content}, {"role": "user", "content": answers}]  # fmt: skip
    return said


def _sent_back(block: Any) -> dict[str, Any]:
    """A block as it came, without what only the SDK knows."""
    kept = document_of(block)
    return {k: v for k, v in kept.items() if v is not None and k not in {"parsed_output", "caller"}}


def check_said(said: list[Any], *, signed: bool) -> None:
    """Every turn says what its script says."""
    assert len(said) == len(TURNS)
    for script, message in zip(TURNS, said, strict=True):
        blocks = {kind: [b for b in message.content if b.type == kind] for kind in ("text", "thinking", "tool_use")}  # fmt: skip
        assert "".join(b.text for b in blocks["text"]) == "".join(script.texts)
        assert "".join(b.thinking for b in blocks["thinking"]) == "".join(script.reasoning)
        assert {b.signature for b in blocks["thinking"]} <= {SIGNATURE if signed else ""}
        calls = [(b.id, b.name, b.input) for b in blocks["tool_use"]]
        expected = [(c.id, c.name, json.loads(c.arguments)) for c in script.tool_calls]
        assert calls == expected
        assert (message.usage.input_tokens, message.usage.output_tokens) == (11, 7)


def script(rig: ThreadedRig, model: str) -> None:
    rig.inside(lambda: rig.replay.script(model, *TURNS))


def bodies(rig: ThreadedRig, model: str) -> list[Any]:
    heard = rig.inside(lambda: list(rig.replay.served(model)))
    replied = [served for served in heard if not served.path.endswith("/count_tokens")]
    return [json.loads(served.body) for served in replied[-len(TURNS) :]]


def test_a_provider_of_the_same_dialect_gets_every_turn_as_the_agent_wrote_it(
    rig: ThreadedRig, claude: anthropic.Anthropic, claude_direct: anthropic.Anthropic
) -> None:
    script(rig, AGENT)
    work(claude_direct, AGENT, counts=False)
    straight = bodies(rig, AGENT)
    (spoken,) = {dict(one.headers)["anthropic-version"] for one in rig.newest(AGENT, len(TURNS))}
    script(rig, AGENT)

    said = work(claude, AGENT, counts=True)

    check_said(said, signed=True)
    assert {message.model for message in said} == {"anthropic/claude-sonnet-4.5"}
    gateways = bodies(rig, AGENT)
    assert straight == gateways
    # Prompt caches need the very order, of keys too.
    assert [json.dumps(body) for body in straight] == [json.dumps(body) for body in gateways]
    for served in rig.newest(AGENT, 2 * len(TURNS)):  # counts too
        headers = {name.lower(): value for name, value in served.headers}
        assert BETA.items() <= headers.items()
        assert headers["anthropic-version"] == spoken


def test_a_provider_of_the_other_dialect_gets_the_same_conversation(
    rig: ThreadedRig, claude: anthropic.Anthropic
) -> None:
    script(rig, SMALL_AGENT)

    said = work(claude, SMALL_AGENT, counts=True)

    check_said(said, signed=False)
    last = bodies(rig, SMALL_AGENT)[-1]
    assert [tool["function"]["name"] for tool in last["tools"]] == list(NAMES)
    assert last["tools"][0]["function"]["parameters"] == TOOLS[0]["input_schema"]
    assert last["stream"] is True
    assert "cache_control" not in json.dumps(last)
    assert "thinking" not in last
    system, question, *rest = last["messages"]
    assert system["role"] in {"system", "developer"}
    assert "Working directory: /src" in json.dumps(system)
    assert question["role"] == "user"
    assert "Fix the bug." in json.dumps(question)
    check_turns(rest)


def check_turns(messages: list[Any]) -> None:
    """Each call is answered right behind the turn that made it."""
    told = iter(messages)
    for turn in TURNS[:-1]:
        spoken = next(told)
        assert spoken["role"] == "assistant"
        assert (spoken.get("content") or "") == "".join(turn.texts)
        calls = [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in spoken["tool_calls"]]  # fmt: skip
        expected = [(c.id, c.name, json.loads(c.arguments)) for c in turn.tool_calls]
        assert [(id_, name, json.loads(text)) for id_, name, text in calls] == expected
        for call in turn.tool_calls:
            answer = next(told)
            assert (answer["role"], answer["tool_call_id"]) == ("tool", call.id)
            wanted = {"Read": "line 1\nline 2", "Edit": "no such line"}.get(call.name, "ok")
            assert wanted in json.dumps(answer["content"], ensure_ascii=False).replace("\\n", "\n")
    assert not list(told)
