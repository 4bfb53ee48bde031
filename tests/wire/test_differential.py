"""Two parsers and the same bytes: ours agree always, what is inside of them differs as listed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

import httptools
import pytest

from proxy.errors import InvalidRequestError, UpstreamUnavailableError
from proxy.model.head import RequestHead
from proxy.wire.body import FramingError
from proxy.wire.http1 import ResponseHeadReader
from proxy.wire.parsers import FAST, STRICT, Parser
from proxy.wire.rules import trim
from tests.wire.conformance import told
from tests.wire.differences import BODIES, REQUESTS, RESPONSES, Difference, Reads, explain
from tests.wire.generator import chunked_body, cut, request_head, response_head
from tests.wire.raw import Head, h11_body, h11_head, llhttp_body, llhttp_head

QUICK, SLOW = 1_000, 34_000
"""Cases of each of three kinds: heads of requests, of responses, bodies."""
FORBIDDEN = (b"\r", b"\n", b"\0")

Answer = tuple[str, object]
"""(what came of it, what it says): everything that a caller can see."""


def ask_request(parser: Parser, raw: bytes) -> Answer:
    """Raises whatever is not the documented error."""
    try:
        return "read", parser.request_head(raw, 50)
    except InvalidRequestError as error:
        return "refused", (error.status, error.message)


def ask_response(parser: Parser, pieces: list[bytes]) -> Answer:
    """Raises whatever is not the documented error."""
    reader = ResponseHeadReader(4096, parser)
    found = None
    try:
        for place, piece in enumerate(pieces):
            found = reader.feed(piece)
            if found is not None:
                return "read", (told(found[0]), found[1] + b"".join(pieces[place + 1 :]))
    except UpstreamUnavailableError as error:
        return "refused", error.message
    return "incomplete", reader.started


def ask_body(parser: Parser, pieces: list[bytes]) -> Answer:
    """Every span as it comes. Raises whatever is not the documented error."""
    reader, seen = parser.body(chunked=True, length=None), []
    try:
        for piece in pieces:
            seen.append(reader.feed(piece))
    except FramingError as error:
        return "refused", (seen, str(error))
    return "read" if reader.done else "incomplete", (seen, reader.leftover, reader.close())


def payload(answer: Answer) -> object:
    """What a body says, without how it came."""
    if answer[0] == "refused":
        return answer[0]
    seen = answer[1][0]  # type: ignore[index]
    return answer[0], b"".join(data[a:b] for data, spans in seen for a, b in spans)


def assert_clean(head: RequestHead | dict[str, object]) -> None:
    """No accepted head can end a line where it is written out again."""
    if isinstance(head, RequestHead):
        words = [head.method.encode(), head.path.encode(), head.query]
        headers = head.headers
    else:
        words, headers = [], head["headers"]  # type: ignore[assignment]
    for word in (*words, *headers, *headers.values()):
        assert not any(bad in word for bad in FORBIDDEN)


def as_read(head: RequestHead) -> object:
    """What an accepted head says, in the words of `joined`."""
    return head.method.encode(), head.query, b"1.0" if head.http_10 else b"1.1", head.headers


def joined(head: Head | None) -> object:
    """What a parser by itself reads: method, query, version, fields as we join them."""
    if head is None:
        return None
    method, target, version, lines = head
    fields: dict[bytes, bytes] = {}
    for name, value in lines:
        level = value.lower() if name == b"transfer-encoding" else value
        fields[name] = fields[name] + b", " + level if name in fields else level
    return method, target.partition(b"?")[2], version, fields


def check_request(rng: Random) -> tuple[str, bytes]:
    """One case of a request's head."""
    raw = request_head(rng)
    fast = ask_request(FAST, raw)
    assert fast == ask_request(STRICT, raw), raw
    if isinstance(fast[1], RequestHead):
        assert_clean(fast[1])
        for read in (h11_head, llhttp_head):  # neither is overruled by what stands around it
            assert as_read(fast[1]) == joined(read(trim(raw), httptools.HttpRequestParser)), raw
    return fast[0], raw


def check_response(rng: Random) -> tuple[str, bytes]:
    """One case of a response's head."""
    raw = response_head(rng)
    pieces = cut(rng, raw + rng.choice((b"", b"x", b"\r\n")))
    fast = ask_response(FAST, pieces)
    assert fast == ask_response(STRICT, pieces), pieces
    assert fast == ask_response(FAST, [b"".join(pieces)]), pieces
    if fast[0] == "read":
        assert_clean(fast[1][0])  # type: ignore[index]
    return fast[0], raw


