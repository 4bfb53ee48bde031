"""The whole gateway as one ASGI application: behind the second door, or any ASGI server on trio.

Rule 1: a second task of each request watches `receive`, so that a departure cancels the work at once.
Rule 2: nothing but cancellation gets out. Rule 3: what a server buffers for us is bounded by us.
"""

import logging

import trio

from proxy.doors.answer import answer, refuse
from proxy.doors.asgi_head import read_head
from proxy.doors.bridge import AsgiApp, Message, Receive, Send
from proxy.doors.pace import BodyPace
from proxy.errors import (
    ClientClosedError,
    HedgerowError,
    InvalidRequestError,
    PayloadTooLargeError,
    RequestTimeoutError,
)
from proxy.gateway import Gateway
from proxy.model.downstream import Buffer, Headers
from proxy.model.head import RequestHead
from proxy.policy.admission import is_loopback

log = logging.getLogger("hedgerow.asgi")

UNASKED_BYTES_MAX = 65_536
"""Bytes of a body that are taken in before anybody asks for it."""
LINGER_S = 1.0
"""How long an unread body is dropped behind an early answer."""
EXTENSION = "hedgerow"
"""Our own entry in a scope's extensions: `local` (bool), and `announce`, header lines of every reply."""
HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"te"}
)
SERVER_ENDED = (
    OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError,
)  # fmt: skip
"""How a server says, in `send`, that the client has left."""
POLICY_VIOLATION = 1008
"""Why a websocket is closed; there is none here."""
NO_HEAD = RequestHead("GET", "/", b"", {})


