"""A streamed reply that was asked for with a key whose limits count it until its end."""

from typing_extensions import override

from proxy.net.connection import Connection
from proxy.net.key import Lease
from proxy.net.pool import Pool
from proxy.net.reply import StreamReply
from proxy.wire.transcript import Transcript


class LeasedReply(StreamReply):
    """A stream and the lease of its key."""

    __slots__ = ("_lease",)

    def __init__(
        self, transcript: Transcript, connection: Connection, pool: Pool, *, keep_alive: bool,
        lease: Lease,
    ) -> None:  # fmt: skip
        super().__init__(transcript, connection, pool, keep_alive=keep_alive)
        self._lease = lease

    @override
    def close(self) -> None:
        """As for any stream; then the key has room for one more."""
        super().close()
        self._lease.release()