def check_body(rng: Random) -> tuple[str, bytes]:
    """One case of a chunked body."""
    raw = chunked_body(rng)
    pieces = cut(rng, raw)
    fast = ask_body(FAST, pieces)
    assert fast == ask_body(STRICT, pieces), pieces
    assert payload(fast) == payload(ask_body(FAST, [raw])), pieces
    if fast[0] == "read":
        assert payload(fast) == ("read", h11_body(raw)), raw
    return fast[0], raw


CHECKS = (check_request, check_response, check_body)
each_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


def run(check: Callable[[Random], tuple[str, bytes]], seeds: range) -> dict[str, int]:
    """How many cases came to what."""
    outcomes: dict[str, int] = {}
    for seed in seeds:
        outcome, _ = check(Random(seed))
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    return outcomes


@each_check
def test_both_parsers_read_the_same_and_refuse_the_same(
    check: Callable[[Random], tuple[str, bytes]],
) -> None:
    outcomes = run(check, range(QUICK))

    assert min(outcomes["read"], outcomes["refused"]) > QUICK // 10  # neither law is idle


@pytest.mark.slow
@each_check
def test_both_parsers_read_the_same_and_refuse_the_same_for_a_long_time(
    check: Callable[[Random], tuple[str, bytes]],
) -> None:
    outcomes = run(check, range(QUICK, SLOW))

    assert min(outcomes["read"], outcomes["refused"]) > SLOW // 10


# --- what is inside of them ---------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Pair:
    """One kind of message, and how the two read it without our rules."""

    name: str
    make: Callable[[Random], bytes]
    classes: tuple[Difference, ...]
    llhttp: Callable[[bytes], object]
    h11: Callable[[bytes], object]

    def reads(self, raw: bytes) -> Reads | None:
        """Who reads it; None where both do and agree, or neither does."""
        llhttp, h11 = self.llhttp(raw), self.h11(raw)
        if llhttp == h11:
            return None
        return "h11" if llhttp is None else "llhttp" if h11 is None else "both, differently"

    def differs(self, raw: bytes) -> bool:
        """They do not read it alike."""
        return self.reads(raw) is not None

    def unknown(self, seeds: range) -> list[tuple[int, bytes]]:
        """Cases whose difference no class explains."""
        cases = ((seed, self.make(Random(seed))) for seed in seeds)
        return [
            (seed, raw)
            for seed, raw in cases
            if self.differs(raw) and explain(raw, self.classes, self.differs) is None
        ]


def head_pair(
    name: str, make: Callable[[Random], bytes], classes: tuple[Difference, ...], kind: type
) -> Pair:
    """Heads of one kind."""
    return Pair(name, make, classes, partial(llhttp_head, kind=kind), partial(h11_head, kind=kind))


PAIRS = (
    head_pair("request", request_head, REQUESTS, httptools.HttpRequestParser),
    head_pair("response", response_head, RESPONSES, httptools.HttpResponseParser),
    Pair("body", chunked_body, BODIES, llhttp_body, h11_body),
)
each_pair = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
LISTED = [
    pytest.param(pair, known, id=f"{pair.name}: {known.name}")
    for pair in PAIRS
    for known in pair.classes
]


@pytest.mark.parametrize(("pair", "known"), LISTED)
def test_a_listed_difference_occurs_as_listed_and_its_repair_is_enough(
    pair: Pair, known: Difference
) -> None:
    assert known.reads == pair.reads(known.example)
    repaired = known.repair(known.example)
    assert pair.llhttp(repaired) == pair.h11(repaired) is not None
    assert [known.name] == explain(known.example, pair.classes, pair.differs)


@pytest.mark.parametrize(("pair", "known"), LISTED)
def test_what_the_two_read_differently_both_our_parsers_take_alike(
    pair: Pair, known: Difference
) -> None:
    raw = known.example
    ask = {
        "request": lambda parser: ask_request(parser, raw),
        "response": lambda parser: ask_response(parser, [raw]),
        "body": lambda parser: ask_body(parser, [raw]),
    }[pair.name]

    assert ask(FAST) == ask(STRICT)
    assert ("read" if known.name in HARMLESS else "refused") == ask(FAST)[0]


HARMLESS = {
    "white space behind a value is part of it", "Transfer-Encoding in lower case", "white space behind a size",
    "an extension that is none",
}  # fmt: skip
"""Differences that our rules do not refuse but level: every other one never gets past them."""


@each_pair
def test_every_other_difference_is_unknown(pair: Pair) -> None:
    for left_out in pair.classes:
        rest = tuple(known for known in pair.classes if known is not left_out)
        assert explain(left_out.example, rest, pair.differs) is None


@each_pair
def test_no_difference_is_unknown(pair: Pair) -> None:
    assert [] == pair.unknown(range(QUICK))


@pytest.mark.slow
@each_pair
def test_no_difference_is_unknown_after_a_long_time(pair: Pair) -> None:
    assert [] == pair.unknown(range(QUICK, SLOW))
