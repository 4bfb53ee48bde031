"""What the sandbox says, how fast, and when it fails: a function of the request and a counter; pure.

Rule 1: it never pretends to be a model: every text says that this is the sandbox.
Rule 2: the same request gets the same answer, to the byte.
Rule 3: usage is a count of words times 4/3, for what comes in and what goes out; not a tokenizer.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Literal

import orjson

from proxy.model.call import Surface
from proxy.model.document import Document, Json, as_count, as_document, as_list
from proxy.sandbox.prompt import Prompt, read_prompt
from proxy.sandbox.specimen import specimen

FinishReason = Literal["stop", "length", "tool_calls"]

OWN_MODEL = "hedgerow/sandbox"
"""Served even beside live providers: it stands in for nothing."""
ECHO_WORDS_MAX = 60
ECHO_CHARACTERS_MAX = 400
PIECE = re.compile(r"\S+\s*")
"""A word with the space behind it: what one streamed chunk carries."""
REASONING = (
    "The sandbox does not think. It was asked to show its reasoning, so this stands in for it."
)
CREATED_BASE = 1_735_689_600
"""1 January 2025; `created` is this plus something made of the request, since the sandbox has no clock."""
CREATED_SPAN_S = 31_536_000
FLAKY_ONE_IN = 3


@dataclass(frozen=True, slots=True)
class Persona:
    """A temper: how long until the first token, how long per word."""

    first_token_s: float
    word_s: float
    flaky: bool = False


PERSONAS: dict[str, Persona] = {
    "fast": Persona(first_token_s=0.020, word_s=0.005),
    "slow": Persona(first_token_s=0.300, word_s=0.030),
    "flaky": Persona(first_token_s=0.100, word_s=0.015, flaky=True),
}
"""By the tag in front of an upstream model name: "slow/openai/gpt-4o-mini"."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call of the answer."""

    id: str
    name: str
    arguments: str
    """JSON text."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole reply, before it is given a wire shape."""

    digest: str
    """SHA-256 of the request, hexadecimal; ids are made of it."""
    model: str
    persona: Persona
    created: int
    text: tuple[str, ...] = ()
    """Pieces of the text; joined, they are the text."""
    reasoning: tuple[str, ...] = ()
    tool: ToolUse | None = None
    finish_reason: FinishReason = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Mishap:
    """A failure instead of an answer."""

    persona: Persona
    status: int
    message: str
    code: str
    in_stream: bool = False
    """True: the reply begins with 200, then fails before any token (streamed requests only)."""
    headers: tuple[tuple[str, str], ...] = field(default_factory=tuple)


def persona_of(upstream_model: str) -> tuple[Persona, str]:
    """The temper and the model id of an upstream name; without a known tag it is fast."""
    tag, slash, model = upstream_model.partition("/")
    if slash and tag in PERSONAS:
        return PERSONAS[tag], model
    return PERSONAS["fast"], upstream_model


def respond(body: bytes, document: Document, surface: Surface, *, count: int) -> Answer | Mishap:
    """Answer one request.

    Args:
        body: as received; the digest is taken of it.
        count: requests answered before this one by this process; only flaky personas look at it.
    """
    name = document.get("model")
    persona, model = persona_of(name if isinstance(name, str) else "")
    digest = hashlib.sha256(body).hexdigest()
    if persona.flaky and (int(digest[:8], 16) + count) % FLAKY_ONE_IN == 0:
        return _mishap(persona, digest, streamed=document.get("stream") is True)
    prompt = read_prompt(document, surface)
    tool = _tool_use(document, prompt, digest)
    text = "" if tool else _text(document, prompt, model)
    reasoning, spoken, cut = _within(
        output_cap(document), REASONING if wants_reasoning(document) else "", text
    )
    reasoning_tokens = count_tokens(len(reasoning))
    arguments = count_tokens(len(PIECE.findall(tool.arguments)) + 1) if tool else 0
    return Answer(
        digest=digest,
        model=model,
        persona=persona,
        created=CREATED_BASE + int(digest[:12], 16) % CREATED_SPAN_S,
        text=spoken,
        reasoning=reasoning,
        tool=tool,
        finish_reason="length" if cut else "tool_calls" if tool else "stop",
        prompt_tokens=count_tokens(prompt.words) + prompt.overhead_tokens,
        completion_tokens=count_tokens(len(reasoning) + len(spoken)) + arguments,
        reasoning_tokens=reasoning_tokens,
    )


def count_tokens(words: int) -> int:
    """Four tokens for three words, rounded down: a usual ratio for English."""
    return words * 4 // 3


