"""Replies written: events to chunks, or to one body, as OpenAI's SDKs and OpenRouter's users expect.

A frame of the same dialect is re-emitted with what must change: id, created, model, provider, finish
reasons, usage; everything else, known or not, stays as it came.
"""

from types import NoneType

import orjson

from proxy.dialects.openai_chat.composing import Deltas, messages
from proxy.dialects.openai_chat.fields import NAME
from proxy.dialects.openai_chat.reading import REASONS
from proxy.errors import UpstreamUnavailableError
from proxy.model.call import Call
from proxy.model.document import Document, Json, as_document, as_list
from proxy.model.endpoint import Endpoint
from proxy.model.envelope import error_document, error_object
from proxy.model.event import (
    Charged,
    Echoed,
    Ended,
    Event,
    Failed,
    Finished,
    Native,
)
from proxy.units import to_usd

DONE = b"data: [DONE]\n\n"
THOUGHTS = frozenset(("reasoning_content", "thinking"))
"""Some hosts' names for `reasoning`."""
DROPPED = ("obfuscation", "x_groq")
"""Padding, and one host's second copy of the usage."""


class Writing:
    """Encoder of one reply."""

    def __init__(self, call: Call, endpoint: Endpoint) -> None:
        chat = call.surface == "chat"
        self._chat = chat
        self._stream = call.stream
        self._part = "delta" if call.stream else "message"
        self._object = (
            "text_completion"
            if not chat
            else ("chat.completion.chunk" if call.stream else "chat.completion")
        )
        self._head: Document = {
            "id": call.generation_id,
            "object": self._object,
            "created": call.created,
            "model": endpoint.model,
            "provider": endpoint.provider.name,
        }
        self._finish: dict[int, tuple[str, str]] = {}
        self._whole: Document | None = None
        """The provider's own message, amended; None: it speaks another dialect."""
        self._told: list[Event] = []
        """What such a provider said; put together when all of it is there."""
        self._deltas = Deltas()

    def feed(self, events: list[Event]) -> bytes:
        """Encode the events of one frame; a body that is not streamed is complete at `Charged`."""
        if not events:
            return b""
        for event in events:
            if type(event) is Finished:
                self._finish[event.choice] = (event.reason, event.native)
        first = events[0]
        if isinstance(first, Native) and first.dialect == NAME:  # as nearly always
            amended = self._amend(first.document)
        else:
            match first:
                case Failed(error=error):
                    return self._failure(error_object(error))
                case Charged():
                    return self._bill(first) + (DONE if self._stream else b"")
                case Ended():
                    return b""
                case Echoed(body=body):
                    debug: Document = {"debug": {"echo_upstream_body": body}}
                    return b"data: %b\n\n" % encode({**self._head, "choices": [], **debug})
                case _ if not self._stream:
                    self._told += events
                    return b""
                case _:
                    amended = self._compose(events)
        if not self._stream:
            self._whole = amended or {}
            return b""
        return b"data: %b\n\n" % encode(amended) if amended is not None else b""

    def _amend(self, document: Document) -> Document | None:
        """The provider's own document with what must change; None: nothing is left to say."""
        choices = as_list(document.get("choices"))
        if self._stream and not choices and "usage" in document:
            return None
        amended: Document = {**document, **self._head}
        amended.pop("usage", None)
        for name in DROPPED:
            amended.pop(name, None)
        if not self._stream:
            amended.setdefault("system_fingerprint", None)
        for choice in choices:
            if isinstance(choice, dict):
                self._amend_choice(choice)
        return amended

    def _amend_choice(self, choice: Document) -> None:
        native = choice.get("finish_reason") or None
        index = choice.get("index")
        if not isinstance(index, int):
            choice["index"] = index = 0
        reason: Json = None
        if isinstance(native, str):
            reason = (
                self._finish[index][0] if index in self._finish else REASONS.get(native, "stop")
            )
        elif not self._stream and index in self._finish:
            reason = self._finish[index][0]
        choice["finish_reason"] = reason
        choice["native_finish_reason"] = native
        if self._chat:
            part = choice.get(self._part)
            if not isinstance(part, dict):
                choice[self._part] = part = {}
            if not THOUGHTS.isdisjoint(part):
                for name in ("reasoning_content", "thinking"):
                    if "reasoning" not in part and isinstance(part.get(name, 0), str | NoneType):
                        part["reasoning"] = part[name]

    def _compose(self, events: list[Event]) -> Document | None:
        """A chunk from events of another dialect; None: they say nothing here."""
        deltas = self._deltas.of(events)
        if not deltas:
            return None
        finish: dict[int, Finished] = {e.choice: e for e in events if isinstance(e, Finished)}
        choices: list[Json] = []
        for index, delta in deltas.items():
            end = finish.get(index)
            ending = (end.reason, end.native) if end is not None else (None, None)
            choices.append(self._choice(index, delta, ending))
        return {**self._head, "choices": choices}

    def _compose_whole(self) -> Document:
        """A message from all events of a reply in another dialect."""
        told = messages(self._told)
        choices: list[Json] = []
        for index in sorted({*told, *self._finish} or {0}):
            message = told.get(index, {"role": "assistant", "content": None})
            choices.append(self._choice(index, message, self._finish.get(index, (None, None))))
        return {**self._head, "system_fingerprint": None, "choices": choices}

    def _choice(
        self, index: int, part: Document, ending: tuple[str, str] | tuple[None, None]
    ) -> Document:
        said: Document = {self._part: part}
        if not self._chat:
            said = {"text": part.get("content") or ""}
        return {
            "index": index,
            **said,
            "finish_reason": ending[0],
            "native_finish_reason": ending[1],
            "logprobs": None,
        }

    def _bill(self, bill: Charged) -> bytes:
        counted: Document = {"usage": usage_document(bill)}
        if bill.routing is not None:
            counted["openrouter_metadata"] = bill.routing
        if not self._stream:
            whole = self._compose_whole() if self._whole is None else self._whole
            return encode({**whole, **counted})
        choices: list[Json] = []
        for index, (reason, native) in sorted((self._finish or {0: ("stop", "stop")}).items()):
            # Empty: SDK helpers that put deltas together would make a role "assistantassistant", and
            # an empty content out of none.
            said: Document = {"delta": {}} if self._chat else {"text": ""}
            choices.append(
                {
                    "index": index,
                    **said,
                    "finish_reason": reason,
                    "native_finish_reason": native,
                    "logprobs": None,
                }
            )
        return b"data: %b\n\n" % encode({**self._head, "choices": choices, **counted})

    def _failure(self, error: Document) -> bytes:
        if not self._stream:
            return encode({"error": error})
        said: Document = {"delta": {"content": ""}} if self._chat else {"text": ""}
        choice: Document = {
            "index": 0,
            **said,
            "finish_reason": "error",
            "native_finish_reason": "error",
        }
        return b"data: %b\n\n" % encode({**self._head, "error": error, "choices": [choice]}) + DONE


