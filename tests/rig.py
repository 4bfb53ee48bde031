"""Replay providers and a gateway over real sockets, in one block, with a strict client.

    async with rig({"maker/text": ("synthetic/text",)}) as r:
        reply = await r.chat("maker/text", stream=True)

A model is served by one upstream model per provider, in order of price: the first at provider `one`,
the second at `two`. `r.quiet()` waits until every hold is settled and every connection is at rest.
What the gateway logs as an error fails the test at the block's end.
"""

import json
import logging
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import h11
import pytest
import trio

from proxy.catalog.loader import build_catalog
from proxy.config import parse_settings
from proxy.gateway import Gateway
from proxy.ledger.memory import MemoryLedger
from proxy.server import Running, running
from tests.fakes.h2_client import H2Client, h2_client
from tests.fakes.replay import Replay, serve_replay
from tests.fakes.reply import ANSWER_S, READ_BYTES, Reply

PROVIDERS = ("one", "two")
SHORT: dict[str, Any] = {"connect": 0.3, "first_token": 0.5, "idle": 0.5, "total": 2}
"""Deadlines that a test can wait for, seconds."""
LOOPBACK: tuple[str | dict[str, Any], ...] = ("127.0.0.1:0",)
Door = Literal["lane", "h2"]
BINDS: dict[Door, Any] = {
    "lane": "127.0.0.1:0",
    "h2": {"address": "127.0.0.1:0", "http2": True},
}
LANE = pytest.mark.parametrize("door", ["lane"], indirect=True)
"""For a scenario about HTTP/1.1 itself."""
Served = Mapping[str, tuple[str, ...]]
"""Model id -> upstream model at each provider, cheapest first."""


