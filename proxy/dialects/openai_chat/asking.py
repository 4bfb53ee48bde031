"""A conversation of another dialect as a chat request for a provider of this one.

Rule 1: order is kept; only results of tools go ahead of what else their turn says, since a call must
be followed by its results. Rule 2: what cannot be said here is refused with the client's own path.
"""

from proxy.dialects.openai_chat.fields import NAME, refused
from proxy.dialects.openai_chat.saying import (
    say,
    say_image,
    say_reasoning,
    say_result,
    say_tool_call,
)
from proxy.model.call import Call
from proxy.model.conversation import (
    AnswerFormat,
    Conversation,
    ImagePart,
    NativePart,
    NativeTool,
    Part,
    ReasoningPart,
    RefusalPart,
    Thinking,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    Turn,
)
from proxy.model.document import Document, Json
from proxy.model.endpoint import Endpoint

TIERS = {"standard_only": "default"}
"""Tiers of service that this dialect has another name for."""
EFFORTS = (("high", 0.8), ("medium", 0.5), ("low", 0.2))
"""Effort for a budget by its share of the reply's cap; the nearest counts. Only the words that all
hosts with efforts know: a client that gave a number shall not be refused for a word of ours."""
OUTPUT_TOKENS_ASSUMED = 32_000
"""Cap of a reply against which a budget is weighed where nobody told one."""


def ask(conversation: Conversation, call: Call, endpoint: Endpoint) -> Document:
    """Write the request. Raises: InvalidRequestError with the path of what cannot be said here."""
    quirks = endpoint.quirks
    cap = conversation.output_tokens_max or call.output_tokens_max
    messages = Messages(
        marks="cache_control" in quirks,
        natively="native_reasoning" in quirks,
        echo="echo_reasoning" in quirks,
    )
    document: Document = {
        "model": endpoint.upstream_model,
        "messages": messages.of(conversation.turns),
        **_tools(conversation, marks="cache_control" in quirks),
    }
    settings: Document = {
        "max_tokens": cap,
        "temperature": conversation.temperature,
        "top_p": conversation.top_p,
        "top_k": conversation.top_k if _is_known("top_k", endpoint) else None,
        "stop": [*conversation.stop] or None,
        "response_format": _answer_format(conversation.answer_format),
        "user": conversation.user or None,
        "service_tier": TIERS.get(conversation.service_tier, conversation.service_tier) or None,
    }
    if conversation.thinking is not None:
        if "native_reasoning" in quirks:
            settings["reasoning"] = _reasoning(conversation.thinking) or None
        else:
            cap = cap or endpoint.output_tokens_max or OUTPUT_TOKENS_ASSUMED
            settings["reasoning_effort"] = _effort(conversation.thinking, cap)
    document.update((key, value) for key, value in settings.items() if value is not None)
    return {**conversation.extras, **document}


def _is_known(parameter: str, endpoint: Endpoint) -> bool:
    return not endpoint.supported_parameters or parameter in endpoint.supported_parameters


