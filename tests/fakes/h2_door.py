"""A listener in front of the second door alone; the real one hands connections over in the same way."""

import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio
import trustme

from proxy.doors.hypercorn import HypercornDoor
from proxy.net.tls import shake_hands
from tests.fakes.h2_client import H2Client, h2_client
from tests.rig import Rig, Served, rig


@asynccontextmanager
async def h2_listener(
    door: HypercornDoor, *, tls: ssl.SSLContext | None = None, local: bool = True
) -> AsyncIterator[str]:
    """Accept on a loopback port while the block runs; yields the base URL."""
    listener = trio.socket.socket()
    listener.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
    await listener.bind(("127.0.0.1", 0))
    listener.listen(100)
    port = listener.getsockname()[1]

    async def serve(raw: trio.socket.SocketType) -> None:
        sock = raw._sock  # the standard library's own
        sock.setblocking(False)
        try:
            if tls is not None:
                secured = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                sock = secured
                await shake_hands(secured)
            await door.serve_h2(sock, b"", local=local)
        except OSError:
            return
        finally:
            trio.lowlevel.notify_closing(sock)
            sock.close()

    async with trio.open_nursery() as nursery:

        async def accept() -> None:
            while True:
                sock, _ = await listener.accept()
                nursery.start_soon(serve, sock)

        nursery.start_soon(accept)
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        finally:
            nursery.cancel_scope.cancel()
            listener.close()


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(server's, client's) for "localhost", agreeing on "h2"."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    for context in (server, client):
        context.set_alpn_protocols(["h2"])
    return server, client


@dataclass(frozen=True)
class Doorway:
    """A gateway with its second door open."""

    rig: Rig
    door: HypercornDoor
    url: str
    trust: ssl.SSLContext | None

    def client(self, **options: Any) -> AbstractAsyncContextManager[H2Client]:
        """A fresh connection; options of `h2_client`."""
        return h2_client(self.url, tls=self.trust, **options)


@asynccontextmanager
async def doorway(
    served: Served, *, secure: bool = False, local: bool = True, console: Any = None, **options: Any
) -> AsyncIterator[Doorway]:
    """Run it all while the block runs; `console` instead of ours; options of `rig`."""
    server, trust = contexts() if secure else (None, None)
    async with rig(served, **options) as r:
        door = HypercornDoor(r.gateway, console or r.running.app)
        async with h2_listener(door, tls=server, local=local) as url:
            yield Doorway(r, door, url, trust)
