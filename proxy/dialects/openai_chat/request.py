"""Requests: what is checked, what is ours and taken out, what a provider gets."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated

import msgspec
import orjson

from proxy.dialects.openai_chat.asking import ask
from proxy.dialects.openai_chat.conversing import converse
from proxy.dialects.openai_chat.fields import NAME, OURS, WITHHELD
from proxy.errors import InvalidRequestError
from proxy.model.call import Call, Surface, with_options
from proxy.model.dialect import NO_HEADERS
from proxy.model.document import Document, Json, as_document, as_list
from proxy.model.endpoint import Endpoint

FALLBACKS_MAX = 3
"""Length of `models`, as OpenRouter has it."""

Table = dict[str, object]
Text = str | None
Number = float | None
Whole = Annotated[int, msgspec.Meta(ge=1)] | None


class Turn(msgspec.Struct):
    """One message; what else it holds is the provider's to judge."""

    role: str


class Debug(msgspec.Struct):
    """`debug`."""

    echo_upstream_body: bool = False


class Shape(msgspec.Struct):
    """Known fields and their types; all others pass unseen."""

    model: str
    messages: list[Turn] | msgspec.UnsetType = msgspec.UNSET
    prompt: str | list[object] | msgspec.UnsetType = msgspec.UNSET
    models: list[str] | None = None
    stream: bool | None = None
    max_tokens: Whole = None
    max_completion_tokens: Whole = None
    temperature: Number = None
    top_p: Number = None
    top_k: int | None = None
    min_p: Number = None
    top_a: Number = None
    frequency_penalty: Number = None
    presence_penalty: Number = None
    repetition_penalty: Number = None
    seed: int | None = None
    n: Whole = None
    stop: str | list[str] | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | int | None = None
    top_logprobs: int | None = None
    response_format: Table | None = None
    tools: list[Table] | None = None
    tool_choice: str | Table | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Table | None = None
    reasoning_effort: Text = None
    provider: Table | None = None
    user: Text = None
    session_id: Annotated[str, msgspec.Meta(max_length=256)] | None = None
    prompt_cache_key: Text = None
    debug: Debug | None = None
    stream_options: Table | None = None
    metadata: Table | None = None
    service_tier: Text = None


headers = b""
"""Header lines that every request of this dialect must have."""
paths: Mapping[Surface, str] = {
    "chat": "/chat/completions",
    "completions": "/completions",
    "messages": "/chat/completions",
}
"""Path of a provider behind `base_url`, by what was asked for."""


def decode_request(
    document: Document,
    surface: Surface,
    headers: Mapping[bytes, bytes] = NO_HEADERS,
) -> Call:
    """Read a client's request. Raises: InvalidRequestError with the field's path."""
    shape = checked_shape(document)
    if surface == "chat" and shape.messages is msgspec.UNSET and shape.prompt is msgspec.UNSET:
        raise InvalidRequestError("Missing field - at `$.messages`")
    if surface == "completions" and shape.prompt is msgspec.UNSET:
        raise InvalidRequestError("Missing field - at `$.prompt`")
    if surface == "chat" and shape.messages is msgspec.UNSET:
        surface = "completions"  # the API answers a chat call with `prompt` as a completion
    models = tuple(dict.fromkeys((shape.model, *(shape.models or ()))))
    body, ours = document, NOTHING
    if not WITHHELD.isdisjoint(document):
        body = {key: value for key, value in document.items() if key not in WITHHELD}
        ours = {key: document[key] for key in OURS if key in document}
    return Call(
        dialect=NAME,
        surface=surface,
        body=body,
        models=models,
        stream=bool(shape.stream),
        output_tokens_max=shape.max_completion_tokens or shape.max_tokens,
        converse=partial(converse, document),
        preferences=as_document(document.get("provider")),
        ours=ours,
        echoes=[] if shape.stream and shape.debug and shape.debug.echo_upstream_body else None,
        session=shape.session_id or shape.prompt_cache_key or "",
    )


NOTHING: Document = {}


