"""Requests written: what a provider gets, from a body of the same dialect or from a conversation.

Rule 1: a body of the same dialect is sent on as it is: caches depend on every byte of its prefix.
Rule 2: where the API forbids two things together, thinking goes first, then the format, then the rest.
"""

import re
from collections.abc import Iterator

import orjson

from proxy.dialects.anthropic_messages.conversing import unmarked
from proxy.dialects.anthropic_messages.names import NAME, SEAL
from proxy.dialects.anthropic_messages.turning import refuse, write_turns
from proxy.errors import InvalidRequestError
from proxy.model.call import Call, with_options
from proxy.model.conversation import AnswerFormat, Conversation, NativeTool, Thinking, Tool
from proxy.model.document import Document, Json, as_document, as_list
from proxy.model.endpoint import Endpoint

OUTPUT_TOKENS = 4096
"""Asked for where neither the client nor the catalogue says more; every model can."""
BUDGET_MIN = 1024
CACHE_MARKS_MAX = 4
USER_CHARACTERS_MAX = 256
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")

SHARES = {
    "minimal": 0.1, "low": 0.2, "medium": 0.5, "high": 0.8, "xhigh": 0.95, "max": 0.95,
}  # fmt: skip
"""Which part of the output an effort may think, as OpenRouter has it."""
EFFORTS = {"minimal": "low"}
"""Efforts that have another name here."""
EFFORT = "medium"
"""Where thinking is asked for and nothing else is said."""
TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
CHOICES = {"auto": "auto", "none": "none", "required": "any", "tool": "tool"}
JSON_ONLY = "Answer with one valid JSON object and nothing else."

UNKNOWN_RULES = frozenset((
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
    "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
    "not",
))  # fmt: skip
"""Rules of JSON schema that a format may not have; the answer is checked by the client anyway."""
FORMATS = frozenset((
    "date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid",
))  # fmt: skip


FAST = "fast"
"""What this dialect calls the service tier "priority"."""


def encode_request(call: Call, endpoint: Endpoint) -> bytes:
    """Write the body for a provider. Raises: InvalidRequestError with the path."""
    if call.dialect == NAME:
        body = {**call.body, "model": endpoint.upstream_model}
        body["messages"] = verifiable(as_list(body.get("messages")))
        if call.surface == "count_tokens":  # which refuses what only a reply needs
            body.pop("max_tokens", None)
            body.pop("stream", None)
    else:
        body = write_body(call, endpoint, call.converse())
    if endpoint.tier == "priority":
        body["speed"] = FAST
    else:
        body.pop("speed", None)  # it would be billed at a price that is not this endpoint's
    if call.options:
        body = with_options(call, endpoint.provider.id, body)
    try:
        return orjson.dumps(body)
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(f"The request cannot be encoded as JSON: {error}.") from None


def verifiable(messages: list[Json]) -> list[Json]:
    """The messages without thinking that a model behind another API signed: this one would refuse it.

    Such seals name who can verify them (`blocks.marked`). Unsigned thinking
    is of the same kind. The same list where there is none.
    """
    if not any(map(_has_foreign_seal, messages)):
        return messages
    kept: list[Json] = []
    for message in messages:
        turn = as_document(message)
        blocks = [block for block in as_list(turn.get("content")) if not _is_foreign(block)]
        if not _has_foreign_seal(message):
            kept.append(message)
        elif blocks:  # a turn of nothing but such thinking says nothing here
            kept.append({**turn, "content": blocks})
    return kept


def _has_foreign_seal(message: Json) -> bool:
    return any(map(_is_foreign, as_list(as_document(message).get("content"))))


def _is_foreign(value: Json) -> bool:
    block = as_document(value)
    if block.get("type") not in {"thinking", "redacted_thinking"}:
        return False
    seal = block.get("signature") or block.get("data")
    return not isinstance(seal, str) or not seal or unmarked(seal)[0] != SEAL


