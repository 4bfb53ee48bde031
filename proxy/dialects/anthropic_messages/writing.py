"""Replies written: events to named events of a stream, or to one message, as Anthropic's SDKs read it.

A frame of the same dialect is re-emitted with what must change: id, model, provider, and at the end
the usage with its cost; everything else, known or not, stays as it came.

Rule 1: stop reason and usage are said once, at `Charged`, and nothing comes behind an error.
Rule 2: counts are replaced, never added.
"""

import orjson

from proxy.dialects.anthropic_messages.blocks import Blocks, Folding
from proxy.dialects.anthropic_messages.names import (
    CACHE_READ,
    CACHE_WRITE,
    INPUT,
    NAME,
    NATIVE_REASONS,
    OUTPUT,
)
from proxy.errors import HedgerowError, UpstreamUnavailableError
from proxy.model.call import Call
from proxy.model.document import Document, Json, as_document
from proxy.model.endpoint import Endpoint
from proxy.model.envelope import error_document, error_object
from proxy.model.event import Charged, Event, Failed, Finished, Native
from proxy.units import to_usd

KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error",
    403: "permission_error", 404: "not_found_error", 408: "timeout_error", 413: "request_too_large",
    429: "rate_limit_error", 503: "overloaded_error", 504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip
"""Types of errors by status; other 4xx are the request's fault, the rest is "api_error"."""

ENDED_IN_ERROR = "Provider ended its reply with an error."
HELD = ("message_delta", "message_stop")
"""Events of a provider that are said anew when the bill is known."""


class Writing:
    """Encoder of one reply."""

    def __init__(self, call: Call, endpoint: Endpoint) -> None:
        self._stream = call.stream
        self._head: Document = {
            "id": call.generation_id,
            "model": endpoint.model,
            "provider": endpoint.provider.name,
        }
        self._blocks = Blocks(call.generation_id)
        self._folding = Folding()
        self._whole: Document | None = None
        self._ending: Document = {}
        """The provider's own last `message_delta`, field by field the latest."""
        self._finished: Finished | None = None
        self._is_started = False
        self._is_over = False
        self._open: Json = None
        """Index of the provider's own open block."""

    def feed(self, events: list[Event]) -> bytes:
        """Encode the events of one frame; a body that is not streamed is complete at `Charged`."""
        if not events or self._is_over:
            return b""
        for event in events:
            if isinstance(event, Finished) and event.choice == 0:
                self._finished = event
        match events[0]:
            case Native(dialect=dialect, document=document) if dialect == NAME:
                return self._amend(document)
            case Failed(error=error):
                return self._fail(error)
            case Charged():
                return self._bill(events[0])
            case _:
                return self._compose(events)

    def _amend(self, document: Document) -> bytes:
        """The provider's own document with what must change."""
        if not self._stream:
            self._whole = {**document, **self._head}
            return b""
        kind = document.get("type")
        if not isinstance(kind, str) or not kind.isidentifier():
            return b""  # it would be the event's name, and must not break the line
        if kind == "message_start":
            self._is_started = True
            message = {**as_document(document.get("message")), **self._head}
            return named(kind, {**document, "message": message})
        if kind in HELD:
            self._hold(document)
            return b""
        if kind == "content_block_start":
            self._open = document.get("index")
        elif kind == "content_block_stop":
            self._open = None
        return named(kind, document)

    def _hold(self, document: Document) -> None:
        for name, value in document.items():
            before = self._ending.get(name)
            if isinstance(before, dict) and isinstance(value, dict):
                self._ending[name] = before | {k: v for k, v in value.items() if v is not None}
            elif name != "type":
                self._ending[name] = value

    def _compose(self, events: list[Event]) -> bytes:
        """Content from events of another dialect."""
        if not self._stream:
            for document in self._blocks.feed(events):
                self._folding.feed(document)
            return b""
        out = b"".join([named(str(d["type"]), d) for d in self._blocks.feed(events)])
        if out and not self._is_started:
            return self._start() + out
        return out

    def _start(self) -> bytes:
        self._is_started = True
        usage: Document = {INPUT: 0, CACHE_WRITE: 0, CACHE_READ: 0, OUTPUT: 0}
        message = self._message([], {"stop_reason": None, "stop_sequence": None}, usage)
        return named("message_start", {"type": "message_start", "message": message})

    def _message(self, content: list[Json], ending: Document, usage: Document) -> Document:
        return {
            "id": self._head["id"],
            "type": "message",
            "role": "assistant",
            "model": self._head["model"],
            "content": content,
            **ending,
            "usage": usage,
            "provider": self._head["provider"],
        }

    def _bill(self, bill: Charged) -> bytes:
        """The end of a reply, or all of it."""
        if self._finished is not None and self._finished.reason == "error":
            return self._fail(UpstreamUnavailableError(ENDED_IN_ERROR))
        self._is_over = True
        counts = usage_document(bill)
        routed: Document = {} if bill.routing is None else {"openrouter_metadata": bill.routing}
        rest = self._blocks.close()
        if not self._stream:
            if self._whole is not None:
                usage = as_document(self._whole.get("usage")) | counts
                return encode({**self._whole, "usage": usage, **routed})
            for document in rest:
                self._folding.feed(document)
            return encode(
                {**self._message(self._folding.content, self._reason(), counts), **routed}
            )
        out = [named(str(d["type"]), d) for d in rest]
        if isinstance(self._open, int):  # the provider forgot to
            end: Document = {"type": "content_block_stop", "index": self._open}
            out.append(named("content_block_stop", end))
        if not self._is_started:
            out.insert(0, self._start())
        said = as_document(self._ending.get("delta"))
        ending: Document = {
            "type": "message_delta",
            **self._ending,
            "delta": said if said.get("stop_reason") else {**said, **self._reason()},
            "usage": as_document(self._ending.get("usage")) | counts,
        }
        stop: Document = {"type": "message_stop", **routed}
        out += [named("message_delta", ending), named("message_stop", stop)]
        return b"".join(out)

    def _reason(self) -> Document:
        """`stop_reason` and `stop_sequence` from ours."""
        finished = self._finished or Finished("stop", "")
        sequence = finished.stop_sequence or None
        reason = NATIVE_REASONS.get(finished.reason, "end_turn")
        if reason == "end_turn" and sequence is not None:
            reason = "stop_sequence"
        elif reason == "end_turn" and self._blocks.called_tools:
            reason = "tool_use"
        return {"stop_reason": reason, "stop_sequence": sequence}

    def _fail(self, error: HedgerowError) -> bytes:
        self._is_over = True
        document = error_body(error, self._head["id"])
        return named("error", document) if self._stream else encode(document)


