"""The upstream fault matrix, row by row: streamed and not, alone and with a stand-in, on both surfaces.

`ROWS` is the whole table; a cell that cannot be is there with its reason. Each case runs its eight cells at
once over real sockets: what the client sees, in time; who served; one settled record for each call; every
connection at rest.
"""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from tests.fakes.fault import Fault
from tests.fakes.replay import refused_url, unanswered_url
from tests.fakes.reply import Reply
from tests.rig import SHORT, Rig, Served, head, post, rig
from tests.scenarios.test_faults import (
    CALM,
    CELL_S,
    E502,
    E504,
    GOOD,
    IS502,
    IS504,
    LIMITS,
    MATRIX,
    OK,
    TEXT,
    TIMEOUTS,
    Outcome,
    as_seen,
)
from tests.scenarios.test_messages_faults import MESSAGES, TALK, seen_by_messages
from tests.scenarios.test_upstream_proxies import served as serving
from tests.scenarios.test_upstream_tls import CA, Server, context, expired, old_protocol

SURFACES = ("chat", "messages")
NA = (0, "")
"""There is no such cell: the fault cannot strike this form of reply."""


@dataclass(frozen=True)
class Row:
    """One row of the table, or the part of it that has one outcome."""

    number: str
    title: str
    whole: Outcome
    stream: Outcome
    faults: tuple[str, ...] = ()
    """Of `test_faults.MATRIX`, or `PLACES`; none: not applicable, `title` says why."""
    final: bool = False
    """No stand-in is asked."""
    within_s: float = CELL_S
    """Longest that a stand-in's answer may take."""


