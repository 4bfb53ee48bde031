r"""Raw HTTP/1.1 attacks, and what a gateway may do about each.

Rule 1: what is refused is answered once, then the connection ends; nothing behind it is read.
Rule 2: `<canary>` is two requests that must never be answered; where an attack has none, `Attack.sent`
puts them behind it, unless the connection must go on. Rule 3: `LAST`, sent behind everything, is
answered exactly where the connection goes on, and ends it.

`<chat>` is a good body for a chat and `<n>` its size in hexadecimal; `<len>` and `<lenx>` are the
canary's size, decimal and hexadecimal. Sources: RFC 9112, 9110 and 3986.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.hostile import chunk_attacks as chunks, head_attacks as heads, whole_attacks as whole
from tests.hostile.whole_attacks import LIVE, POSTED
from tests.rig import chat_body, head, post

LAST = LIVE + b"Connection: close\r\n\r\n"
GOOD = chat_body("a/m")

Statuses = frozenset[int]
BAD, FINE, SLOW = frozenset({400}), frozenset({200}), frozenset({408})
FORBIDDEN, LARGE, FIELDS_LARGE = frozenset({403}), frozenset({413}), frozenset({431})
NONE_SUCH = frozenset({404, 405})


@dataclass(frozen=True)
class Attack:
    """Bytes, and what may come back."""

    name: str
    data: bytes
    answers: tuple[Statuses, ...] = (BAD,)
    """Statuses allowed for each answer, in order."""
    ends: bool | None = True
    """The connection ends behind these answers; False: `LAST` is answered; None: either."""

    def sent(self, number: int) -> bytes:
        """What goes over the wire; `number` makes the canary tell whose it is."""
        bird = canary(number)
        data = self.data if b"<canary>" in self.data or self.ends is not True else self.data + bird
        for mark, value in (
            (b"<chat>", GOOD), (b"<n>", b"%x" % len(GOOD)), (b"<canary>", bird),
            (b"<lenx>", b"%x" % len(bird)), (b"<len>", b"%d" % len(bird)),
            (b"<size>", b"%d" % len(GOOD)),
        ):  # fmt: skip
            data = data.replace(mark, value)
        return data + LAST

    def permits(self, statuses: list[int]) -> bool:
        """Whether these answers, behind which the connection ended, are as they should be."""
        count = len(self.answers)
        pairs = zip(statuses, self.answers, strict=False)
        if len(statuses) < count or not all(status in allowed for status, allowed in pairs):
            return False
        return (self.ends is not False and len(statuses) == count) or (
            self.ends is not True and statuses[count:] == [200]
        )


def canary(number: int) -> bytes:
    """Two requests that nobody may answer: a path that is told apart, and an inference."""
    return head("GET", f"/smuggled-{number}") + post(chat_body("a/echo", text=f"smuggled-{number}"))


def attacks() -> list[Attack]:
    """All of them, in the order of the tables."""
    return [*_starts(), *_fields(), *_bodies(), *_whole()]


def _starts() -> Iterator[Attack]:
    odd = BAD | {404, 405, 501}
    for table, statuses, ends in (
        (heads.STARTS, BAD, True),
        (heads.VERSIONS, BAD | {505}, True),
        (heads.METHODS, odd, None),
        (heads.TARGETS_TOO_LONG, BAD | {414, 431}, True),
    ):
        for name, line in table.items():
            data = line + b"\r\nHost: localhost\r\n\r\n"
            yield Attack(f"start: {name}", data, (statuses,), ends)
    for name, path in heads.PATHS.items():
        yield Attack(f"path: {name}", head_of(b"GET", path), (BAD | {404},), None)


def _fields() -> Iterator[Attack]:
    for table, statuses, ends in (
        (heads.FIELDS, BAD, True),
        (heads.FIELDS_TOO_MANY, BAD | FIELDS_LARGE, True),
        (heads.FIELDS_TOO_LONG, FIELDS_LARGE, True),
        (heads.FIELDS_LEGAL, FINE, False),
        (heads.FIELDS_LAST, FINE, True),
        (heads.EXPECTATIONS, BAD | {417}, True),
    ):
        for name, lines in table.items():
            yield Attack(f"field: {name}", LIVE + lines + b"\r\n", (statuses,), ends)
    for name, host in heads.HOSTS.items():
        yield Attack(f"host: {name}", head_of(b"GET", b"/healthz/live", host))
    for name, host in heads.HOSTS_FOREIGN.items():
        data = head_of(b"GET", b"/healthz/live", host)
        yield Attack(f"host: {name}", data, (FORBIDDEN,), None)


def _bodies() -> Iterator[Attack]:
    for name, lines in heads.LENGTHS.items():
        yield Attack(f"length: {name}", POSTED + lines + b"\r\n[1,2]")
    for name, lines in heads.CODINGS.items():
        yield Attack(f"coding: {name}", POSTED + lines + b"\r\n0\r\n\r\n", (BAD | {501},))
    for name, lines in heads.CODINGS_LEGAL.items():
        data = POSTED + lines + b"\r\n" + chunks.sized(b"<n>")
        yield Attack(f"coding: {name}", data, (FINE,), False)
    for table, statuses, ends in (
        (chunks.CHUNKS, BAD, True),
        (chunks.TOO_LONG, BAD | LARGE | SLOW | FIELDS_LARGE, True),
        (chunks.CHUNKS_LEGAL, FINE, False),
        (chunks.CHUNKS_ODD, BAD | FINE, None),
    ):
        for name, raw in table.items():
            data = POSTED + b"Transfer-Encoding: chunked\r\n\r\n" + raw
            yield Attack(f"chunk: {name}", data, (statuses,), ends)


def _whole() -> Iterator[Attack]:
    for name, data in whole.FOREIGN.items():
        yield Attack(f"no HTTP: {name}", data)
    for name, (start, statuses) in whole.CARRIERS.items():
        for how, framing in whole.FRAMINGS.items():
            yield Attack(f"smuggled {how}: {name}", start + framing, (statuses,), None)
    for table, count, statuses, ends in (
        (whole.LEGAL, 1, FINE, False),
        (whole.LAST_ONES, 1, FINE, True),
        (whole.ODD, 1, BAD | FINE | NONE_SUCH | {204, 411, 501}, None),
        (whole.TOO_LARGE, 1, LARGE, True),
        (whole.TOO_SHORT, 1, SLOW, True),
        (whole.HUNDRED, 100, FINE, False),
    ):
        for name, data in table.items():
            yield Attack(name, data, (statuses,) * count, ends)
    for name, (data, *answers) in whole.SECOND_REFUSED.items():
        yield Attack(name, data, tuple(frozenset({status}) for status in answers))


def head_of(method: bytes, target: bytes, host: bytes = b"localhost") -> bytes:
    """A request's head, not checked for anything."""
    return b"%b %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (method, target, host)
