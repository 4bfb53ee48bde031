"""A gateway whose second door serves HTTP/3 on a loopback port."""

import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio
import trustme

from proxy.doors.hypercorn import HypercornDoor
from proxy.net.server_tls import ServerTls
from tests.fakes.h3_client import H3Client, h3_client
from tests.rig import Rig, Served, rig


@dataclass(frozen=True)
class Datagrams:
    """What a test may look at."""

    rig: Rig
    door: HypercornDoor
    port: int
    authority: trustme.CA
    cert: Path

    def client(self) -> AbstractAsyncContextManager[H3Client]:
        """A fresh connection."""
        return h3_client(self.port, self.authority.cert_pem.bytes())


@asynccontextmanager
async def h3_doorway(served: Served, folder: Path, **options: Any) -> AsyncIterator[Datagrams]:
    """Run it all while the block runs; options of `rig`."""
    authority, cert = trustme.CA(), folder / "cert.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(cert)
    async with rig(served, **options) as r:
        door = HypercornDoor(r.gateway, r.running.app)
        tls = ServerTls(str(cert), None, protocols=("h3",), clock=r.gateway.clock)
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(door.serve_h3, sock, tls)
                yield Datagrams(r, door, sock.getsockname()[1], authority, cert)
                nursery.cancel_scope.cancel()
