"""What a stage may ask of the client's connection; every door provides it."""

from typing import Protocol, TypeAlias

from proxy.model.head import RequestHead

Buffer: TypeAlias = bytes | memoryview
Headers: TypeAlias = bytes
"""Header lines, rendered: "name: value", each with its CRLF."""


class Downstream(Protocol):
    """One request of one client, and the reply to it."""

    head: RequestHead
    local: bool
    """True: the client came over loopback or a unix socket."""
    started: bool
    """True: the reply's head is sent, or about to be; nothing may be retried."""

    async def body(self, bytes_max: int) -> bytes:
        """Read the whole body. Raises: PayloadTooLargeError, RequestTimeoutError."""
        ...

    def start(self, status: int, headers: Headers) -> None:
        """Begin a streamed reply; the head leaves with the first `write`."""
        ...

    def write(self, buffers: list[Buffer]) -> bool:
        """Send a piece of a streamed reply as far as the socket takes it, the rest is kept.

        Returns: True if all is sent; else call `drain` before the next `write`.
        Raises: ClientClosedError.
        """
        ...

    async def drain(self) -> None:
        """Send what is kept. Raises: ClientClosedError, also when the client stops reading."""
        ...

    async def end(self, buffers: list[Buffer]) -> None:
        """Send the last piece of a streamed reply."""
        ...

    async def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole reply that was not started."""
        ...
