"""`python -m bench.memory`: what an idle client connection, and an idle stream, cost in memory.

The gateway is a process of its own; this one is client and provider at once. Resident memory before,
after, and the difference per connection, with the kernel's socket buffers left out on either side.
"""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import trio
from rich.console import Console

from bench import servers
from bench.machine import pinning, rss_kib
from bench.posts import post
from bench.servers import HOST

CONNECTIONS, STREAMS = 10_000, 2_000
CONNECTION_KIB_MAX, STREAM_KIB_MAX = 12.0, 40.0
AT_ONCE = 100
"""Connections being set up at a time."""
SETTLE_S = 1.5
"""Pause before memory is read; longer than the reaper's second."""
LIMITS = f"""\
limits.connections_max = {CONNECTIONS + STREAMS + 100}
limits.connections_per_address_max = {CONNECTIONS + STREAMS + 100}
limits.upstream_connections_max = {STREAMS + 100}
limits.idle_connection_s = 600
limits.comment_after_s = 600
timeouts = {{ idle = 600, total = 600 }}
"""
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENT = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    b'[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}\n\n'
)


async def provide(stream: trio.SocketStream) -> None:
    """A provider that says one token and then nothing."""
    async with stream:
        await stream.receive_some(65_536)
        await stream.send_all(HEAD + b"%x\r\n%b\r\n" % (len(EVENT), EVENT))
        await stream.receive_some(1)


class Clients:
    """Connections that stay open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.streams: list[trio.SocketStream] = []

    async def open(self, count: int, request: bytes) -> None:
        """Open `count` connections, send `request` on each and read the beginning of the answer."""
        limiter = trio.CapacityLimiter(AT_ONCE)
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(self._one, request, limiter)

    async def _one(self, request: bytes, limiter: trio.CapacityLimiter) -> None:
        async with limiter:
            stream = await trio.open_tcp_stream(HOST, self._port)
            await stream.send_all(request)
            said = await stream.receive_some(65_536)
            if not said.startswith(b"HTTP/1.1 200"):
                raise servers.BenchError(f"the gateway said {said[:200]!r}")
            self.streams.append(stream)

    async def close(self) -> None:
        """Close all of them."""
        for stream in self.streams:
            await stream.aclose()
        self.streams.clear()


async def measure(console: Console, folder: Path) -> bool:
    """Print both figures; True if both are within their budgets."""
    listeners = await trio.open_tcp_listeners(0, host=HOST, backlog=4096)
    upstream = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, provide, listeners)
        port = servers.free_port()
        command = servers.hedgerow_command(upstream, port, folder, pinning(), more=LIMITS)
        with servers.spawned("hedgerow", command, folder) as child:
            await trio.to_thread.run_sync(
                servers.wait_for, "hedgerow", child, port, "/healthz/ready", folder
            )
            clients = Clients(port)
            ready = f"GET /healthz/live HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
            chat = post("chunks", gateway=True).encoded(HOST)
            good = True
            for what, count, request, budget in (
                ("idle keep-alive connection", CONNECTIONS, ready, CONNECTION_KIB_MAX),
                ("idle stream", STREAMS, chat, STREAM_KIB_MAX),
            ):
                await clients.open(AT_ONCE, request)  # what is made once is made now
                await trio.sleep(SETTLE_S)
                before = rss_kib(child.pid)
                await clients.open(count, request)
                await trio.sleep(SETTLE_S)
                each = (rss_kib(child.pid) - before) / count
                good = good and each <= budget
                verdict = "pass" if each <= budget else "FAIL"
                console.print(
                    f"{what}: {each:.1f} KiB (of {count:,}); budget {budget:.0f}: {verdict}",
                    highlight=False,
                )
            await clients.close()
        nursery.cancel_scope.cancel()
    return good


def main() -> None:
    """Run; an expected failure is one message and exit code 1."""
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            good = trio.run(measure, Console(), folder)
    except servers.BenchError as error:
        Console(stderr=True).print(f"bench: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    sys.exit(not good)


if __name__ == "__main__":
    main()
