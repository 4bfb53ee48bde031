"""The one way out for everything beside the hot path: checked, bounded, and never by a proxy.

Search engines, fetched files, catalogues, sign-in, webhooks: each asks here. `Egress` speaks our own
words; `net.egress_transport` is the same for who speaks httpx.

Rule 1: a URL is read once, by `policy.destinations`, and what is sent is what was read then.
Rule 2: no redirect is followed here (`net.fetching` checks each as a new URL).
Rule 3: `accept-encoding: identity`, whoever asks: a coded reply is decoded within its bound anyway.
Rule 4: a request is sent twice only if it is idempotent and a kept-alive connection had died.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import trio

from proxy.errors import (
    InvalidRequestError,
    PayloadTooLargeError,
    StaleConnectionError,
    UpstreamUnavailableError,
)
from proxy.net.connection import Connection
from proxy.net.egress_pool import EgressPool, Slot
from proxy.net.egress_reply import Deadlines, EgressLimits, EgressReply, too_slow
from proxy.policy.destinations import WEB, Destination, Reach, check_url
from proxy.units import Seconds
from proxy.wire.http1 import ResponseHeadReader
from proxy.wire.rules import ResponseHead

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
METHODS = IDEMPOTENT | {"POST", "PATCH"}
OURS = frozenset(
    (b"accept-encoding", b"connection", b"content-length", b"expect", b"host", b"keep-alive",
     b"proxy-authorization", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)  # fmt: skip
"""Fields that only we set, or nobody."""
NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
USER_AGENT = b"user-agent"

Fields: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""(name, value)."""
LIMITS = EgressLimits()


@dataclass(frozen=True, slots=True)
class Message:
    """What is asked, wherever it goes."""

    method: str = "GET"
    headers: Fields = field(default=(), repr=False)
    """Those in OURS are left out."""
    body: bytes = field(default=b"", repr=False)

    def encoded(self, destination: Destination) -> bytes:
        """The whole request. Raises: InvalidRequestError for a method or field that is none."""
        if self.method not in METHODS:
            raise InvalidRequestError("The request's method is unknown.")
        lines = [
            f"{self.method} {destination.target} HTTP/1.1".encode(),
            f"host: {destination.authority}".encode(),
            b"accept-encoding: identity",
        ]
        names = set()
        for name, value in self.headers:
            if not NAME.fullmatch(name) or not VALUE.fullmatch(value):
                raise InvalidRequestError("A header field of the request is malformed.")
            names.add(name.lower())
            if name.lower() not in OURS:
                lines.append(b"%b: %b" % (name, value))
        if USER_AGENT not in names:
            lines.append(b"user-agent: hedgerow")
        if self.body or self.method in {"POST", "PUT", "PATCH"}:
            lines.append(b"content-length: %d" % len(self.body))
        return b"\r\n".join((*lines, b"", self.body))


class Egress:
    """Asks; the pool and the bounds are its own."""

    def __init__(
        self, pool: EgressPool, clock: Callable[[], Seconds], *,
        reach: Reach = WEB, limits: EgressLimits = LIMITS,
    ) -> None:  # fmt: skip
        """Several may share a pool.

        Args:
            reach: what may be asked for.
            limits: for who gives none of its own.
        """
        self._pool = pool
        self._clock = clock
        self.reach = reach
        self.limits = limits

    def check(self, url: str) -> Destination:
        """Read a URL that may be asked for here. Raises: InvalidRequestError."""
        return check_url(url, self.reach)

    def deadlines(self, limits: EgressLimits) -> Deadlines:
        """The time that a request with these limits has, from now."""
        return Deadlines(self._clock, limits.total_s)

    async def ask(
        self, destination: Destination, message: Message, limits: EgressLimits | None = None,
        deadlines: Deadlines | None = None,
    ) -> EgressReply:  # fmt: skip
        """Send one request; returns when the reply's head is there.

        Args:
            destination: made by `check`.
            deadlines: of a larger undertaking; None: as `limits` say, from now.
        Returns: a reply that must be read to its end or closed.
        Raises: InvalidRequestError, PayloadTooLargeError, ShedError, UpstreamUnavailableError,
            UpstreamTimeoutError.
        """
        limits = limits or self.limits
        deadlines = deadlines or self.deadlines(limits)
        if len(message.body) > limits.request_bytes_max:
            raise PayloadTooLargeError("The request's body exceeds the size limit.")
        data = message.encoded(destination)
        try:
            with deadlines.within(), as_source():
                slot = await self._pool.slot(destination)
                try:
                    return await _exchange(slot, message.method, data, limits, deadlines)
                except BaseException:
                    slot.drop()
                    raise
        except trio.TooSlowError:
            raise too_slow() from None

    def close(self) -> None:
        """Close the pool."""
        self._pool.close()


async def _exchange(
    slot: Slot, method: str, data: bytes, limits: EgressLimits, deadlines: Deadlines
) -> EgressReply:
    """Send, and read the head; once more where a kept-alive connection had died."""
    say = partial(_say, method=method, data=data, limits=limits, deadlines=deadlines)
    try:
        return await say(slot, fresh=False)
    except StaleConnectionError:
        if method not in IDEMPOTENT:
            raise
    return await say(slot, fresh=True)


async def _say(
    slot: Slot, *, fresh: bool, method: str, data: bytes, limits: EgressLimits, deadlines: Deadlines
) -> EgressReply:
    with deadlines.within(limits.connect_s):
        connection = await slot.connect(fresh=fresh)
    reader = ResponseHeadReader(limits.head_bytes_max)
    try:
        connection.queue(data)
        await connection.flush()
        head, rest = await _head(connection, reader, limits, deadlines)
    except OSError:
        if connection.served and not reader.started:
            raise StaleConnectionError("Source had closed the connection.") from None
        raise UpstreamUnavailableError("Source closed the connection without a reply.") from None
    bodiless = method == "HEAD"
    reply = EgressReply(slot, head, bodiless=bodiless, limits=limits, deadlines=deadlines)
    reply.feed(rest)
    return reply


async def _head(
    connection: Connection, reader: ResponseHeadReader, limits: EgressLimits, deadlines: Deadlines
) -> tuple[ResponseHead, bytes]:
    """The head, and what came behind it. Raises: ConnectionError at the end of the connection."""
    while True:
        with deadlines.within(limits.silence_s):
            data = await connection.receive()
        if not data:
            raise ConnectionResetError
        found = reader.feed(data)
        if found is not None:
            return found


@contextmanager
def as_source() -> Iterator[None]:
    """Call the far side what it is here: what we share with the hot path says "Provider"."""
    try:
        yield
    except UpstreamUnavailableError as error:
        error.message = error.message.replace("Provider", "Source", 1)
        error.args = (error.message,)
        raise