def encode(document: Document) -> bytes:
    """JSON. Raises: UpstreamUnavailableError where a provider nests deeper than can be written."""
    try:
        return orjson.dumps(document)
    except TypeError:
        raise UpstreamUnavailableError("Provider sent JSON that nests too deep.") from None


def usage_document(bill: Charged) -> Document:
    """The `usage` object: the provider's counts, normalised, and the cost in USD."""
    usage, raw = bill.usage, bill.usage.raw
    upstream = to_usd(bill.cost)
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "cost": upstream,
        "is_byok": False,
        "prompt_tokens_details": {
            **as_document(raw.get("prompt_tokens_details")),
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "audio_tokens": usage.audio_tokens,
        },
        "cost_details": {
            "upstream_inference_cost": upstream,
            "upstream_inference_prompt_cost": to_usd(bill.prompt_cost),
            "upstream_inference_completions_cost": to_usd(bill.completion_cost),
        },
        "completion_tokens_details": {
            **as_document(raw.get("completion_tokens_details")),
            "reasoning_tokens": usage.reasoning_tokens,
            "image_tokens": usage.image_tokens,
        },
    }


class Refusing:
    """Encoder of an error's body, where there is no reply."""

    def feed(self, events: list[Event]) -> bytes:
        """Encode `Failed`."""
        (failed,) = events
        assert isinstance(failed, Failed)
        return encode(error_document(failed.error))


def encode_response(call: Call | None, endpoint: Endpoint | None) -> Writing | Refusing:
    """An encoder for one reply; without an endpoint, of an error's body only."""
    if call is None or endpoint is None:
        return Refusing()
    return Writing(call, endpoint)