def usage_document(bill: Charged) -> Document:
    """The `usage` object: counts, of which input is what no cache had to do with; cost in USD."""
    usage, cost = bill.usage, to_usd(bill.cost)
    document: Document = {
        INPUT: max(usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens, 0),
        CACHE_WRITE: usage.cache_write_tokens,
        CACHE_READ: usage.cached_tokens,
        OUTPUT: usage.completion_tokens,
    }
    if usage.reasoning_tokens:
        document["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return document | {
        "cost": cost,
        "is_byok": False,
        "cost_details": {
            "upstream_inference_cost": cost,
            "upstream_inference_prompt_cost": to_usd(bill.prompt_cost),
            "upstream_inference_completions_cost": to_usd(bill.completion_cost),
        },
    }


def error_body(error: HedgerowError, request_id: Json) -> Document:
    """The envelope of an error; `request_id` is the generation's id, or None without one."""
    told = error_object(error)
    other = "invalid_request_error" if 400 <= error.status < 500 else "api_error"
    routed: Document = {}
    if (routing := error_document(error).get("openrouter_metadata")) is not None:
        routed["openrouter_metadata"] = routing
    return {
        "type": "error",
        "error": {
            "type": KINDS.get(error.status, other),
            "message": told["message"],
            "error_type": error.error_type,
        },
        "request_id": request_id,
        **routed,
    }


def named(kind: str, document: Document) -> bytes:
    """One event of a stream."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), encode(document))


def encode(document: Document) -> bytes:
    """JSON. Raises: UpstreamUnavailableError where a provider nests deeper than can be written."""
    try:
        return orjson.dumps(document)
    except TypeError:
        raise UpstreamUnavailableError("Provider sent JSON that nests too deep.") from None


class Refusing:
    """Encoder of an error's body, where there is no reply."""

    def __init__(self, request_id: str | None) -> None:
        self._request_id = request_id

    def feed(self, events: list[Event]) -> bytes:
        """Encode `Failed`."""
        (failed,) = events
        assert isinstance(failed, Failed)
        return encode(error_body(failed.error, self._request_id))


def encode_response(call: Call | None, endpoint: Endpoint | None) -> Writing | Refusing:
    """An encoder for one reply; without an endpoint, of an error's body only."""
    if call is None or endpoint is None:
        return Refusing(None if call is None else call.generation_id or None)
    return Writing(call, endpoint)