def words_within(tokens: int) -> int:
    """The most words that `count_tokens` puts at `tokens` or less."""
    return (tokens * 3 + 2) // 4


def output_cap(document: Document) -> int | None:
    """The client's limit of output tokens."""
    caps = [as_count(document.get(key)) for key in ("max_completion_tokens", "max_tokens")]
    return min((cap for cap in caps if cap > 0), default=None)


def wants_reasoning(document: Document) -> bool:
    """Does the request ask to see reasoning?"""
    asked = document.get("reasoning")
    if isinstance(asked, dict):
        hidden = asked.get("exclude") is True or asked.get("enabled") is False
        return not hidden and asked.get("effort") != "none"
    effort = document.get("reasoning_effort")
    return document.get("include_reasoning") is True or effort not in (None, "none")


def _within(
    cap: int | None, reasoning: str, text: str
) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Reasoning and text cut to `cap` tokens together, as words; True: something was cut."""
    thought, spoken = PIECE.findall(reasoning), PIECE.findall(text)
    room = len(thought) + len(spoken) if cap is None else words_within(cap)
    cut = len(thought) + len(spoken) > room
    return tuple(thought[:room]), tuple(spoken[: max(room - len(thought), 0)]), cut


def _text(document: Document, prompt: Prompt, model: str) -> str:
    wanted = as_document(document.get("response_format"))
    sentence = _introduction(model)
    match wanted.get("type"):
        case "json_schema":
            schema = as_document(wanted.get("json_schema")).get("schema")
            return orjson.dumps(specimen(schema)).decode()
        case "json_object":
            return orjson.dumps({"sandbox": sentence}).decode()
        case _:
            pass
    parts = [sentence]
    if prompt.attachments:
        parts.append(f"You attached {prompt.attachments}; nobody looked at it.")
    if prompt.tool_result:
        parts.append(f"The tool answered: {echo(prompt.tool_result)}")
    elif prompt.last_text:
        parts.append(f"You said: {echo(prompt.last_text)}")
    return " ".join(parts)


def _introduction(model: str) -> str:
    if model == OWN_MODEL:
        return "This is Hedgerow's sandbox; no model was asked."
    return (
        f"This is Hedgerow's sandbox, standing in for {model}: no provider key is set for it, "
        f"so no model was asked."
    )


def echo(text: str) -> str:
    """The beginning of `text`, on one line."""
    words = text[: ECHO_CHARACTERS_MAX + 1].split()
    short = " ".join(words[:ECHO_WORDS_MAX])[:ECHO_CHARACTERS_MAX]
    whole = len(words) <= ECHO_WORDS_MAX and len(text) <= ECHO_CHARACTERS_MAX
    return short if whole else f"{short} …"


def _tool_use(document: Document, prompt: Prompt, digest: str) -> ToolUse | None:
    """The tool that is demanded by `tool_choice`, or named by the last user message."""
    functions = {
        name: function
        for tool in as_list(document.get("tools"))
        if isinstance(
            name := (function := as_document(as_document(tool).get("function"))).get("name"), str
        )
    }
    name = _chosen_tool(document.get("tool_choice"), list(functions), prompt)
    if name is None:
        return None
    arguments = specimen(functions[name].get("parameters"))
    text = orjson.dumps(arguments if isinstance(arguments, dict) else {}).decode()
    return ToolUse(id=f"call_{digest[:24]}", name=name, arguments=text)


def _chosen_tool(choice: Json, names: list[str], prompt: Prompt) -> str | None:
    if not names or choice == "none":
        return None
    if isinstance(choice, dict):
        demanded = as_document(choice.get("function")).get("name")
        return demanded if isinstance(demanded, str) and demanded in names else None
    asked = prompt.last_text.lower() if not prompt.tool_result else ""
    spoken = (name for name in names if name.lower() in asked)
    return next(spoken, names[0] if choice == "required" else None)


def _mishap(persona: Persona, digest: str, *, streamed: bool) -> Mishap:
    """One of three failures, chosen by the request."""
    match int(digest[8:16], 16) % 3:
        case 0:
            return Mishap(persona, 503, "The sandbox is overloaded, on purpose.", "overloaded")
        case 1:
            wait = (("retry-after", "1"),)
            message = "The sandbox limits your rate, on purpose."
            return Mishap(persona, 429, message, "rate_limit_exceeded", headers=wait)
        case _:
            message = "The sandbox failed, on purpose."
            return Mishap(persona, 500, message, "server_error", in_stream=streamed)
