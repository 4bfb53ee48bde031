"""Every fault as steps on the wire: connections, heads, framing, statuses; and the dispatch.

Pure: an ask and a fault in, steps out. Faults of content come from `body_faults`; this file
frames them. A refused connection is not here: nobody can answer before accepting, see
`replay.refused_url`.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace

from tests.fakes import body_faults, messages_faults
from tests.fakes.asks import Ask
from tests.fakes.fault import Fault
from tests.fakes.framing import (
    EVENT_STREAM,
    JSON_TYPE,
    LAST_CHUNK,
    Hangup,
    Header,
    Pacing,
    Pause,
    Reset,
    Send,
    Stall,
    Steps,
    chunk_of,
    counted,
    head_of,
    spread,
    streamed,
)
from tests.fakes.scripts import JsonObject, encode, error_of, reply_of, told

LARGE_HEADER_BYTES = 100 << 10
MANY_HEADERS = 300
INFORMATIONAL_COUNT = 1000
SIGNS = 60
CHUNKED: Header = ("Transfer-Encoding", "chunked")
HTML = b"<!doctype html><html><body><h1>Bad gateway</h1></body></html>"
GARBAGE = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is not HTTP\r\n\r\n"
ERROR_KINDS: dict[int, tuple[str, str | None]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
    503: ("service_unavailable_error", None),
}
"""OpenAI's `type` and `code` by status; others are `server_error`."""


def steps_of(ask: Ask, fault: Fault) -> Steps:
    """What to do on the wire for this fault.

    Raises: KeyError for a kind that does not exist.
    """
    if fault.kind in WIRE_FAULTS:
        return WIRE_FAULTS[fault.kind](ask, fault)
    if fault.kind not in body_faults.kinds():
        raise KeyError(fault.kind)
    if ask.stream and fault.kind in {"finish-then-eof", "no-finish-eof"}:
        pieces = _pieces(ask, fault)
        return (*streamed(pieces, ask.pacing, end=b""), Pause(fault.delay_s), Hangup())
    return healthy(ask, fault)


def kinds() -> tuple[str, ...]:
    """Every kind, in the order of the two tables."""
    return (*WIRE_FAULTS, *body_faults.kinds())


def healthy(ask: Ask, fault: Fault, *extra: Header) -> Steps:
    """A well-framed answer; its content has the faults that `fault.kind` names."""
    pieces = _pieces(ask, fault)
    if ask.stream:
        return streamed(pieces, ask.pacing, headers=(*EVENT_STREAM, *extra))
    return counted(b"".join(pieces), ask.pacing, headers=(*JSON_TYPE, *extra))


def error_steps(ask: Ask, status: int, message: str, *, headers: tuple[Header, ...] = ()) -> Steps:
    """An error status with the body of the dialect that was asked in."""
    kind, code = ERROR_KINDS.get(status, ("server_error", None))
    body = encode(error_of(message, kind=kind, code=code))
    if messages_faults.speaks_messages(ask):
        body = messages_faults.error_body(status, message)
    return counted(body, ask.pacing, status=status, headers=(*JSON_TYPE, *headers))