KEY_TROUBLE = {"authentication", "payment_required"}
"""The operator is told at once; a 403 may be about one model only, and counts as its failure."""
E400, E422 = (400, "invalid_request"), (422, "invalid_request")
E429 = (429, "rate_limit_exceeded")
E503 = (503, "provider_overloaded")
ROWS = (
    Row("1", "DNS failure", E502, E502, ("place:unknown name",), within_s=2.0),
    Row("2", "connect refused", E502, E502, ("place:refused",), within_s=0.5),
    Row("3", "connect black hole", E504, E504, ("place:black hole",), within_s=0.3 + 1),
    Row("4", "TLS cannot be trusted", E502, E502,
        ("place:expired", "place:another name", "place:unknown authority", "place:TLS 1.1",
         "place:end in the handshake")),
    Row("5", "5xx before the body", E502, E502, ("status-500", "status-502", "status-599")),
    Row("5", "5xx that means capacity", E503, E503, ("status-503",)),
    Row("5", "5xx that means time", E504, E504, ("status-504", "status-408")),
    Row("6", "429 with Retry-After", E429, E429,
        ("status-429", "status-429?retry_after=-1", "status-429?retry_after=1e9",
         "status-429?retry_after=Wed,+21+Oct+2099+07:28:00+GMT")),
    Row("7", "our key is refused", (502, "authentication"), (502, "authentication"), ("status-401",)),
    Row("7", "our account is empty", (502, "payment_required"), (502, "payment_required"),
        ("status-402",)),
    Row("7", "our key may not", (502, "permission_denied"), (502, "permission_denied"),
        ("status-403",)),
    Row("7b", "n/a until callers bring keys of their own", NA, NA),
    Row("8", "invalid request", E400, E400, ("status-400",), final=True),
    Row("8", "invalid request, by another name", E422, E422, ("status-422",), final=True),
    Row("9", "no head in time", E504, E504, ("stall-before-headers",)),
    Row("10", "stall after content", E504, IS504, ("stall-mid-body",)),
    Row("10", "stall after content, with comments", E504, IS504, ("only-comments",)),
    Row("10", "stall before content", E504, E504,
        ("stall-mid-body?after=0", "stall-after-headers", "only-comments?after=0")),
    Row("10", "stall after all was said", E504, OK, ("stall-before-end",)),
    Row("11", "truncated after content", E502, IS502, ("close-mid-body", "close-mid-chunk")),
    Row("11", "shorter than its Content-Length", E502, E502, ("short-content-length",)),
    Row("12", "no HTTP", E502, E502, ("garbage-instead",)),
    Row("13", "chunks lie after content", E502, IS502,
        ("bad-chunk-size", "negative-chunk-size", "huge-chunk-size", "chunk-without-crlf")),
    Row("13", "chunks lie before content", E502, E502, ("bad-chunk-size?after=0", "both-lengths")),
    Row("13", "no events in a stream", NA, IS502, ("garbage-mid-body",)),
    Row("14", "a head too long, or odd", E502, E502,
        ("large-header", "many-headers", "bare-cr", "space-before-colon")),
    Row("15", "the end before a head, on a fresh connection", E502, E502,
        ("reset-before-headers", "close-before-headers", "reset-mid-headers", "close-mid-headers")),
    Row("16", "the end on a reused connection: see below", NA, NA),
    Row("17", "reset after content", E502, IS502, ("reset-mid-body",)),
    Row("17", "reset before content", E502, E502, ("reset-mid-body?after=0",)),
    Row("18", "a peer that is gone without a word", E504, E504, ("stall-mid-headers",)),
    Row("19", "more behind the end of a stream", NA, OK, ("double-done",)),
    Row("19", "more behind the end of a reply", OK, OK, ("extra-bytes",)),
    Row("20", "invalid UTF-8 after content", E502, IS502, ("invalid-utf8",)),
    Row("20", "invalid UTF-8 before content", E502, E502, ("invalid-utf8?after=0",)),
    Row("20b", "characters split across reads", OK, OK, ("split-multibyte",)),
    Row("21", "an error in a 200, before content", E502, E502, ("error-first",)),
    Row("22", "an error in a 200, after content", E502, IS502,
        ("error-midstream", "error-event-name")),
    Row("23", "a stream without an end; a body that breaks off is row 11", NA, IS502,
        ("no-finish-eof", "no-finish-clean", "no-finish-done")),
    Row("23", "a stream of nothing but its end", NA, E502, ("only-done",)),
    Row("23b", "the end of a stream lacks its last pieces", NA, OK, ("finish-then-eof", "no-done")),
    Row("23b", "the end of the connection behind a reply", OK, OK,
        ("reset-after-reply", "close-after-reply")),
    Row("24", "a web page, or nothing", E502, E502, ("html", "empty-body")),
    Row("25", "a redirect", E502, E502, ("redirect",)),
    Row("26", "compressed; a bomb is never unpacked", E502, E502, ("gzip",)),
    Row("27", "an event of more than 4 MiB", NA, IS502, ("huge-event",)),
    Row("28", "usage that is absent or absurd", OK, OK,
        ("usage-negative", "usage-absent", "usage-twice", "usage-null", "usage-huge",
         "usage-strings", "usage-float", "usage-list")),
    Row("29", "JSON of another shape", E502, IS502,
        ("json-choices-of-numbers", "json-list", "json-null", "json-string", "json-content-number",
         "json-truncated", "json-deep", "json-nan")),
    Row("29", "JSON that says nothing: an event is skipped", E502, OK,
        ("json-choices-null", "json-empty-object", "json-choices-string", "json-message-null")),
    Row("29", "an event that is no JSON", NA, IS502, ("event-not-json",)),
    Row("30", "interim replies without end, or another protocol", E502, E502,
        ("continue-flood", "early-hints-flood", "switching-protocols")),
    Row("31", "n/a: providers are spoken to in HTTP/1.1, where nothing goes away in mid-stream", NA, NA),
    Row("32", "a byte at a time", E504, E504, ("slow-bytes?delay_s=0.02",)),
    Row("", "not in the table: odd, but sound", OK, OK,
        ("until-close", "comments", "crlf", "slow-start?delay_s=0.3", "many-headers?count=150",
         "continue-flood?count=3")),
    Row("", "not in the table: no such model there", (404, "not_found"), (404, "not_found"),
        ("status-404",)),
)  # fmt: skip
NUMBERS = {
    *map(str, range(1, 33)), "7b", "20b", "23b", "",
}  # fmt: skip
CASES = [
    pytest.param(row, fault, id=f"{row.number or 'other'}: {fault}")
    for row in ROWS
    for fault in row.faults
]