class Client:
    """One connection: what is sent is up to the test, answers are read strictly and in order."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.unread = b""

    @property
    def socket(self) -> trio.socket.SocketType:
        """Below TLS, where there is any."""
        stream = self.stream
        inner = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
        assert isinstance(inner, trio.SocketStream)
        return inner.socket

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        await self.stream.send_all(data)

    async def read(self, method: str = "POST") -> Reply:
        """Read one answer; not `whole` where the connection ended, or was reset, before its end."""
        reply = Reply()
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 22)
        parser.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        parser.send(h11.EndOfMessage())
        if self.unread:
            parser.receive_data(self.unread)
            self.unread = b""
        with trio.fail_after(ANSWER_S):
            while True:
                try:
                    event = parser.next_event()
                    if event is h11.NEED_DATA:
                        parser.receive_data(await self.stream.receive_some(READ_BYTES))
                        continue
                except (h11.RemoteProtocolError, trio.BrokenResourceError):
                    return reply
                if isinstance(event, h11.InformationalResponse):
                    reply.informational += 1
                elif isinstance(event, h11.Response):
                    reply.status = event.status_code
                    reply.headers = {n.decode(): v.decode() for n, v in event.headers}
                elif isinstance(event, h11.Data):
                    reply.body += event.data
                else:
                    reply.whole = isinstance(event, h11.EndOfMessage)
                    self.unread = parser.trailing_data[0]
                    return reply

    async def ask(self, data: bytes, method: str = "POST") -> Reply:
        """Send, then read one answer."""
        await self.send(data)
        return await self.read(method)

    async def ended(self) -> bool:
        """Whether the gateway ends this connection without another byte."""
        with trio.move_on_after(2):
            try:
                return not self.unread and await self.stream.receive_some(1) == b""
            except trio.BrokenResourceError:
                return True
        return False


@dataclass
class Rig:
    """A gateway that answers, and the providers behind it."""

    running: Running
    one: Replay
    two: Replay
    trust: ssl.SSLContext | None = None
    """For listeners with TLS."""
    door: Door = "lane"
    """How clients speak: HTTP/1.1, or HTTP/2 in clear text."""

    @property
    def gateway(self) -> Gateway:
        """The services."""
        return self.running.gateway

    @property
    def url(self) -> str:
        """Base URL of the first listener."""
        return self.running.urls[0]

    @property
    def ledger(self) -> MemoryLedger:
        """The totals."""
        ledger = self.gateway.ledger
        assert isinstance(ledger, MemoryLedger)
        return ledger

    @property
    def settled(self) -> tuple[int, int]:
        """(posted, voided)."""
        return self.ledger.posted, self.ledger.voided

    @asynccontextmanager
    async def client(self, url: str | None = None) -> AsyncIterator[Client | H2Client]:
        """A fresh connection."""
        if self.door == "h2":
            async with h2_client(url or self.url) as client:
                yield client
            return
        stream = await connect(url or self.url, self.trust)
        async with stream:
            yield Client(stream)

    async def raw(self, data: bytes, method: str = "POST") -> Reply:
        """One answer over a fresh connection."""
        async with self.client() as client:
            return await client.ask(data, method)

    async def chat(self, model: str, *, stream: bool = False, **fields: Any) -> Reply:
        """One inference over a fresh connection."""
        return await self.raw(post(chat_body(model, stream=stream, **fields)))

    async def quiet(self, within_s: float = 2.0) -> None:
        """Wait until every hold is settled and no upstream connection is in use."""
        with trio.fail_after(within_s):
            while not self.is_quiet:
                await trio.sleep(0.002)

    @property
    def is_quiet(self) -> bool:
        """Is everything settled and at rest?"""
        pools = self.gateway.upstreams.pools()
        return not self.ledger.held and all(pool.open == pool.idle for pool in pools)


async def connect(url: str, trust: ssl.SSLContext | None = None) -> trio.abc.Stream:
    """A connection to "http://host:port", "https://host:port" or "unix:/path"."""
    if url.startswith("unix:"):
        return await trio.open_unix_socket(url.removeprefix("unix:"))
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    stream = await trio.open_tcp_stream(parts.hostname, parts.port)
    if parts.scheme == "http":
        return stream
    assert trust is not None
    return trio.SSLStream(stream, trust, server_hostname=parts.hostname, https_compatible=True)


def chat_body(model: str, *, stream: bool = False, text: str = "hi", **fields: Any) -> bytes:
    """A chat request."""
    messages = [{"role": "user", "content": text}]
    body = {"model": model, "messages": messages, "stream": stream, **fields}
    return json.dumps(body).encode()


def post(
    body: bytes, path: str = "/api/v1/chat/completions", *lines: str, host: str = "localhost"
) -> bytes:
    """A POST with Content-Length."""
    return head("POST", path, f"Content-Length: {len(body)}", *lines, host=host) + body


def head(method: str, path: str, *lines: str, host: str = "localhost") -> bytes:
    """A request head."""
    every = (f"{method} {path} HTTP/1.1", f"Host: {host}", *lines)
    return ("\r\n".join(every) + "\r\n\r\n").encode("latin-1")


def chunked(body: bytes, size: int, ext: bytes = b"") -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x%b\r\n%b\r\n" % (len(p), ext, p) for p in pieces) + b"0\r\n\r\n"


def models_of(served: Served, prefix: str = "") -> list[dict[str, Any]]:
    """`[[models]]` of the settings: endpoints of a model are dearer from provider to provider."""
    return [
        {
            "id": prefix + model,
            "context_length": 10_000_000,
            "endpoints": [
                {
                    "provider": PROVIDERS[place],
                    "upstream_model": upstream,
                    "prices": {"prompt": str(place + 1), "completion": str(place + 1)},
                }
                for place, upstream in enumerate(upstreams)
            ],
        }
        for model, upstreams in served.items()
    ]


@asynccontextmanager
async def rig(
    served: Served,
    *,
    keys: Iterable[str] = (),
    urls: Mapping[str, str] | None = None,
    bind: tuple[str | dict[str, Any], ...] = LOOPBACK,
    trust: ssl.SSLContext | None = None,
    door: Door = "lane",
    environ: Mapping[str, str] | None = None,
    pacing: str = "",
    provider: Mapping[str, Any] | None = None,
    server: Mapping[str, Any] | None = None,
    complaints: bool = True,
    **tables: Any,
) -> AsyncIterator[Rig]:
    """Run it all while the block runs.

    Args:
        keys: SHA-256 of keys that may call; empty: open mode.
        urls: a provider's base URL, instead of its replay server's.
        pacing: options of the replay servers: "delay_s=0.01&cut_every=7".
        provider: further settings of both providers.
        trust: what clients need for listeners with TLS.
        door: how clients speak.
        complaints: fail where the gateway logs an error.
        tables: further tables of the settings: `timeouts`, `limits`, ...
    """
    failure: BaseException | None = None
    heard = Complaints()
    async with serve_replay() as one, serve_replay() as two:
        segment = f"/~{pacing}" if pacing else ""
        bases = {
            name: f"{replay.url}{segment}/v1"
            for name, replay in zip(PROVIDERS, (one, two), strict=True)
        } | dict(urls or {})
        document: dict[str, Any] = {
            "catalog": "none",
            "server": {
                "bind": [BINDS[door]] if bind is LOOPBACK else list(bind),
                "data": "",
                **(server or {}),
            },
            "providers": {
                name: {"base_url": base, "name": name.title(), **(provider or {})}
                for name, base in bases.items()
            },
            "models": models_of(served),
            **tables,
        }
        document.setdefault(
            "hedging", {"enabled": False}
        )  # tests/scenarios/test_hedging.py turns it on
        settings = parse_settings(document, origin="the test")
        variables = environ or {}
        catalog = build_catalog(settings, environ=variables)
        with heard.heard():
            async with running(settings, catalog, keys=frozenset(keys), environ=variables) as run:
                run.gateway.identities.draw = lambda: 0.0  # the cheapest is always drawn
                try:
                    yield Rig(run, one, two, trust, door)
                except Exception as error:
                    failure = error  # raised below, outside the nurseries' groups
        if failure is not None:
            raise failure
        assert not (complaints and heard.lines), heard.lines


class Complaints(logging.Handler):
    """Errors that were logged: none is expected, whatever clients and providers do."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.getMessage()}: {record.exc_info and record.exc_info[1]!r}")

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listen while the block runs."""
        root = logging.getLogger()
        root.addHandler(self)
        try:
            yield
        finally:
            root.removeHandler(self)
