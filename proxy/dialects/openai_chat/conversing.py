"""A client's chat request as a conversation, for encoders of other dialects.

Rule 1: every turn and part names its place in the request ("$.messages[2].content[0]").
Rule 2: nothing is judged here but shape: what a provider can take is its encoder's business.
"""

from proxy.dialects.openai_chat.fields import (
    NAME,
    WITHHELD,
    an_object,
    as_json,
    flag_at,
    list_at,
    object_at,
    refused,
    text_at,
    word_at,
)
from proxy.dialects.openai_chat.parts import mark_last, read_content, read_reasoning
from proxy.model.conversation import (
    AnswerFormat,
    Conversation,
    NativePart,
    NativeTool,
    Part,
    RefusalPart,
    Role,
    TextPart,
    Thinking,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    Turn,
)
from proxy.model.document import Document, Json, as_document

ROLES: dict[str, Role] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant",
    "tool": "user", "function": "user",
}  # fmt: skip

SAID = WITHHELD | frozenset((
    "model", "messages", "prompt", "stream", "tools", "functions", "tool_choice", "function_call",
    "parallel_tool_calls", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k",
    "stop", "reasoning", "reasoning_effort", "user", "service_tier",
))  # fmt: skip
"""Fields that the hub has words for; all others are extras."""

MODES = {"auto": "auto", "none": "none", "required": "required", "any": "required"}


def converse(document: Document) -> Conversation:
    """What a chat request means. Raises: InvalidRequestError with the path of what is wrong."""
    messages = list_at(document, "messages", "$")
    turns = [_turn(message, f"$.messages[{n}]") for n, message in enumerate(messages)]
    if "messages" not in document:
        turns = [_prompt(document.get("prompt"))]
    answer_format = _answer_format(document)
    extras = {key: value for key, value in document.items() if key not in SAID}
    if answer_format is not None or _is_plain(document):
        extras.pop("response_format", None)
    return Conversation(
        turns=turns,
        tools=_tools(document),
        tool_choice=_tool_choice(document),
        parallel_tools=flag_at(document, "parallel_tool_calls", "$"),
        output_tokens_max=_whole(document, "max_completion_tokens", "$")
        or _whole(document, "max_tokens", "$"),
        temperature=_number(document, "temperature"),
        top_p=_number(document, "top_p"),
        top_k=_whole(document, "top_k", "$"),
        stop=_stop(document.get("stop")),
        thinking=_thinking(document),
        answer_format=answer_format,
        user=text_at(document, "user", "$"),
        service_tier=text_at(document, "service_tier", "$"),
        extras=extras,
    )


def _turn(value: Json, path: str) -> Turn:
    message = an_object(value, path)
    said = word_at(message, "role", path)
    if said not in ROLES:
        raise refused(f"{path}.role", f"Unknown role {said[:40]!r}")
    role = ROLES[said]
    cache = object_at(message, "cache_control", path)
    parts = read_content(message.get("content"), f"{path}.content")
    if role == "assistant":
        parts = _assistant(message, parts, path)
    elif said == "tool":
        parts = [ToolResultPart(word_at(message, "tool_call_id", path), parts, path=path)]
    elif said == "function":
        parts = [ToolResultPart(word_at(message, "name", path), parts, path=path)]
    if cache is not None:
        mark_last(parts, cache)
    return Turn(role, parts, text_at(message, "name", path), path)


def _assistant(message: Document, content: list[Part], path: str) -> list[Part]:
    parts = [*read_reasoning(message, path), *content]
    if refusal := text_at(message, "refusal", path):
        parts.append(RefusalPart(refusal, f"{path}.refusal"))
    parts += read_content(list_at(message, "images", path), f"{path}.images")
    if (audio := object_at(message, "audio", path)) is not None:
        parts.append(NativePart(NAME, {"audio": audio}, f"{path}.audio"))
    for n, call in enumerate(list_at(message, "tool_calls", path)):
        where = f"{path}.tool_calls[{n}]"
        parts.append(_tool_call(an_object(call, where), where))
    if (legacy := object_at(message, "function_call", path)) is not None:
        where = f"{path}.function_call"
        name = word_at(legacy, "name", where)
        parts.append(ToolCallPart(name, name, _arguments(legacy, where), path=where))
    return parts


def _tool_call(call: Document, path: str) -> Part:
    if call.get("type", "function") != "function":
        return NativePart(NAME, call, path)
    function = object_at(call, "function", path)
    if function is None:
        raise refused(f"{path}.function", "Missing field")
    return ToolCallPart(
        id=word_at(call, "id", path),
        name=word_at(function, "name", f"{path}.function"),
        arguments=_arguments(function, f"{path}.function"),
        cache=object_at(call, "cache_control", path),
        path=path,
    )