class Messages:
    """Turns to messages; how much of caching and thinking the provider takes is fixed."""

    def __init__(self, *, marks: bool, natively: bool, echo: bool) -> None:
        self._marks = marks
        self._natively = natively
        self._echo = echo
        self._carried: list[Part] = []
        """What results of tools held beside text; told after the last of them."""
        self._messages: list[Json] = []

    def of(self, turns: list[Turn]) -> list[Json]:
        """The messages. Raises: InvalidRequestError."""
        for turn in turns:
            if turn.role == "user":
                self._user(turn)
                continue
            self._tell_carried()
            if turn.role == "system":
                self._add(turn, {"content": say(turn.parts, marks=self._marks)})
            else:
                self._add(turn, self._assistant(turn))
        self._tell_carried()
        return self._messages

    def _add(self, turn: Turn, said: Document) -> None:
        named: Document = {"name": turn.name} if turn.name else {}
        self._messages.append({"role": turn.role, **named, **said})

    def _tell_carried(self) -> None:
        if self._carried:
            content = say(self._carried, marks=self._marks)
            self._messages.append({"role": "user", "content": content})
            self._carried = []

    def _user(self, turn: Turn) -> None:
        said: list[Part] = []
        results = False
        for part in turn.parts:
            if isinstance(part, ToolResultPart):
                results = True
                message, others = say_result(part, marks=self._marks)
                self._messages.append(message)
                self._carried += others
            else:
                said.append(part)
        if said or not results:
            said, self._carried = [*self._carried, *said], []
            self._add(turn, {"content": say(said, marks=self._marks)})

    def _assistant(self, turn: Turn) -> Document:
        spoken: list[Part] = []
        thoughts: list[ReasoningPart] = []
        calls: list[Json] = []
        images: list[Json] = []
        refusal = ""
        audio: Document = {}
        for part in turn.parts:
            match part:
                case ReasoningPart():
                    thoughts.append(part)
                case ToolCallPart():
                    calls.append(say_tool_call(part))
                case RefusalPart(text=text):
                    refusal += text
                case ImagePart():
                    images.append(say_image(part))
                case NativePart(dialect=dialect, document=document) if dialect == NAME:
                    _take_native(document, calls, audio, spoken, part)
                case _:
                    spoken.append(part)
        said: Document = {}
        if spoken or not (calls or refusal or audio):
            said["content"] = say(spoken, marks=self._marks)
        else:
            said["content"] = None
        said |= say_reasoning(thoughts, natively=self._natively, echo=self._echo)
        if refusal:
            said["refusal"] = refusal
        if images:
            said["images"] = images
        said |= audio
        if calls:
            said["tool_calls"] = calls
        return said


def _take_native(
    document: Document, calls: list[Json], audio: Document, spoken: list[Part], part: Part
) -> None:
    """Put a part of our own back where it was."""
    if "audio" in document and "type" not in document:
        audio.update(document)
    elif "id" in document:
        calls.append(document)
    else:
        spoken.append(part)


def _tools(conversation: Conversation, *, marks: bool) -> Document:
    """Fields about tools; choices are left out where there is nothing to choose, as hosts ask."""
    if not conversation.tools:
        return {}
    said: Document = {"tools": [_tool(tool, marks=marks) for tool in conversation.tools]}
    if conversation.tool_choice is not None:
        said["tool_choice"] = _tool_choice(conversation.tool_choice)
    if conversation.parallel_tools is not None:
        said["parallel_tool_calls"] = conversation.parallel_tools
    return said


def _tool(tool: Tool | NativeTool, *, marks: bool) -> Document:
    if isinstance(tool, NativeTool):
        if tool.dialect != NAME:
            raise refused(tool.path, "The provider's API has no such tool")
        return tool.document
    function: Document = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.schema or {"type": "object", "properties": {}}
    if tool.strict is not None:
        function["strict"] = tool.strict
    said: Document = {"type": "function", "function": function}
    if marks and tool.cache is not None:
        said["cache_control"] = tool.cache
    return said


def _tool_choice(choice: ToolChoice) -> Json:
    if choice.mode == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode


def _answer_format(wanted: AnswerFormat | None) -> Document | None:
    if wanted is None:
        return None
    if wanted.kind == "json_object":
        return {"type": "json_object"}
    inner: Document = {"name": wanted.name, "schema": wanted.schema}
    if wanted.strict is not None:
        inner["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": inner}


def _reasoning(thinking: Thinking) -> Document:
    """The object `reasoning`; a budget says more than an effort, and both at once are refused."""
    said: Document = {}
    if thinking.budget is not None:
        said["max_tokens"] = thinking.budget
    elif thinking.effort is not None:
        said["effort"] = thinking.effort
    if thinking.enabled is not None:
        said["enabled"] = thinking.enabled
    if thinking.exclude:
        said["exclude"] = True
    return said


def _effort(thinking: Thinking, cap: int) -> str | None:
    """A word for how much to think; None where the provider's own default is to count.

    That thinking is off is not said: most hosts refuse the word for it, and their models do not
    think unasked.
    """
    if thinking.effort is not None:
        return thinking.effort
    if thinking.enabled is False:
        return None
    if thinking.budget is not None:
        share = thinking.budget / cap
        return min(EFFORTS, key=lambda effort: abs(effort[1] - share))[0]
    return "medium" if thinking.enabled else None
