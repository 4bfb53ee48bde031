"""Every attack on HTTP/1.1 framing: one refusal, nothing smuggled, and nobody else notices."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.hostile.arena import Arena, Outcome, arena, read_out, split_answers
from tests.hostile.framing_attacks import Attack, attacks
from tests.hostile.whole_attacks import FOREIGN, HELLO, LIVE, PREFACE
from tests.rig import head, post

AT_A_TIME = 16
ATTACKS = attacks()
CUT_BYTES_MAX = 600
"""Attacks that are longer are not sent byte by byte."""
Cut = Callable[[bytes], tuple[bytes, ...]]


def whole(data: bytes) -> tuple[bytes, ...]:
    return (data,)


def singly(data: bytes) -> tuple[bytes, ...]:
    return tuple(data[at : at + 1] for at in range(len(data)))


def in_two(data: bytes, draw: random.Random) -> tuple[bytes, ...]:
    place = draw.randrange(1, len(data))
    return data[:place], data[place:]


def fault(attack: Attack, outcome: Outcome) -> str:
    """What is wrong with what came back; "" for nothing."""
    if not outcome.ended:
        return f"still open after {outcome.after_s:.1f} s, answers {outcome.statuses}"
    if outcome.rest:
        return f"answers {outcome.statuses} and {outcome.rest[:60]!r}"
    if b"smuggled" in outcome.received:
        return f"the canary is in the answers {outcome.statuses}"
    if not attack.permits(outcome.statuses):
        return f"answers {outcome.statuses}"
    last = outcome.answers[-1]
    if last.headers.get("connection") != "close":
        return f"answers {outcome.statuses}, the last without connection: close"
    return ""


async def storm(a: Arena, door: str, some: list[Attack], cut: Cut = whole) -> dict[str, str]:
    """Fire some attacks, several at a time, each followed by an honest request; the faults by name."""
    faults: dict[str, str] = {}
    queue = list(enumerate(some))

    async def work() -> None:
        while queue:
            number, attack = queue.pop()
            pieces = cut(attack.sent(number))
            outcome = await a.fire(
                *pieces, door=door, pause_s=0.0005, bare=attack.data.startswith(b"HEAD ")
            )
            wrong = fault(attack, outcome) or await a.honest(door)
            if wrong:
                faults[attack.name] = wrong

    async with trio.open_nursery() as nursery:
        for _ in range(AT_A_TIME):
            nursery.start_soon(work)
    asked = [entry.body for entry in a.rig.one.log]
    assert not [body for body in asked if b"smuggled" in body]
    assert len(asked) >= len(some) - len(faults)
    return faults


def told(faults: dict[str, str]) -> str:
    """One line per fault."""
    return "\n".join(f"{name}: {wrong}" for name, wrong in sorted(faults.items()))


def test_the_attacks_are_many_and_no_two_are_the_same() -> None:
    assert len(ATTACKS) >= 220
    assert len(ATTACKS) == len({attack.name for attack in ATTACKS})
    assert len(ATTACKS) == len({attack.data for attack in ATTACKS})


CLOSED = b"HTTP/1.1 400 \r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
OPEN = b"HTTP/1.1 404 \r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
REFEREE = [
    (CLOSED, True, True, ""),
    (CLOSED, False, True, "still open"),
    (CLOSED + CLOSED, True, True, "answers [400, 400]"),
    (CLOSED + b"x", True, True, "and b'x'"),
    (CLOSED[:-1], True, True, "answers [] and"),
    (b"", True, True, "answers []"),
    (OPEN + CLOSED, True, True, "answers [404, 400]"),
    (CLOSED.replace(b"connection: close\r\n", b""), True, True, "without connection: close"),
    (CLOSED.replace(b"0\r\n\r\n", b"8\r\n\r\nsmuggled"), True, True, "canary"),
    (CLOSED, True, False, "answers [400]"),
    (CLOSED, True, None, ""),
]
"""What came back, whether the connection ended, whether it had to, and what the referee says."""


@pytest.mark.parametrize(("received", "ended", "ends", "words"), REFEREE)
def test_the_referee_sees_every_foul(
    received: bytes, ended: bool, ends: bool | None, words: str
) -> None:
    answers, rest = split_answers(received)
    said = fault(Attack("", b"", ends=ends), Outcome(received, answers, rest, ended))

    assert words in said
    assert bool(words) == bool(said)


KINDS = [
    ("clear", "fast", False),
    ("tls", "strict", True),
    pytest.param("clear", "strict", True, marks=pytest.mark.slow),
    pytest.param("tls", "fast", False, marks=pytest.mark.slow),
]
"""Listener, parser, and whether HTTP/2 is spoken there, too."""
GRACE = {"body_grace_s": 1}
"""A body that does not come is given up soon."""
SHORT = [
    attack
    for attack in ATTACKS
    if len(attack.sent(0)) < CUT_BYTES_MAX and 408 not in attack.answers[0]
]


def chosen(*, http2: bool) -> list[Attack]:
    """All attacks; but HTTP/2 is none where it is spoken."""
    return [a for a in ATTACKS if not (http2 and a.data.startswith(PREFACE))]


@pytest.mark.parametrize(("door", "parser", "http2"), KINDS)
async def test_every_attack_is_answered_as_it_should_be(
    tmp_path: Path, door: str, parser: str, http2: bool
) -> None:
    async with arena(tmp_path, parser=parser, http2=http2, limits=GRACE) as a:
        faults = await storm(a, door, chosen(http2=http2))
    assert not faults, told(faults)


@pytest.mark.parametrize("parser", ["fast", pytest.param("strict", marks=pytest.mark.slow)])
async def test_an_attack_byte_by_byte_is_the_same_attack(tmp_path: Path, parser: str) -> None:
    some = random.Random(parser).sample(SHORT, 60)
    async with arena(tmp_path, parser=parser) as a:
        faults = await storm(a, "clear", some, singly)
    assert not faults, told(faults)


@pytest.mark.parametrize(
    ("door", "parser", "http2"),
    [("tls", "fast", True), pytest.param("clear", "strict", False, marks=pytest.mark.slow)],
)
async def test_an_attack_in_two_pieces_is_the_same_attack(
    tmp_path: Path, door: str, parser: str, http2: bool
) -> None:
    cut = partial(in_two, draw=random.Random(door))
    async with arena(tmp_path, parser=parser, http2=http2, limits=GRACE) as a:
        faults = await storm(a, door, chosen(http2=http2), cut)
    assert not faults, told(faults)


NO_TLS = {
    "HTTP": head("GET", "/healthz/live"), "a POST": post(b"{}"), "a cut hello": HELLO[:20], "a record of 64 KiB": b"\x16\x03\x03\xff\xff" + b"\0" * 70_000,
    "an alert first": b"\x15\x03\x03\0\x02\x02\x28", "a heartbeat": b"\x18\x03\x02\0\x03\x01\x40\0", "data first": b"\x17\x03\x03\0\x10" + b"\0" * 16, "an empty record": b"\x16\x03\x01\0\0" * 50,
    "CCS first": b"\x14\x03\x03\0\x01\x01" * 50, "a hello of lies": HELLO[:5] + b"\x01\xff\xff\xff" + HELLO[9:] + b"\0" * 200, "two bytes": b"\x16\x03",
} | FOREIGN  # fmt: skip


async def test_what_is_no_tls_is_let_go_and_told_at_most_once(tmp_path: Path) -> None:
    faults: dict[str, str] = {}
    async with arena(tmp_path, limits={"head_time_s": 1}) as a:

        async def try_one(name: str, data: bytes) -> None:
            outcome = await a.fire(data, door="tls", raw=True)
            plain = outcome.received.startswith(b"HTTP/")
            good = outcome.ended and outcome.after_s < 3 and outcome.received.count(b"HTTP/") <= 1
            if not good or (plain and b" 400 " not in outcome.received) or await a.honest("tls"):
                faults[name] = (
                    f"{outcome.ended}, {outcome.after_s:.1f} s, {outcome.received[:80]!r}"
                )

        async with trio.open_nursery() as nursery:
            for name, data in NO_TLS.items():
                nursery.start_soon(try_one, name, data)
    assert not faults, told(faults)


async def test_clear_text_inside_tls_ends_the_connection_unanswered(tmp_path: Path) -> None:
    async with arena(tmp_path) as a:
        for before in (b"", LIVE):
            async with await a.dial("tls") as stream:
                assert isinstance(stream, trio.SSLStream)
                await stream.do_handshake()
                if before:
                    await stream.send_all(before)
                await stream.transport_stream.send_all(head("GET", "/healthz/live"))
                with trio.fail_after(3):
                    assert b"" == (await read_out(stream))[0]
            assert "" == await a.honest("tls")