def write_body(call: Call, endpoint: Endpoint, said: Conversation) -> Document:
    """The request that means what was said in another dialect."""
    system, messages = write_turns(said.turns)
    tokens = call.output_tokens_max or said.output_tokens_max
    body: Document = {
        "model": endpoint.upstream_model,
        "max_tokens": _within(tokens or endpoint.output_tokens_max or OUTPUT_TOKENS, endpoint),
    }
    if call.stream:
        body["stream"] = True
    if said.tools:
        body["tools"] = [_tool(tool) for tool in said.tools]
        _choose(body, said)
    if said.answer_format is not None:
        _shape_answer(body, system, said.answer_format)
    if system:
        body["system"] = system
    body["messages"] = [*messages]
    if said.thinking is not None:
        _think(body, said.thinking, endpoint, capped=tokens is not None)
    _sample(body, said, endpoint)
    if stop := [word for word in said.stop if word.strip()]:
        body["stop_sequences"] = [*stop]
    if 0 < len(said.user) <= USER_CHARACTERS_MAX:
        body["metadata"] = {"user_id": said.user}
    if said.service_tier in TIERS:
        body["service_tier"] = TIERS[said.service_tier]
    for block in [*_marked_blocks(body)][:-CACHE_MARKS_MAX]:
        del block["cache_control"]
    return body


def _within(tokens: int, endpoint: Endpoint) -> int:
    return min(tokens, endpoint.output_tokens_max or tokens)


def _tool(tool: Tool | NativeTool) -> Document:
    if isinstance(tool, NativeTool):
        if tool.dialect != NAME:
            raise refuse("This tool is known to another API only", tool.path)
        return {**tool.document}
    if not TOOL_NAME.fullmatch(tool.name):
        raise refuse("A tool's name is 1 to 128 of a-z, A-Z, 0-9, _ and -", tool.path)
    schema: Document = {**tool.schema}
    if schema.setdefault("type", "object") != "object":
        raise refuse("The arguments of a tool must be an object", tool.path)
    written: Document = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    if tool.strict:
        written["strict"] = True
        schema = plainer(schema)
    written["input_schema"] = schema
    if tool.cache is not None:
        written["cache_control"] = tool.cache
    return written


def _choose(body: Document, said: Conversation) -> None:
    choice: Document = {}
    if said.tool_choice is not None:
        choice["type"] = CHOICES[said.tool_choice.mode]
        if said.tool_choice.mode == "tool":
            choice["name"] = said.tool_choice.name
    if said.parallel_tools is False and choice.get("type") != "none":
        choice.setdefault("type", "auto")
        choice["disable_parallel_tool_use"] = True
    if choice:
        body["tool_choice"] = choice


def _shape_answer(body: Document, system: list[Json], shape: AnswerFormat) -> None:
    if shape.kind == "json_object":  # has no equal here
        system.append({"type": "text", "text": JSON_ONLY})
        return
    form: Document = {"type": "json_schema", "schema": plainer(shape.schema)}
    body["output_config"] = {"format": form}


def plainer(schema: Document) -> Document:
    """A JSON schema without the rules that this API refuses, its objects closed."""
    plain: Document = {}
    for key, value in schema.items():
        if key in UNKNOWN_RULES or (key == "format" and value not in FORMATS):
            continue
        match key, value:
            case "properties" | "$defs" | "definitions", dict():
                plain[key] = {name: _plainer(inner) for name, inner in value.items()}
            case "enum" | "const" | "default" | "examples" | "required", _:
                plain[key] = value
            case "oneOf", _:
                plain["anyOf"] = _plainer(value)
            case _:
                plain[key] = _plainer(value)
    kind = schema.get("type")
    if kind == "object" or "object" in as_list(kind) or "properties" in schema:
        plain["additionalProperties"] = False
    return plain


def _plainer(value: Json) -> Json:
    if isinstance(value, dict):
        return plainer(value)
    return [_plainer(inner) for inner in value] if isinstance(value, list) else value


