"""Streams as clients read them: timed by their content, and checked so that no fault gets through."""

import json
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection

import pytest
from hypothesis import given, strategies as st

from loadtests import sse, stamps
from loadtests.answers import Answer, check, read_stream, read_whole
from loadtests.providers import Asked, whole
from loadtests.stamps import BadReplyError
from tests.loadtests.slowly import FIRST_S, GAP_S, PIECES, chunk, event, serving, spoken

NONCE = "1f"
GOOD = spoken(NONCE)
"""A stream as it should be, event by event."""


def ticking() -> Callable[[], float]:
    ticks = iter(range(1, 10_000))
    return lambda: float(next(ticks))


def read(events: list[bytes]) -> Answer:
    return read_stream(events, ticking())


def fault(events: list[bytes]) -> str:
    with pytest.raises(BadReplyError) as caught:
        check(read(events), NONCE, stamped=True)
    return str(caught.value)


@given(st.lists(st.integers(0, 400), max_size=8))
def test_events_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    text = b": a comment\n\ndata: one\n\ndata:two\r\ndata: lines\r\n\r\nevent: x\ndata: three\n\ndata: cut"
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[a:b] for a, b in zip(edges, edges[1:], strict=False)]

    assert [b"one", b"two\nlines", b"three"] == [data for _, data in sse.events(pieces, ticking())]


def test_an_event_has_the_time_at_which_its_last_byte_came() -> None:
    pieces = [b"data: on", b"e\n\ndata: two\n\nda", b"ta: three\n\n"]

    assert [(2.0, b"one"), (2.0, b"two"), (3.0, b"three")] == list(sse.events(pieces, ticking()))


def test_an_event_without_end_is_not_waited_for() -> None:
    with pytest.raises(ValueError, match="longer than"):
        list(sse.events([b"data: ", b"x" * (sse.EVENT_BYTES_MAX + 1)], ticking()))


def test_a_good_stream_is_read_and_belongs_to_its_request() -> None:
    answer = read(GOOD)

    assert ("stop", PIECES, []) == (answer.finish, answer.completion_tokens, answer.calls)
    stamp = check(answer, NONCE, stamped=True)
    assert stamp is not None
    assert ("steady", NONCE, PIECES, 0.3) == (
        stamp.provider,
        stamp.nonce,
        stamp.pieces,
        stamp.waited_s,
    )


def test_neither_a_role_nor_a_comment_is_the_first_content() -> None:
    answer = read([GOOD[0], b": waiting\n\n", *GOOD[1:]])

    assert 3.0 == answer.first_at
    assert [1.0] * (PIECES - 1) == answer.gaps_s


def test_a_client_that_buffers_sees_the_first_content_at_the_end() -> None:
    answer = read([b"".join(GOOD)])

    assert 1.0 == answer.first_at
    assert [] == answer.gaps_s


FAULTS = [
    ("no [DONE]", lambda e: e[:-1]),
    ("events after [DONE]", lambda e: [*e, e[1]]),
    ("no usage", lambda e: [*e[:-2], e[-1]]),
    ("no finish reason", lambda e: [*e[:-3], *e[-2:]]),
    ("no content", lambda e: [e[0], *e[-3:]]),
    ("mixed content", lambda e: [*e[:2], *e[3:]]),
    ("mixed content", lambda e: [*e[:3], *e[2:]]),
    ("mixed content", lambda e: [*e[:2], e[2].replace(b"/1f/", b"/2e/"), *e[3:]]),
    ("mixed content", lambda e: [*e[:2], e[2].replace(b"steady/", b"quick/"), *e[3:]]),
    ("pieces and usage differ", lambda e: [*e[:-2], e[-2].replace(b'":%d' % PIECES, b'":9'), e[-1]]),
    ("content of another request", lambda e: spoken("2e")),
    ("no stamp", lambda e: [e[0], event(chunk({"content": "Hello"})), *e[-3:]]),
    ("content after the end", lambda e: [*e[:-2], e[1], *e[-2:]]),
    ("chunks of different ids", lambda e: [e[0].replace(b"chat-1", b"chat-2"), *e[1:]]),
    ("not JSON", lambda e: [*e[:2], b"data: {\n\n", *e[2:]]),
    ("not a JSON object", lambda e: [*e[:2], b"data: []\n\n", *e[2:]]),
    ("error 502 in the reply", lambda e: [*e[:2], event({"error": {"code": 502}}), *e[-1:]]),
    ("no choices", lambda e: [*e[:2], event({"id": "chat-1"}), *e[2:]]),
    ("no delta", lambda e: [event({"id": "chat-1", "choices": [{"index": 0}]}), *e]),
    ("finish reason error", lambda e: [*e[:-3], event(chunk({}, "error")), *e[-2:]]),
    ("finish reason length", lambda e: [*e[:-2], event(chunk({}, "length")), *e[-2:]]),
    ("finish reason and tool calls differ", lambda e: [*e[:-3], event(chunk({}, "tool_calls")), *e[-2:]]),
]  # fmt: skip


