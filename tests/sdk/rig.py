"""A gateway and the provider behind it in a thread of their own, for SDKs that bring their own loop.

    with threaded_rig(recordings) as rig:
        client = openai.OpenAI(base_url=rig.api, api_key=KEY)

The gateway runs in keys mode and serves what the replay server answers under the same names, so that
one call may go through the gateway or straight to the provider: `rig.api` or `rig.provider`. What the
provider of the Messages dialect answers is served as `messages/said-<script>`, `messages-fault/<kind>`, ….
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import trio

from proxy.catalog.loader import build_catalog
from proxy.config import parse_settings
from proxy.server import running
from tests.fakes import wire_faults
from tests.fakes.connection import Served
from tests.fakes.messages_scripts import MESSAGES_SCRIPTS
from tests.fakes.recordings import Recording
from tests.fakes.replay import Replay, serve_replay
from tests.fakes.scripts import SCRIPTS

T = TypeVar("T")

KEY = "sk-hr-v1-of-the-sdk-tests"
PACING = {"quick": "seed=3", "slow": "delay_s=0.02"}
"""Options of the replay server, one provider each."""
MESSAGES_PACING = {f"messages-{name}": pacing for name, pacing in PACING.items()}
"""The same server once more, as providers of the Messages dialect."""
START_S = STOP_S = 30.0
STATUSES = (400, 401, 403, 404, 413, 429, 500, 529)
AGENT = "claude-sonnet-4-5-20250929"
"""The model that a coding agent talks to, at a provider of the Messages dialect; what it says is scripted."""
SMALL_AGENT = "claude-haiku-4-5-20251001"
"""The same at a provider of the chat dialect."""
STALLED = "fault/stall-mid-body?after=5"


@dataclass(frozen=True)
class ThreadedRig:
    """Where to call, and what the provider saw."""

    gateway: str
    """`http://127.0.0.1:<port>`"""
    provider: str
    """Base URL of the provider, for an SDK that is pointed straight at it."""
    replay: Replay
    token: trio.lowlevel.TrioToken
    scope: trio.CancelScope

    @property
    def api(self) -> str:
        """Base URL of the API."""
        return f"{self.gateway}/api/v1"

    @property
    def root(self) -> str:
        """Base URL of the API for an SDK that adds /v1 itself."""
        return f"{self.gateway}/api"

    @property
    def provider_root(self) -> str:
        """The provider for such an SDK."""
        return self.provider.removesuffix("/v1")

    def inside(self, work: Callable[[], T]) -> T:
        """Run a function in the rig's thread."""
        return trio.from_thread.run_sync(work, trio_token=self.token)

    def now(self) -> float:
        """The clock that `Served` is stamped with, seconds."""
        return self.inside(trio.current_time)

    def newest(self, model: str, count: int = 1) -> list[Served]:
        """The last requests for this upstream model, oldest first."""
        return self.inside(lambda: self.replay.served(model)[-count:])

    def closed(self, model: str, within_s: float = 2.0) -> Served:
        """The newest request for this upstream model, once its connection has ended."""
        served = self.newest(model)[0]

        async def wait() -> None:
            with trio.move_on_after(within_s):
                await served.closed.wait()

        trio.from_thread.run(wait, trio_token=self.token)
        return served


@contextmanager
def threaded_rig(recordings: Iterable[Recording]) -> Iterator[ThreadedRig]:
    """Run it while the block runs."""
    ready: Future[ThreadedRig] = Future()
    thread = threading.Thread(target=_live, args=(tuple(recordings), ready), name="sdk-rig")
    thread.start()
    rig = ready.result(START_S)
    try:
        yield rig
    finally:
        rig.token.run_sync_soon(rig.scope.cancel)
        thread.join(STOP_S)
        assert not thread.is_alive()


def _live(recordings: tuple[Recording, ...], ready: Future[ThreadedRig]) -> None:
    try:
        trio.run(_serve, recordings, ready)
    except BaseException as error:
        if ready.done():
            raise
        ready.set_exception(error)


async def _serve(recordings: tuple[Recording, ...], ready: Future[ThreadedRig]) -> None:
    async with serve_replay(recordings) as replay:
        settings = parse_settings(_document(replay.url, recordings), origin="the SDK tests")
        catalog = build_catalog(settings, environ={})
        keys = frozenset({hashlib.sha256(KEY.encode()).hexdigest()})
        async with running(settings, catalog, keys=keys, environ={}) as gateway:
            with trio.CancelScope() as scope:
                provider = f"{replay.url}/~{PACING['quick']}/v1"
                token = trio.lowlevel.current_trio_token()
                ready.set_result(ThreadedRig(gateway.urls[0], provider, replay, token, scope))
                await trio.sleep_forever()


def _document(url: str, recordings: tuple[Recording, ...]) -> dict[str, Any]:
    """Settings: a client may say a recording's name, as it is the provider's own for the model."""
    faults = {f"fault/{kind}": f"fault/{kind}" for kind in wire_faults.kinds()}
    synthetic = {f"synthetic/{name}": f"synthetic/{name}" for name in SCRIPTS}
    statuses = {f"fault/status-{n}": f"fault/status-{n}" for n in STATUSES}
    names = [one.name for one in recordings if "/messages" not in one.path]
    recorded = {f"recorded/{n}": name for n, name in enumerate(names)}
    agent = {"anthropic/claude-haiku-4.5": SMALL_AGENT}
    quick = {"echo/back": "echo"} | agent | synthetic | faults | statuses | recorded
    return {
        "catalog": "none",
        "server": {"bind": [{"address": "127.0.0.1:0", "http2": True}], "data": ""},
        "auth": {"mode": "keys"},
        "providers": {
            name: {"base_url": f"{url}/~{pacing}/v1", "name": name.title(), "dialect": dialect}
            for dialect, providers in (
                ("openai-chat", PACING),
                ("anthropic-messages", MESSAGES_PACING),
            )
            for name, pacing in providers.items()
        },
        "models": [
            *(_model(id_, "quick", upstream) for id_, upstream in quick.items()),
            _model("slow/long", "slow", "synthetic/long"),
            _model("slow/stalled", "slow", STALLED),
            *(_model(id_, "messages-quick", name) for id_, name in _messages(recordings).items()),
            _model("messages-slow/long", "messages-slow", "synthetic/long"),
            _model("messages-slow/stalled", "messages-slow", STALLED),
        ],
    }


def _messages(recordings: tuple[Recording, ...]) -> dict[str, str]:
    """Ids of models at the provider of the Messages dialect, and its own names for them."""
    kinds = [*wire_faults.kinds(), *(f"status-{n}" for n in STATUSES)]
    names = [one.name for one in recordings if "/messages" in one.path]
    return (
        {"messages-echo/back": "echo", "anthropic/claude-sonnet-4.5": AGENT}
        | {f"messages/said-{name}": f"synthetic/{name}" for name in MESSAGES_SCRIPTS}
        | {f"messages-fault/{kind}": f"fault/{kind}" for kind in kinds}
        | {f"messages-recorded/{n}": name for n, name in enumerate(names)}
    )


def _model(id_: str, provider: str, upstream: str) -> dict[str, Any]:
    endpoint = {"provider": provider, "upstream_model": upstream, "prices": "free"}
    return {"id": id_, "context_length": 1_000_000, "endpoints": [endpoint]}