def _think(body: Document, wish: Thinking, endpoint: Endpoint, *, capped: bool) -> None:
    """Add `thinking`, with the room that it needs.

    Args:
        capped: `max_tokens` is the client's word, which its money was held for: no more is asked for.
    """
    if wish.enabled is False or wish.effort == "none":
        body["thinking"] = {"type": "disabled"}
        return
    if not (wish.enabled or wish.effort or wish.budget):
        return
    if "adaptive_thinking" in endpoint.quirks:
        _adapt(body, wish)
    elif not _set_budget(body, wish, endpoint, capped=capped):
        return
    if as_document(body.get("tool_choice")).get("type") in {"any", "tool"}:
        body["tool_choice"] = {**as_document(body["tool_choice"]), "type": "auto"}
        as_document(body["tool_choice"]).pop("name", None)


def _adapt(body: Document, wish: Thinking) -> None:
    """For models that decide by themselves how long they think."""
    display = "omitted" if wish.exclude else "summarized"
    body["thinking"] = {"type": "adaptive", "display": display}
    effort = wish.effort
    if effort is None and wish.budget is not None:
        tokens = body["max_tokens"]
        assert isinstance(tokens, int)
        fitting = (name for name in ("low", "medium") if wish.budget <= SHARES[name] * tokens)
        effort = next(fitting, "high")
    if effort is not None:
        known = as_document(body.get("output_config"))
        body["output_config"] = {**known, "effort": EFFORTS.get(effort, effort)}


def _set_budget(body: Document, wish: Thinking, endpoint: Endpoint, *, capped: bool) -> bool:
    """Give tokens to think, and some to answer; False: there is no room for both."""
    tokens = body["max_tokens"]
    assert isinstance(tokens, int)
    share = SHARES.get(wish.effort or EFFORT, SHARES[EFFORT])
    budget = max(wish.budget or int(tokens * share), BUDGET_MIN)
    if budget >= tokens:
        if not capped:
            tokens = _within(budget + tokens, endpoint)
        budget = min(budget, tokens - 1)
    if budget < BUDGET_MIN or _began_without_thought(body):
        return False
    body["max_tokens"] = tokens
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}
    return True


def _began_without_thought(body: Document) -> bool:
    """Is a turn to be gone on with that began without thinking? The API wants it at the beginning."""
    messages = as_list(body["messages"])
    if as_document(messages[-1]).get("role") == "assistant":
        return True
    if _first_kind(messages[-1]) != "tool_result":
        return False
    return _first_kind(messages[-2]) not in {"thinking", "redacted_thinking"}


def _first_kind(message: Json) -> Json:
    (first, *_) = as_list(as_document(message).get("content"))
    return as_document(first).get("type")


def _sample(body: Document, said: Conversation, endpoint: Endpoint) -> None:
    """Add what shapes the draw of tokens: nothing beside thinking, and one of two that exclude."""
    if as_document(body.get("thinking")).get("type") in {"enabled", "adaptive"}:
        return
    wishes: Document = {}
    if said.temperature is not None:
        wishes["temperature"] = min(max(said.temperature, 0.0), 1.0)
    elif said.top_p is not None:
        wishes["top_p"] = min(max(said.top_p, 0.0), 1.0)
    if said.top_k is not None and said.top_k > 0:
        wishes["top_k"] = said.top_k
    known = endpoint.supported_parameters or tuple(wishes)  # none listed: nothing is known
    body.update({name: value for name, value in wishes.items() if name in known})


def _marked_blocks(body: Document) -> Iterator[Document]:
    """Blocks that end a prefix to cache, in the order in which the API reads them."""
    for name in ("tools", "system", "messages"):
        yield from _marked_within(body.get(name))


def _marked_within(value: Json) -> Iterator[Document]:
    for entry in map(as_document, as_list(value)):
        yield from _marked_within(entry.get("content"))
        if "cache_control" in entry:
            yield entry
