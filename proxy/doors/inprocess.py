"""The door of a program that runs the gateway inside itself: a request is an object, not bytes.

Rule 1: everything here lives on the gateway's loop; who calls from another loop crosses over first.
Rule 2: at most one piece of a stream waits to be taken, besides the last; the provider is not read
meanwhile.
Rule 3: a caller in this process is on this machine: its `Host` and `Origin` say nothing.
"""

from collections import deque

import trio

from proxy.doors.answer import answer
from proxy.doors.bridge import AsgiApp
from proxy.errors import ClientClosedError, PayloadTooLargeError
from proxy.gateway import Gateway
from proxy.model.downstream import Buffer, Headers
from proxy.model.head import RequestHead


class InProcess:
    """One request of a program in this process, and the reply to it; also its `Downstream`."""

    def __init__(self, head: RequestHead, body: bytes, *, reader_s: float) -> None:
        """Hold a request.

        Args:
            body: all of it.
            reader_s: seconds that the program may leave a piece of a stream untaken.
        """
        head.headers[b"host"] = b"localhost"
        head.headers.pop(b"origin", None)
        self.head = head
        self.local = True
        self.started = False
        self.complete = False
        """The reply has been handed over whole; pieces of it may still wait to be taken."""
        self.status = 0
        self.headers: Headers = b""
        self.scope = trio.CancelScope()
        self._body = body
        self._reader_s = reader_s
        self._pieces: deque[bytes] = deque()
        self._asked = False
        """The program waits for a piece: the next one is as good as taken."""
        self._over = False
        """Nothing more will come."""
        self._news: trio.Event | None = None
        self._taken: trio.Event | None = None

    # --- the gateway's side ----------------------------------------------------------------------
    async def body(self, bytes_max: int) -> bytes:
        """The whole body. Raises: PayloadTooLargeError."""
        if len(self._body) > bytes_max:
            raise PayloadTooLargeError(f"The request's body exceeds {bytes_max} bytes.")
        return self._body

    def start(self, status: int, headers: Headers) -> None:
        """Begin a streamed reply."""
        self.started = True
        self.status, self.headers = status, headers

    def write(self, buffers: list[Buffer]) -> bool:
        """Offer a piece; False: call `drain` before the next. Raises: ClientClosedError."""
        asked, self._asked = self._asked, False
        self._offer(b"".join(buffers))
        return asked

    async def drain(self) -> None:
        """Wait until the program has taken what was offered. Raises: ClientClosedError."""
        with trio.move_on_after(self._reader_s):
            while self._pieces:
                self._taken = trio.Event()
                await self._taken.wait()
            return
        self.scope.cancel()
        raise ClientClosedError("The program took nothing for too long.")

    async def end(self, buffers: list[Buffer]) -> None:
        """Offer the last piece of a streamed reply. Raises: ClientClosedError."""
        self._offer(b"".join(buffers))
        self.complete = self._over = True

    async def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Offer a whole reply."""
        self.start(status, b"%bcontent-length: %d\r\n" % (headers, len(body)))
        await self.end([] if self.head.method == "HEAD" else [body])

    def finish(self) -> None:
        """Nothing more will come, whether the reply is complete or not."""
        self._over = True
        self._tell()

    def _offer(self, piece: bytes) -> None:
        if self.scope.cancel_called:
            raise ClientClosedError("The program wants no more of this reply.")
        if piece:
            self._pieces.append(piece)
        self._tell()

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()
            self._news = None

    # --- the program's side ----------------------------------------------------------------------
    async def opened(self) -> None:
        """Wait for the reply's head. Raises: trio.BrokenResourceError where there will be none."""
        while not self.started or not (self._pieces or self._over):
            if self._over:
                raise trio.BrokenResourceError("The gateway gave no answer.")
            await self._wait()

    async def piece(self) -> bytes:
        """Take the next piece; empty at the end.

        Raises: trio.BrokenResourceError where the reply breaks off.
        """
        while not self._pieces:
            if self.complete:
                return b""
            if self._over:
                raise trio.BrokenResourceError("The gateway ended the reply before its end.")
            self._asked = True
            await self._wait()
        self._asked = False
        piece = self._pieces.popleft()
        if self._taken is not None:
            self._taken.set()
            self._taken = None
        return piece

    def rest(self) -> bytes | None:
        """All that is left of a reply that is complete; None: there may be more to come."""
        if not self.complete:
            return None
        rest = b"".join(self._pieces)
        self._pieces.clear()
        return rest

    async def _wait(self) -> None:
        self._news = trio.Event()
        try:
            await self._news.wait()
        finally:
            self._news = None

    def leave(self) -> None:
        """Want no more of the reply: cancel what is left to do for it. Idempotent."""
        if not self._over:
            self.scope.cancel()


async def serve_inprocess(gateway: Gateway, app: AsgiApp, call: InProcess) -> None:
    """Answer `call`, whatever happens; `app` has what is not inference."""
    try:
        with call.scope:
            try:
                await answer(gateway, app, call)
            except ClientClosedError:
                gateway.statistics.departed()
        if call.scope.cancelled_caught and not call.complete:
            gateway.statistics.departed()
    finally:
        call.finish()