class Inbox:
    """What the client sends, watched from the first moment on."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._pieces: list[bytes] = []
        self._news = trio.Event()
        self._asked = trio.Event()
        self._bytes_max = UNASKED_BYTES_MAX
        self.size = 0
        self.done = False
        """The body is here, or as much of it as will be taken."""
        self.ended = trio.Event()
        """All of the body has come, kept or dropped."""
        self.answered = False
        """The reply has been handed over whole: who leaves now takes it along."""
        self.left = False
        """The client left before that."""

    async def watch(self, work: trio.CancelScope) -> None:
        """Take in the body, then wait for the client to leave; that cancels `work`."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.left = not self.answered
                if self.left:
                    work.cancel()
                return
            if not message.get("more_body", False):
                self.ended.set()
            if self.done:  # what nobody wants is dropped
                await trio.lowlevel.checkpoint()
                continue
            self._take(bytes(message.get("body", b"")))
            if self.size > self._bytes_max and not self._asked.is_set():
                await self._asked.wait()

    def _take(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self.size += len(piece)
        self.done = self.ended.is_set()
        if self._asked.is_set():
            self._judge()
        self._news.set()

    def _judge(self) -> None:
        if self.size > self._bytes_max:
            self.done = True
            self._pieces.clear()

    def ask(self, bytes_max: int) -> None:
        """Take in a body of up to `bytes_max`; of a larger one everything is dropped."""
        self._bytes_max = bytes_max
        self._judge()
        self._asked.set()

    async def wait_news(self) -> None:
        """Wait until there is more of the body."""
        await self._news.wait()
        self._news = trio.Event()

    async def drop(self) -> None:
        """Take in the rest for a moment: a server that closes at once may cost the client its answer."""
        self.ask(0)
        with trio.move_on_after(LINGER_S):
            await self.ended.wait()

    def body(self) -> bytes:
        """What has come, once."""
        body = b"".join(self._pieces)
        self._pieces.clear()
        return body


class AsgiDownstream:
    """One request and the reply to it."""

    def __init__(self, inbox: Inbox, send: Send, scope: Message, gateway: Gateway) -> None:
        """Reply to the request of `scope` with `send`."""
        ours = scope.get("extensions", {}).get(EXTENSION, {})
        client = scope.get("client")
        self.head = NO_HEAD
        self.local: bool = ours.get("local", client is not None and is_loopback(client[0]))
        self.started = False
        self.inbox = inbox
        self._send = send
        self._limits = gateway.settings.limits
        self._clock = gateway.clock
        self._announce: Headers = ours.get("announce", b"")
        self._one_by_one = str(scope["http_version"]).startswith("1")
        """HTTP/1: what follows on the connection depends on where this request ends."""
        self._begin: Message | None = None
        self._unsent = b""
        self._gone = False

    async def body(self, bytes_max: int) -> bytes:
        """Read the whole body."""
        head, inbox = self.head, self.inbox
        known = b"content-length" in head.headers
        inbox.ask(min(bytes_max, head.content_length) if known else bytes_max)
        if head.content_length > bytes_max:
            raise PayloadTooLargeError(f"The request's body exceeds {bytes_max} bytes.")
        pace = BodyPace(self._clock(), bytes_max, self._limits)
        while not inbox.done:
            now = self._clock()
            with trio.move_on_after(pace.deadline(now, inbox.size) - now) as patience:
                await inbox.wait_news()
            if patience.cancelled_caught:
                raise RequestTimeoutError("The request took too long.")
        if not known and inbox.size > bytes_max:
            raise PayloadTooLargeError(f"The request's body exceeds {bytes_max} bytes.")
        if known and inbox.size != head.content_length:
            raise InvalidRequestError("The body's length is not what Content-Length says.")
        return inbox.body()

    def start(self, status: int, headers: Headers) -> None:
        """Begin a streamed reply; the head leaves with the first `write`."""
        lines = (headers + self._announce).split(b"\r\n")[:-1]
        pairs = (
            (name.lower(), value.strip()) for name, _, value in (x.partition(b":") for x in lines)
        )
        fields = [pair for pair in pairs if pair[0] not in HOP_BY_HOP]
        if self.head is NO_HEAD and self._one_by_one:  # nothing that follows can be believed
            fields.append((b"connection", b"close"))
        self._begin = {"type": "http.response.start", "status": status, "headers": fields}
        self.started = True

    def write(self, buffers: list[Buffer]) -> bool:
        """Keep a piece; `drain` sends it."""
        self._unsent += b"".join(buffers)
        return False

    async def drain(self) -> None:
        """Send what is kept. Raises: ClientClosedError."""
        if self._begin is not None:
            begin, self._begin = self._begin, None
            await self._tell(begin)
        if self._unsent:
            data, self._unsent = self._unsent, b""
            await self._tell({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, buffers: list[Buffer]) -> None:
        """Send the last piece of a streamed reply."""
        data, self._unsent = self._unsent + b"".join(buffers), b""
        await self.drain()
        self.inbox.answered = True
        await self._tell({"type": "http.response.body", "body": data, "more_body": False})

    async def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole reply that was not started."""
        if status != 204:
            headers += b"content-length: %d\r\n" % len(body)
        self.start(status, headers)
        pieces: list[Buffer] = [] if self.head.method == "HEAD" else [body]
        if self._one_by_one and not self.inbox.ended.is_set():
            self.write(pieces)
            await self.drain()
            await self.inbox.drop()
            pieces = []
        await self.end(pieces)

    async def _tell(self, message: Message) -> None:
        """Hand a message to the server, which may wait for the client."""
        if self._gone:
            raise ClientClosedError("The client left.")
        size = len(message.get("body", b""))
        limits = self._limits
        with trio.move_on_after(limits.reader_s + size / limits.reader_rate_min) as patience:
            try:
                await self._send(message)
            except SERVER_ENDED:
                self._gone = True
                raise ClientClosedError("The client left.") from None
        if patience.cancelled_caught:
            self._gone = True
            raise ClientClosedError("The client does not read.")


def build_asgi(gateway: Gateway, console: AsgiApp) -> AsgiApp:
    """Inference as the lane serves it, and everything else from the console."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            inbox = Inbox(receive)
            downstream = AsgiDownstream(inbox, send, scope, gateway)
            await _serve(downstream, scope, gateway, console)
        elif scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})

    return app


async def _live(receive: Receive, send: Send) -> None:
    """Services are made and run by whoever made the gateway: there is nothing to start here."""
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


async def _serve(
    downstream: AsgiDownstream, scope: Message, gateway: Gateway, console: AsgiApp
) -> None:
    """One request; whatever it does ends here."""
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(  # noqa: ASYNC113 - nothing to wait for
                downstream.inbox.watch, nursery.cancel_scope
            )
            await _answer(downstream, scope, gateway, console)
            nursery.cancel_scope.cancel()
    except Exception:  # guard: one request's bug is nobody else's
        log.exception("a request failed")
    if downstream.inbox.left:
        gateway.statistics.departed()


async def _answer(
    downstream: AsgiDownstream, scope: Message, gateway: Gateway, console: AsgiApp
) -> None:
    try:
        try:
            downstream.head = read_head(scope, gateway.settings.limits)
        except HedgerowError as error:
            await refuse(error, downstream)
            return
        await answer(gateway, console, downstream)
    except ClientClosedError:
        return  # the server cuts what is not complete
