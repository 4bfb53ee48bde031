"""Which part of a request's life a sample belongs to: a table of functions.

Rule 1: a sample belongs to the innermost function that the table names; what is not named belongs to
whoever called it. Rule 2: the loop, trio's and the kernel's part of it, is a row of its own wherever
it is entered.
"""

from functools import cache
from typing import NamedTuple

from bench.profile.sampling import Frame, Stack

READ = "read and parse the request"
DECODE = "decode the request"
AUTHORIZE = "authorize"
PLAN = "plan"
HOLD = "hold"
ATTEMPT = "attempt: connection, encode, send"
REPLY = "read and decode the reply"
RELAY = "relay: encode or splice, send"
SETTLE = "settle and record"
LOG = "access log"
LOOP = "event loop: trio, epoll"
OTHER = "other"
ROWS = (READ, DECODE, AUTHORIZE, PLAN, HOLD, ATTEMPT, REPLY, RELAY, SETTLE, LOG, LOOP, OTHER)
"""In the order of a request's life."""


class Rule(NamedTuple):
    """Names functions of one stage."""

    file: str
    """What the file's path begins with."""
    functions: tuple[str, ...]
    """What a function's name begins with, its class included; nothing: all of them."""
    row: str


RULES = (
    Rule("trio/", (), LOOP),
    Rule("outcome/", (), LOOP),
    Rule("sortedcontainers/", (), LOOP),
    Rule(
        "proxy/doors/lane.py", ("LaneConnection.next_request", "LaneConnection._first_bytes"), READ
    ),
    Rule("proxy/doors/lane.py", ("LaneConnection._whole_head", "LaneConnection.body"), READ),
    Rule("proxy/doors/lane.py", (), RELAY),
    Rule("proxy/doors/transfer.py", ("Transfer.receive",), READ),
    Rule("proxy/doors/transfer.py", (), RELAY),
    Rule("proxy/wire/", ("parse_request_head", "checked_request"), READ),
    Rule("proxy/wire/", ("parse_response_head", "checked_response"), REPLY),
    Rule("proxy/wire/http1.py", (), REPLY),
    Rule("proxy/wire/body.py", (), REPLY),
    Rule("proxy/wire/sse.py", (), REPLY),
    Rule("proxy/wire/transcript.py", (), RELAY),
    Rule("proxy/wire/splice.py", (), RELAY),
    Rule("proxy/dialects/", ("decode_request",), DECODE),
    Rule("proxy/dialects/", ("encode_request",), ATTEMPT),
    Rule("proxy/dialects/", ("decode_response", "Reading", "Counting"), REPLY),
    Rule("proxy/dialects/", ("encode_response", "Writing", "Refusing"), RELAY),
    Rule("proxy/stages/receive.py", (), DECODE),
    Rule("proxy/stages/enrich.py", (), DECODE),
    Rule("proxy/stages/authorize.py", (), AUTHORIZE),
    Rule("proxy/stages/plan.py", (), PLAN),
    Rule("proxy/live/consent.py", (), PLAN),
    Rule("proxy/stages/hold.py", (), HOLD),
    Rule("proxy/stages/race.py", (), ATTEMPT),
    Rule(
        "proxy/stages/attempt.py", ("Attempt._listen", "Attempt._take", "Attempt._conclude"), REPLY
    ),
    Rule("proxy/stages/attempt.py", ("Attempt._accept", "Attempt._open_transcript"), REPLY),
    Rule("proxy/stages/attempt.py", (), ATTEMPT),
    Rule("proxy/net/connection.py", ("Connection.receive", "Connection._until"), REPLY),
    Rule("proxy/net/connection.py", (), ATTEMPT),
    Rule("proxy/net/reply.py", (), REPLY),
    Rule("proxy/net/leased.py", (), REPLY),
    Rule("proxy/net/pool.py", (), ATTEMPT),
    Rule("proxy/net/key", (), ATTEMPT),
    Rule("proxy/stages/relay.py", (), RELAY),
    Rule("proxy/stages/answer.py", (), RELAY),
    Rule("proxy/stages/settle.py", (), SETTLE),
    Rule("proxy/ledger/", (), SETTLE),
    Rule("proxy/observe/", (), SETTLE),
    Rule("logging/", (), LOG),
    Rule("proxy/exchange.py", (), OTHER),
    Rule("proxy/doors/", (), OTHER),
)
"""The first that fits a function counts."""


def row_of(stack: Stack) -> str:
    """The row that a sample belongs to."""
    return next((row for frame in reversed(stack) if (row := _named(frame))), OTHER)


def _named(frame: Frame) -> str:
    """The row of a function; empty: the table does not name it."""
    return _row(frame.file, frame.function)


@cache
def _row(file: str, function: str) -> str:
    return next(
        (
            rule.row
            for rule in RULES
            if file.startswith(rule.file)
            and (not rule.functions or function.startswith(rule.functions))
        ),
        "",
    )