def _arguments(function: Document, path: str) -> str:
    given = function.get("arguments")
    return as_json(given) if isinstance(given, dict) else text_at(function, "arguments", path)


def _prompt(prompt: Json) -> Turn:
    """A legacy prompt as a user's turn; several of them would need several replies."""
    path = "$.prompt"
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt, path = prompt[0], "$.prompt[0]"
    if not isinstance(prompt, str):
        raise refused(path, "This provider takes one prompt, as text")
    return Turn("user", [TextPart(prompt, path=path)], path=path)


def _tools(document: Document) -> list[Tool | NativeTool]:
    tools: list[Tool | NativeTool] = []
    for n, value in enumerate(list_at(document, "tools", "$")):
        path = f"$.tools[{n}]"
        tool = an_object(value, path)
        if tool.get("type", "function") != "function":
            tools.append(NativeTool(NAME, tool, path))
            continue
        function = object_at(tool, "function", path)
        if function is None:
            raise refused(f"{path}.function", "Missing field")
        read = _function(function, f"{path}.function")
        read.cache = object_at(tool, "cache_control", path) or read.cache
        read.path = path
        tools.append(read)
    for n, value in enumerate(list_at(document, "functions", "$")):
        path = f"$.functions[{n}]"
        tools.append(_function(an_object(value, path), path))
    return tools


def _function(function: Document, path: str) -> Tool:
    return Tool(
        name=word_at(function, "name", path),
        description=text_at(function, "description", path),
        schema=object_at(function, "parameters", path) or {},
        strict=flag_at(function, "strict", path),
        cache=object_at(function, "cache_control", path),
        path=path,
    )


def _tool_choice(document: Document) -> ToolChoice | None:
    key = "tool_choice" if document.get("tool_choice") is not None else "function_call"
    choice, path = document.get(key), f"$.{key}"
    if choice is None:
        return None
    kind = choice if isinstance(choice, str) else as_document(choice).get("type", "function")
    match MODES.get(kind) if isinstance(kind, str) else None:
        case "auto" | "none" | "required" as mode:
            return ToolChoice(mode)
        case _:
            pass
    if kind != "function" or not isinstance(choice, dict):
        raise refused(path, "A choice of tools that this provider does not know")
    function = object_at(choice, "function", path)
    if function is None:
        return ToolChoice("tool", word_at(choice, "name", path))
    return ToolChoice("tool", word_at(function, "name", f"{path}.function"))


def _thinking(document: Document) -> Thinking | None:
    reasoning = object_at(document, "reasoning", "$")
    effort = text_at(document, "reasoning_effort", "$")
    shown = flag_at(document, "include_reasoning", "$")
    if reasoning is None and not effort and shown is None:
        return None
    reasoning = reasoning or {}
    return Thinking(
        enabled=flag_at(reasoning, "enabled", "$.reasoning"),
        effort=(text_at(reasoning, "effort", "$.reasoning") or effort) or None,
        budget=_whole(reasoning, "max_tokens", "$.reasoning"),
        exclude=bool(flag_at(reasoning, "exclude", "$.reasoning")) or shown is False,
    )


def _answer_format(document: Document) -> AnswerFormat | None:
    """The shape asked for; None also for shapes that only some hosts know: they stay extras."""
    given = object_at(document, "response_format", "$")
    if given is None:
        return None
    path = "$.response_format"
    kind = word_at(given, "type", path)
    if kind == "json_object":
        return AnswerFormat("json_object")
    if kind != "json_schema":
        return None
    inner = object_at(given, "json_schema", path)
    if inner is None:
        raise refused(f"{path}.json_schema", "Missing field")
    path = f"{path}.json_schema"
    return AnswerFormat(
        "json_schema",
        name=text_at(inner, "name", path) or "answer",
        schema=object_at(inner, "schema", path) or {},
        strict=flag_at(inner, "strict", path),
    )


def _is_plain(document: Document) -> bool:
    return as_document(document.get("response_format")).get("type", "text") == "text"


def _stop(stop: Json) -> list[str]:
    if isinstance(stop, str):
        return [stop]
    if stop is not None and not isinstance(stop, list):
        raise refused("$.stop", "Expected `str | array | null`")
    found = [text for text in stop or () if isinstance(text, str)]
    if len(found) != len(stop or ()):
        raise refused("$.stop", "Expected strings")
    return found


def _number(document: Document, key: str) -> float | None:
    value = document.get(key)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise refused(f"$.{key}", "Expected `float`")


def _whole(document: Document, key: str, path: str) -> int | None:
    value = document.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise refused(f"{path}.{key}", "Expected `int`")
