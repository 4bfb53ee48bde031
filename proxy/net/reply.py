"""A streamed reply on its connection, from the first content to its end."""

from proxy.errors import HedgerowError, UpstreamUnavailableError
from proxy.model.downstream import Buffer
from proxy.net.connection import Connection
from proxy.net.pool import Pool
from proxy.wire.transcript import Transcript


class StreamReply:
    """Implements `model.outcome.Reply` for a stream."""

    __slots__ = ("_connection", "_keep_alive", "_pool", "_transcript")

    def __init__(
        self, transcript: Transcript, connection: Connection, pool: Pool, *, keep_alive: bool
    ) -> None:
        self._transcript = transcript
        self._connection: Connection | None = connection
        self._pool = pool
        self._keep_alive = keep_alive

    def done(self) -> bool:
        """Ended or failed."""
        return self._transcript.ended or self._transcript.failure is not None

    @property
    def failure(self) -> HedgerowError | None:
        """Why the reply broke off."""
        return self._transcript.failure

    @property
    def content(self) -> int:
        """Frames with content so far."""
        return self._transcript.content

    async def receive(self) -> list[Buffer]:
        """Wait for bytes; what the client gets of them. Safe to cancel and call again.

        Empty also where the wait was interrupted by `wake_at`.
        """
        assert self._connection is not None
        try:
            data = await self._connection.receive()
        except InterruptedError:
            return []
        except OSError:
            self._transcript.failure = UpstreamUnavailableError("Provider reset the connection.")
            return []
        return self._transcript.feed(data) if data else self._transcript.close()

    def wake_at(self, deadline: float) -> None:
        """Interrupt `receive` soon after `deadline`."""
        connection = self._connection
        if connection is not None:
            connection.deadline = deadline
            self._pool.watch.waits.add(connection)

    def close(self) -> None:
        """Give the connection back if it can serve again, close it otherwise; idempotent."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._keep_alive and self._transcript.reusable:
            self._pool.give(connection, self._transcript.tail)
        else:
            self._pool.discard(connection)


class WholeReply:
    """Implements `model.outcome.Reply` for a reply that is read already."""

    failure: HedgerowError | None = None
    content = 1

    def done(self) -> bool:
        """It is read already."""
        return True

    async def receive(self) -> list[Buffer]:
        """Nothing more comes."""
        return []

    def wake_at(self, deadline: float) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """The connection is given back already."""