def checked_shape(document: Document) -> Shape:
    """Check the types of known fields. Raises: InvalidRequestError with the field's path."""
    if "model" not in document and (models := as_list(document.get("models"))):
        document["model"] = models[0]
    try:
        shape = msgspec.convert(document, Shape)
    except msgspec.ValidationError as error:
        raise InvalidRequestError(str(error), metadata={"field": _path(str(error))}) from None
    if len(shape.models or ()) > FALLBACKS_MAX:
        raise InvalidRequestError(f"'models' array must have {FALLBACKS_MAX} items or fewer.")
    effort = as_document(document.get("reasoning")).get("effort")
    if effort is not None and not isinstance(effort, str):
        raise InvalidRequestError("Expected `str | null` - at `$.reasoning.effort`")
    if effort is not None and shape.reasoning_effort not in (None, effort):
        raise InvalidRequestError("reasoning_effort and reasoning.effort differ.")
    return shape


def _path(message: str) -> str:
    """The JSON path that msgspec names at the end of its message; at the top, the missing field."""
    path = message.rpartition("`$")[2] if "`$" in message else message.partition("`")[2]
    return path.rstrip("`").lstrip(".")


def encode_request(call: Call, endpoint: Endpoint) -> bytes:
    """Write the body for a provider, key order kept. Raises: InvalidRequestError."""
    quirks = endpoint.quirks
    said = call.body if call.dialect == NAME else ask(call.converse(), call, endpoint)
    body = {**said, "model": endpoint.upstream_model}
    if not endpoint.withheld.isdisjoint(body):
        body = {name: value for name, value in body.items() if name not in endpoint.withheld}
    if endpoint.tier is not None or "service_tier" in body:
        _set_tier(body, endpoint)
    if call.options:
        body = with_options(call, endpoint.provider.id, body)
    if call.stream:
        body["stream"] = True
        if "no_stream_options" not in quirks:
            body["stream_options"] = {"include_usage": True}
            if "drop_obfuscation" in quirks:
                body["stream_options"] = {"include_usage": True, "include_obfuscation": False}
    if "reasoning" in body and "native_reasoning" not in quirks:
        effort = as_document(body.pop("reasoning")).get("effort")
        if effort is not None:
            body.setdefault("reasoning_effort", effort)
    if "max_completion_tokens" in quirks and "max_tokens" in body:
        limit = body.pop("max_tokens")
        body.setdefault("max_completion_tokens", limit)
    if "max_tokens" in quirks and "max_completion_tokens" in body:
        limit = body.pop("max_completion_tokens")
        body.setdefault("max_tokens", limit)
    try:
        return orjson.dumps(body)
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(*_unencodable(body, str(error))) from None


def _set_tier(body: Document, endpoint: Endpoint) -> None:
    """Ask for the tier that the endpoint's prices are for; another would be billed at others."""
    if endpoint.tier is not None:
        body["service_tier"] = endpoint.tier
    elif body["service_tier"] not in UNPRICED_TIERS:
        del body["service_tier"]


UNPRICED_TIERS = ("auto", "default", None)
"""Service tiers that say nothing about the price."""


def _unencodable(body: Document, reason: str) -> tuple[str]:
    """Say where the value is that JSON encoders refuse; only reached on failure."""
    stack: list[tuple[str, Json, int]] = [("$", body, 0)]
    while stack:
        path, value, depth = stack.pop()
        if depth >= DEPTH_MAX and isinstance(value, dict | list):
            return (f"JSON nests deeper than {DEPTH_MAX} levels - at `{path[:200]}`",)
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            return (f"Integer exceeds 64 bits - at `{path}`",)
        if isinstance(value, dict):
            stack.extend((f"{path}.{key}", item, depth + 1) for key, item in value.items())
        elif isinstance(value, list):
            stack.extend((f"{path}[{i}]", item, depth + 1) for i, item in enumerate(value))
    return (f"The request cannot be encoded as JSON: {reason}.",)


DEPTH_MAX = 254
"""Levels of nesting that orjson encodes."""
