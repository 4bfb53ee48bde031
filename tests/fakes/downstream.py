"""A client, a provider and a ledger that live in memory: what stages are given in their own tests."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import trio

from proxy.catalog.catalog import Catalog
from proxy.config import Settings
from proxy.errors import HedgerowError
from proxy.gateway import Gateway
from proxy.ledger.interface import Entry, Hold
from proxy.live.live import build_live
from proxy.model.call import Call
from proxy.model.downstream import Buffer
from proxy.model.endpoint import Endpoint, Model
from proxy.model.event import Finished, Native, Text, Usage
from proxy.model.head import RequestHead
from proxy.model.meter import Delivered, Tried
from proxy.model.outcome import Opened
from proxy.net.clock import Identities
from proxy.observe.statistics import Statistics
from proxy.policy.preferences import read_preferences
from proxy.policy.roster import make_roster
from proxy.units import NanoDollars, Seconds
from tests.fakes.things import a_model, a_provider


@dataclass
class FakeDownstream:
    """A client in memory; `sent` is all that it got."""

    head: RequestHead = field(
        default_factory=lambda: RequestHead("POST", "/", b"", {b"host": b"localhost"})
    )
    local: bool = True
    started: bool = False
    request_body: bytes = b"{}"
    slow: bool = False
    """Every `write` asks for a `drain`."""
    leaves: HedgerowError | None = None
    """Raised by the next write or drain."""
    status: int = 0
    headers: bytes = b""
    written: list[bytes] = field(default_factory=list)
    drained: int = 0
    ended: bool = False

    async def body(self, bytes_max: int) -> bytes:
        await trio.lowlevel.checkpoint()
        assert len(self.request_body) <= bytes_max
        return self.request_body

    def start(self, status: int, headers: bytes) -> None:
        assert not self.started
        self.started, self.status, self.headers = True, status, headers

    def write(self, buffers: list[Buffer]) -> bool:
        assert self.started
        assert not self.ended
        if self.leaves is not None:
            raise self.leaves
        self.written.append(b"".join(buffers))
        return not self.slow

    async def drain(self) -> None:
        await trio.lowlevel.checkpoint()
        self.drained += 1

    async def end(self, buffers: list[Buffer]) -> None:
        await trio.lowlevel.checkpoint()
        self.write(buffers)
        self.ended = True

    async def reply(self, status: int, headers: bytes, body: bytes) -> None:
        await trio.lowlevel.checkpoint()
        assert not self.started
        self.started = self.ended = True
        self.status, self.headers = status, headers
        self.written.append(body)

    @property
    def sent(self) -> bytes:
        return b"".join(self.written)


@dataclass
class FakeReply:
    """A provider's reply: pieces after some silence each, then its end."""

    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    """(seconds of silence, bytes; none for a comment of the provider's)."""
    failure: HedgerowError | None = None
    """How it ends."""
    content: int = 0
    closed: int = 0
    deadline: float = math.inf
    _due: float | None = None

    def done(self) -> bool:
        return not self.pieces

    async def receive(self) -> list[Buffer]:
        silence_s, piece = self.pieces[0]
        now = trio.current_time()
        self._due = now + silence_s if self._due is None else self._due
        await trio.sleep(max(min(self._due, self.deadline) - now, 0))
        if trio.current_time() < self._due:
            self.deadline = math.inf
            return []
        self._due = None
        self.pieces.pop(0)
        self.content += bool(piece)
        return [piece] if piece else []

    def wake_at(self, deadline: float) -> None:
        self.deadline = deadline

    def close(self) -> None:
        self.closed += 1


class FakeEncoder:
    """Writes the names of events."""

    def feed(self, events: list[Any]) -> bytes:
        return b"".join(b"<%b>" % type(event).__name__.encode() for event in events)


@dataclass
class FakeLedger:
    """Keeps every movement; `lasts_s` is how long an entry takes to be durable."""

    lasts_s: float | None = None
    moves: list[tuple[str, object]] = field(default_factory=list)
    durable_at: list[float] = field(default_factory=list)
    told: list[tuple[str, str, tuple[Tried, ...]]] = field(default_factory=list)
    """Attempts, call by call: generation, account, records."""

    def attempts(self, generation_id: str, account: str, records: Sequence[Tried]) -> None:
        self.told.append((generation_id, account, tuple(records)))

    def hold(self, account: str, amount: NanoDollars, output_tokens_max: int | None) -> Hold:
        self.moves.append(("hold", amount))
        return Hold(len(self.moves), account, amount, output_tokens_max)

    def post(self, hold: Hold, entry: Entry) -> "FakeLedger | None":
        self.moves.append(("post", entry))
        return None if self.lasts_s is None else self

    def void(self, hold: Hold, reason: str) -> "FakeLedger | None":
        self.moves.append(("void", reason))
        return None if self.lasts_s is None else self

    async def durable(self) -> None:
        await trio.sleep(self.lasts_s or 0)
        self.durable_at.append(trio.current_time())


def a_gateway(
    *models: Model,
    settings: Settings | None = None,
    keys: Iterable[str] = (),
    ledger: FakeLedger | None = None,
    upstreams: Any = None,
    ceilings: Mapping[str, Any] | None = None,
    clock: Callable[[], float] = trio.current_time,
) -> Gateway:
    """Services without sockets; ids and the date are always the same."""
    served = models or (a_model(),)
    identities = Identities(b"seed")
    identities.draw = lambda: 0.0  # the cheapest is always drawn
    return Gateway(
        settings=settings or Settings(),
        catalog=Catalog(models=served, providers=[a_provider()], aliases={}),
        upstreams=upstreams,
        ledger=cast("Any", ledger or FakeLedger()),
        statistics=Statistics(),
        identities=identities,
        keys=frozenset(keys),
        live=build_live(
            settings or Settings(),
            {model.id: len(model.endpoints) for model in served},
            cast("Callable[[], Seconds]", clock),
        ),
        rosters={m.id: make_roster(m, read_preferences(dict(ceilings or {}))) for m in served},
        clock=cast("Callable[[], Seconds]", clock),
        unix=lambda: 1_700_000_000,
        ready=lambda: True,
    )


def opened(call: Call, endpoint: Endpoint, **changes: Any) -> Opened:
    """What an attempt that won hands on: a sound reply to `call`."""
    fields: dict[str, Any] = {
        "endpoint": endpoint,
        "reply": FakeReply(),
        "delivered": Delivered(output_bytes=8, usage=Usage(3, 4)),
        "encoder": FakeEncoder(),
    }
    if not call.stream:
        native = Native("openai-chat", {"choices": []})
        fields["events"] = [native, Text("said"), Finished("stop", "stop")]
    return Opened(**{**fields, **changes})


def namespace(**fields: Any) -> Any:
    """An object with these attributes, of whatever type is asked for."""
    return SimpleNamespace(**fields)