@pytest.mark.parametrize(("words", "damage"), FAULTS)
def test_a_damaged_stream_is_refused_in_few_words(
    words: str, damage: Callable[[list[bytes]], list[bytes]]
) -> None:
    assert words == fault(damage(GOOD))


def called(*deltas: dict[str, object]) -> list[bytes]:
    calls = [event(chunk({"tool_calls": [delta]})) for delta in deltas]
    return [*GOOD[:-3], *calls, event(chunk({}, "tool_calls")), *GOOD[-2:]]


def part(
    index: int, arguments: str, *, id: str | None = None, name: str | None = None
) -> dict[str, object]:
    return {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}


def test_a_tool_call_is_put_together_from_its_parts() -> None:
    arguments = json.dumps({"provider": "steady", "nonce": NONCE})
    answer = read(
        called(part(0, arguments[:9], id="call_1", name="look_up"), part(0, arguments[9:]))
    )

    assert check(answer, NONCE, stamped=True)
    [call] = answer.calls
    assert ("call_1", "look_up", arguments) == (call.id, call.name, call.arguments)


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (
            "tool call of another request",
            part(0, '{"provider": "steady", "nonce": "2e"}', id="a", name="b"),
        ),
        ("tool arguments are not JSON", part(0, "{", id="a", name="b")),
        ("tool call without id or name", part(0, "{}")),
        ("tool call out of order", part(1, "{}", id="a", name="b")),
    ],
)
def test_a_damaged_tool_call_is_refused(words: str, call: dict[str, object]) -> None:
    assert words == fault(called(call))


@pytest.mark.parametrize("tools", [False, True])
def test_a_whole_answer_of_our_providers_is_good_in_one_piece(tools: bool) -> None:
    asked = Asked("quick", NONCE, stream=False, pieces=3, tools=tools, turn=0)
    body = json.dumps(whole(asked, 0.25)).encode()
    answer = read_whole([body[:50], body[50:]], ticking())
    stamp = check(answer, NONCE, stamped=True)

    assert stamp is not None
    assert (0.25, 3, int(tools)) == (stamp.waited_s, stamp.pieces, len(answer.calls))


def test_an_answer_of_a_real_provider_needs_no_stamp() -> None:
    answer = read([GOOD[0], event(chunk({"content": "Hello"})), *GOOD[-3:]])

    assert check(answer, NONCE, stamped=False) is None


def test_a_prompt_names_its_nonce() -> None:
    assert NONCE == stamps.asked(f"{stamps.ask(NONCE)} Hello [#2e]")
    assert "0" == stamps.asked("Hello")


def test_over_a_socket_the_first_content_is_timed_and_not_the_end() -> None:
    def pieces() -> Iterator[bytes]:
        while piece := reply.read1(65_536):
            yield piece

    with serving() as port:
        connection = HTTPConnection("127.0.0.1", port)
        began = time.perf_counter()
        connection.request("POST", "/", json.dumps({"messages": [{"content": "[#1f]"}]}))
        reply = connection.getresponse()
        answer = read_stream(pieces(), time.perf_counter)
        connection.close()
    first_s, whole_s = answer.first_at - began, answer.ended_at - began

    assert FIRST_S <= first_s < FIRST_S + 2 * GAP_S
    assert whole_s >= FIRST_S + (PIECES - 1) * GAP_S
    assert len(answer.gaps_s) == PIECES - 1
    assert GAP_S / 2 < sorted(answer.gaps_s)[len(answer.gaps_s) // 2] < 2 * GAP_S