def test_every_row_is_in_the_table_and_every_fault_in_a_row() -> None:
    assert NUMBERS == {row.number for row in ROWS}
    kinds = {fault for row in ROWS for fault in row.faults if not fault.startswith("place:")}
    assert set() == set(MATRIX) - kinds


@pytest.mark.parametrize("row", [row for row in ROWS if row.faults], ids=lambda row: row.title)
def test_the_table_and_the_list_of_faults_say_the_same(row: Row) -> None:
    for fault in row.faults:
        if fault in MATRIX:
            whole, stream = MATRIX[fault]
            assert row.whole in {NA, whole}
            assert row.stream in {NA, stream}


def test_a_row_without_faults_says_why() -> None:
    assert {"7b", "16", "31"} == {row.number for row in ROWS if not row.faults}


# --- where a provider may be -----------------------------------------------------------------------
TLS = {
    "expired": expired,
    "another name": lambda: context(name="127.0.0.2"),
    "unknown authority": lambda: context(trustme.CA()),
    "TLS 1.1": old_protocol,
    "end in the handshake": lambda: None,
}


@asynccontextmanager
async def placed(fault: str, tmp_path: Path) -> AsyncIterator[dict[str, Any]]:
    """Settings of a rig whose first provider is there, and speaks like that."""
    place = fault.removeprefix("place:")
    if place == fault:
        yield {}
    elif place == "unknown name":
        yield {"urls": {"one": "http://no-such-name.invalid/v1"}}
    elif place in TLS:
        made: ssl.SSLContext | None = TLS[place]()
        CA.cert_pem.write_to_path(tmp_path / "ca.pem")
        async with serving(Server(made).serve) as port:
            urls = {"one": f"https://127.0.0.1:{port}/v1"}
            yield {"urls": urls, "provider": {"ca_file": str(tmp_path / "ca.pem")}}
    else:
        with refused_url() if place == "refused" else unanswered_url() as url:
            yield {"urls": {"one": url}}


# --- cells -----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Cell:
    """One client, and what became of it."""

    surface: str
    stream: bool
    alone: bool

    @property
    def request(self) -> bytes:
        model = "alone/m" if self.alone else "both/m"
        body = json.dumps({"model": model, "stream": self.stream, **TALK}).encode()
        if self.surface == "chat":
            return post(body)
        return head("POST", MESSAGES, f"Content-Length: {len(body)}") + body

    def seen(self, reply: Reply) -> Outcome:
        return as_seen(reply) if self.surface == "chat" else seen_by_messages(reply)


def cells_of(row: Row) -> list[Cell]:
    return [
        Cell(surface, stream, alone)
        for surface in SURFACES
        for stream in (False, True)
        for alone in (True, False)
        if (row.stream if stream else row.whole) != NA
    ]


def outcome_of(row: Row, cell: Cell) -> Outcome:
    """A stand-in serves whatever failed before its first content, but for what is final."""
    outcome = row.stream if cell.stream else row.whole
    return outcome if cell.alone or row.final or outcome[0] < 0 else OK


def check_head(row: Row, cell: Cell, reply: Reply) -> None:
    """Who served, after how many attempts; what a client that is to wait is told."""
    own = row.stream if cell.stream else row.whole
    if not cell.alone and outcome_of(row, cell) == OK:
        server, attempts = ("one", "1") if own == OK else ("two", "2")
        assert f"{server}:both/m" == reply.headers["x-hedgerow-endpoint"]
        assert attempts == reply.headers["x-hedgerow-attempts"]
    if reply.status == 429:
        assert 1 <= int(reply.headers.get("retry-after", "1")) <= 3600
    reply.body.decode()
    if cell.surface == "chat" and cell.stream and outcome_of(row, cell) == OK:
        assert 1 == reply.body.count(b"data: [DONE]")
        assert reply.text == TEXT