def _pieces(ask: Ask, fault: Fault) -> list[bytes]:
    """One piece per event, or the JSON body in halves."""
    if messages_faults.speaks_messages(ask):
        return messages_faults.pieces_of(ask, fault)
    script = replace(fault.script, model=ask.model, legacy=ask.legacy)
    reply: JsonObject = reply_of(script)
    if not ask.stream:
        body = body_faults.spoiled_reply(reply, fault)
        return [body[: len(body) // 2], body[len(body) // 2 :]]
    wanted = ask.include_usage or fault.kind.startswith("usage-")
    events = body_faults.spoiled_events(told(script, include_usage=wanted), reply, fault)
    every = ask.pacing.cut_every
    if every is None:
        return list(events)
    whole = b"".join(events)
    return [whole[start : start + every] for start in range(0, len(whole), every)]


def _partial(ask: Ask, fault: Fault) -> Steps:
    """Head and some of the body: the opening and `after` events, or half of the JSON."""
    pieces = _pieces(ask, fault)
    if ask.stream:
        return streamed(pieces[: 1 + fault.after], ask.pacing, end=b"")
    return counted(pieces[0], ask.pacing, length=len(pieces[0]) + len(pieces[1]))


def _only_head(ask: Ask) -> Steps:
    if ask.stream:
        return streamed([], ask.pacing, end=b"")
    return counted(b"", ask.pacing, length=100)


def _half_a_head(ask: Ask, _fault: Fault) -> Steps:
    return spread([b"HTTP/1.1 200 OK\r\nContent-Type: text/eve"], ask.pacing)


def _framing_broken_by(data: bytes) -> WireFault:
    """A chunked body that goes on with `data` where a chunk should start."""

    def steps(ask: Ask, fault: Fault) -> Steps:
        kept = _pieces(ask, fault)[: 1 + fault.after] if ask.stream else []
        return (*streamed(kept, ask.pacing, end=data), Pause(fault.delay_s), Hangup())

    return steps


def _slow(ask: Ask, fault: Fault) -> Steps:
    whole = b"".join(step.data for step in healthy(ask, fault) if isinstance(step, Send))
    return spread([whole], Pacing(cut_every=1, delay_s=fault.delay_s))


def _status(ask: Ask, fault: Fault) -> Steps:
    after = fault.retry_after or ("1" if fault.status == 429 else None)
    headers: tuple[Header, ...] = (("Retry-After", after),) if after else ()
    return error_steps(ask, fault.status, f"Replayed error {fault.status}.", headers=headers)


def _redirect(ask: Ask, fault: Fault) -> Steps:
    status = fault.status if 300 <= fault.status < 400 else 307
    headers = (("Location", "http://127.0.0.1:9/elsewhere"),)
    return counted(b"", ask.pacing, status=status, headers=headers)


def _informational(line: bytes) -> WireFault:
    def steps(ask: Ask, fault: Fault) -> Steps:
        flood = (Send(line), Pause(0)) * (fault.count or INFORMATIONAL_COUNT)
        return (*flood, *healthy(ask, fault))

    return steps


def _only_comments(ask: Ask, fault: Fault) -> Steps:
    """Some of the body, and then signs of life without content; blanks where nothing is streamed."""
    sign = chunk_of(b": PROCESSING\n\n") if ask.stream else b" "
    return (*_partial(ask, fault), *(Pause(0.1), Send(sign)) * (fault.count or SIGNS), Stall())


def _switching(_ask: Ask, _fault: Fault) -> Steps:
    """Another protocol that nobody asked for."""
    head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    return (Send(head + GARBAGE), Hangup())


def _odd_line(line: bytes) -> WireFault:
    """A sound answer, but for one line of its head."""

    def steps(ask: Ask, fault: Fault) -> Steps:
        status_line, rest = b"".join(
            s.data for s in healthy(ask, fault) if isinstance(s, Send)
        ).split(b"\r\n", 1)
        return (Send(status_line + b"\r\n" + line + b"\r\n" + rest), Hangup())

    return steps


def _gzip(ask: Ask, fault: Fault) -> Steps:
    squeezed = gzip.compress(b"".join(_pieces(ask, fault)), mtime=0)
    headers = (*(EVENT_STREAM if ask.stream else JSON_TYPE), ("Content-Encoding", "gzip"))
    if ask.stream:
        return streamed([squeezed[:10], squeezed[10:]], ask.pacing, headers=headers)
    return counted(squeezed, ask.pacing, headers=headers)


def _empty(ask: Ask, _fault: Fault) -> Steps:
    return counted(b"", ask.pacing, headers=EVENT_STREAM if ask.stream else JSON_TYPE)


def _until_close(ask: Ask, fault: Fault) -> Steps:
    headers = EVENT_STREAM if ask.stream else JSON_TYPE
    head = head_of(200, [*headers, ("Connection", "close")])
    return (*spread([head, *_pieces(ask, fault)], ask.pacing), Hangup())


def _both_lengths(ask: Ask, fault: Fault) -> Steps:
    pieces = _pieces(ask, fault)
    head = head_of(200, [*JSON_TYPE, ("Content-Length", "5"), CHUNKED])
    return spread([head, *(chunk_of(piece) for piece in pieces), LAST_CHUNK], ask.pacing)


def _lines(ask: Ask, fault: Fault) -> Steps:
    count = fault.count or MANY_HEADERS
    return healthy(ask, fault, *((f"X-Line-{index}", "value") for index in range(count)))


def _large_header(ask: Ask, fault: Fault) -> Steps:
    return healthy(ask, fault, ("X-Large", "x" * (fault.size or LARGE_HEADER_BYTES)))


WireFault = Callable[[Ask, Fault], Steps]

WIRE_FAULTS: dict[str, WireFault] = {
    "reset-before-headers": lambda _ask, _fault: (Reset(),),
    "reset-mid-headers": lambda a, f: (*_half_a_head(a, f), Pause(f.delay_s), Reset()),
    "reset-mid-body": lambda a, f: (*_partial(a, f), Pause(f.delay_s), Reset()),
    "close-before-headers": lambda _ask, _fault: (Hangup(),),
    "close-mid-headers": lambda a, f: (*_half_a_head(a, f), Hangup()),
    "close-mid-body": lambda a, f: (*_partial(a, f), Hangup()),
    "close-mid-chunk": _framing_broken_by(b'64\r\ndata: {"id":'),
    "close-after-reply": lambda a, f: (*healthy(a, f), Pause(f.delay_s), Hangup()),
    "reset-after-reply": lambda a, f: (*healthy(a, f), Pause(f.delay_s), Reset()),
    "stall-before-headers": lambda _ask, _fault: (Stall(),),
    "stall-mid-headers": lambda a, f: (*_half_a_head(a, f), Stall()),
    "stall-after-headers": lambda a, _fault: (*_only_head(a), Stall()),
    "stall-mid-body": lambda a, f: (*_partial(a, f), Stall()),
    "only-comments": _only_comments,
    "stall-before-end": lambda a, f: (*healthy(a, f)[:-1], Stall()),
    "short-content-length": lambda a, f: (
        *counted(b"".join(_pieces(a, f)), a.pacing, length=1 << 20),
        Pause(f.delay_s),
        Hangup(),
    ),
    "both-lengths": _both_lengths,
    "garbage-instead": lambda _ask, _fault: (Send(GARBAGE), Hangup()),
    "extra-bytes": lambda a, f: (*healthy(a, f), Send(GARBAGE)),
    "bad-chunk-size": _framing_broken_by(b"zz\r\nnot hex\r\n0\r\n\r\n"),
    "negative-chunk-size": _framing_broken_by(b"-5\r\nhello\r\n0\r\n\r\n"),
    "huge-chunk-size": _framing_broken_by(b"FFFFFFFFFFFFFFFFF\r\nhello\r\n"),
    "chunk-without-crlf": _framing_broken_by(b"5\r\nhelloXX0\r\n\r\n"),
    "slow-bytes": _slow,
    "split-multibyte": lambda a, f: healthy(replace(a, pacing=Pacing(cut_every=1)), f),
    "large-header": _large_header,
    "many-headers": _lines,
    "status": _status,
    "redirect": _redirect,
    "html": lambda a, _fault: counted(HTML, a.pacing, headers=(("Content-Type", "text/html"),)),
    "empty-body": _empty,
    "until-close": _until_close,
    "gzip": _gzip,
    "continue-flood": _informational(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "early-hints-flood": _informational(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "switching-protocols": _switching,
    "bare-cr": _odd_line(b"X-Odd: a\rSet-Cookie: b"),
    "space-before-colon": _odd_line(b"Transfer-Encoding : chunked"),
    "slow-start": lambda a, f: (Pause(f.delay_s), *healthy(a, f)),
}