async def check_cells(r: Rig, row: Row) -> None:
    """All cells of one case at once; then the money and the pool."""
    cells = cells_of(row)
    seen: dict[Cell, Reply] = {}
    took_s: dict[Cell, float] = {}

    async def ask(cell: Cell) -> None:
        began = trio.current_time()
        with trio.fail_after(CELL_S):
            seen[cell] = await r.raw(cell.request)
        took_s[cell] = trio.current_time() - began

    async with trio.open_nursery() as nursery:
        for cell in cells:
            nursery.start_soon(ask, cell)
    expected = {cell: outcome_of(row, cell) for cell in cells}

    assert expected == {cell: cell.seen(seen[cell]) for cell in cells}
    for cell in cells:
        check_head(row, cell, seen[cell])
        assert took_s[cell] <= row.within_s or cell.alone
    await r.quiet()
    posted = sum(outcome == OK for outcome in expected.values())
    assert (posted, len(cells) - posted) == r.settled
    alerts = {alert.kind for alert in r.gateway.live.health.alerts}
    assert ({"credential"} if row.whole[1] in KEY_TROUBLE else set()) == alerts


@pytest.mark.parametrize(("row", "fault"), CASES)
async def test_every_cell_is_as_the_table_says(row: Row, fault: str, tmp_path: Path) -> None:
    upstream = GOOD if fault.startswith("place:") else f"fault/{fault}"
    models: Served = {"alone/m": (upstream,), "both/m": (upstream, GOOD)}
    async with placed(fault, tmp_path) as settings:
        timeouts = TIMEOUTS.get(fault, SHORT)
        if "provider" in settings:  # a handshake takes longer than a connection
            timeouts = {**timeouts, "connect": 1}
        limits = LIMITS.get(fault, {})
        async with rig(models, timeouts=timeouts, health=CALM, limits=limits, **settings) as r:
            await check_cells(r, row)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("stream", [False, True])
async def test_row_16_a_reused_connection_that_died_is_replaced_once(
    surface: str, stream: bool
) -> None:
    """Once at the same provider; then as for any failure."""
    models: Served = {"alone/m": ("m",), "both/m": ("m", GOOD)}
    reset = Fault("reset-before-headers")
    cases = (
        (True, (GOOD, reset, GOOD), OK, "one:alone/m"),
        (False, (GOOD, reset, GOOD), OK, "one:both/m"),
        (False, (GOOD, reset, reset), OK, "two:both/m"),
        (True, (GOOD, reset, reset), E502, None),
    )
    async with rig(models, timeouts=SHORT, health=CALM) as r:
        for alone, plays, outcome, server in cases:
            cell = Cell(surface, stream, alone)
            r.one.script("m", *plays)
            first = await r.raw(cell.request)
            await r.quiet()
            second = await r.raw(cell.request)
            await r.quiet()

            assert OK == cell.seen(first)
            assert outcome == cell.seen(second)
            assert server == second.headers.get("x-hedgerow-endpoint")
        assert (7, 1) == r.settled


@pytest.mark.parametrize("surface", SURFACES)
async def test_row_9_a_client_that_was_reassured_is_told_in_the_stream(surface: str) -> None:
    """Its head is out, so the status is; a stand-in still serves it."""
    fault = "fault/stall-before-headers"
    models: Served = {"alone/m": (fault,), "both/m": (fault, GOOD)}
    limits = {"comment_after_s": 0.1}
    async with rig(models, timeouts=SHORT, health=CALM, limits=limits) as r:
        alone = await r.raw(Cell(surface, True, True).request)
        both = await r.raw(Cell(surface, True, False).request)
        await r.quiet()

        assert b": HEDGEROW PROCESSING" in alone.body
        assert (200, 200) == (alone.status, both.status)
        assert b'"timeout"' in alone.body
        assert "🌳🦔" in both.body.decode()
        assert (1, 1) == r.settled


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("stream", [False, True])
async def test_row_33_where_every_endpoint_rests_the_client_is_told_when_to_come_back(
    surface: str, stream: bool
) -> None:
    """A provider that wants to be left alone is; a model's only endpoint is never ejected for failing."""
    models: Served = {"alone/m": ("fault/status-429?retry_after=40",)}
    async with rig(models, timeouts=SHORT) as r:
        cell = Cell(surface, stream, True)
        first, second = await r.raw(cell.request), await r.raw(cell.request)
        await r.quiet()

        assert 1 == len(r.one.log)
        assert (E429, 429) == (cell.seen(first), second.status)
        assert 38 <= int(second.headers["retry-after"]) <= 40
