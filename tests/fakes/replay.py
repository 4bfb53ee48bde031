"""An upstream for tests: replays recorded exchanges, synthetic ones, and faults on demand.

The model of a request (see `asks`) chooses the answer:
`echo` or `echo/…` says the last user message back; `synthetic/<script>` (`scripts.SCRIPTS`);
`fault/<kind>?…` (`fault.Fault`, `wire_faults.kinds`); the name of a recording; or whatever
`Replay.script` set. Others get 404. GET …/models lists them. The path chooses the dialect of all but
recordings: `…/chat/completions`, or `…/messages` and `…/messages/count_tokens`.

By hand: `python -m tests.fakes.replay --port 9101`.
"""

from __future__ import annotations

import argparse
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

import trio

from tests.fakes import wire_faults
from tests.fakes.asks import Ask, read_ask
from tests.fakes.connection import Connection, Served
from tests.fakes.fault import Fault
from tests.fakes.framing import Pacing, Steps, counted, pieces_of, streamed
from tests.fakes.messages_faults import is_count, speaks_messages
from tests.fakes.messages_recordings import load_messages_recordings
from tests.fakes.messages_scripts import MESSAGES_SCRIPTS
from tests.fakes.recordings import ABSENT, Recording, load_recordings
from tests.fakes.scripts import SCRIPTS, Script, encode

HOST = "127.0.0.1"
HEALTHY = "healthy"
"""Not a fault: the kind that leaves the answer as it is."""

Play = str | Fault | Script | Recording
"""What answers a scripted model; a str is the name of another model."""


class Replay:
    """A running server and its log; made by `serve_replay`."""

    def __init__(self, recordings: Iterable[Recording], pacing: Pacing) -> None:
        self.url = ""
        """`http://127.0.0.1:<port>`, without a trailing slash."""
        self.log: list[Served] = []
        """Every request, in the order they were read."""
        self.connections = 0
        """Accepted so far."""
        self.down = False
        """While set, new connections are reset at once; open ones go on."""
        self._pacing = pacing
        self._recordings = {recording.name: recording for recording in recordings}
        self._plays: dict[str, list[Play]] = {}
        self._logged = trio.Event()

    def script(self, model: str, *plays: Play) -> None:
        """Answer the next requests for `model` with `plays` in turn; the last one stays.

        Scripting a model again replaces what is left of its plays.
        """
        self._plays[model] = list(plays)

    def served(self, model: str) -> list[Served]:
        """The log entries of one model."""
        return [entry for entry in self.log if entry.model == model]

    async def wait_served(self, count: int) -> None:
        """Wait until the log has `count` entries."""
        while len(self.log) < count:
            await self._logged.wait()

    def models(self) -> list[str]:
        """Every model name that is answered, without the parameters of faults."""
        names = ["echo", *(f"synthetic/{name}" for name in SCRIPTS)]
        names += [f"fault/{kind}" for kind in wire_faults.kinds()]
        return [*names, *self._recordings, *self._plays]

    async def accept(self, stream: trio.SocketStream) -> None:
        """Serve one connection (for `trio.serve_listeners`)."""
        self.connections += 1
        connection = Connection(stream, self.connections, self._answer)
        if self.down:
            await connection.reset()
        else:
            await connection.serve()

    def _answer(self, served: Served) -> Steps:
        ask = read_ask(served.path, served.headers, served.body, self._pacing)
        served.model = ask.model
        self.log.append(served)
        self._logged.set()
        self._logged = trio.Event()
        if served.error is not None:
            return wire_faults.error_steps(ask, 400, f"Malformed request: {served.error}")
        if ask.path.endswith("/models"):
            data = [{"id": name, "object": "model"} for name in self.models()]
            return counted(encode({"object": "list", "data": data}), ask.pacing)
        plays = self._plays.get(ask.model)
        if plays:
            spent = len(plays) > 1 and not is_count(ask)  # a count is no turn
            return self._play(ask, plays.pop(0) if spent else plays[0])
        return self._named(ask, ask.model)

    def _play(self, ask: Ask, play: Play) -> Steps:
        match play:
            case Fault():
                return wire_faults.steps_of(ask, play)
            case Script():
                return wire_faults.healthy(ask, Fault(HEALTHY, script=play))
            case Recording():
                return recorded(ask, play)
            case str():
                return self._named(ask, play)

    def _named(self, ask: Ask, name: str) -> Steps:
        family, _, member = name.partition("/")
        if name in self._recordings:
            return recorded(ask, self._recordings[name])
        if family == "echo":
            return self._play(ask, Script(texts=tuple(_words(ask.text))))
        scripts = MESSAGES_SCRIPTS if speaks_messages(ask) else SCRIPTS
        if family == "synthetic" and member in scripts:
            return self._play(ask, scripts[member])
        if family == "fault":
            try:
                return wire_faults.steps_of(ask, Fault.parse(member))
            except (KeyError, ValueError) as error:
                return wire_faults.error_steps(ask, 404, f"No such fault: {error}")
        return wire_faults.error_steps(ask, 404, f"The model `{name}` does not exist")


def recorded(ask: Ask, recording: Recording) -> Steps:
    """The recorded answer: streamed in its pieces, or counted."""
    if recording.stream:
        pieces = pieces_of(recording.body, recording.pieces, ask.pacing)
        return streamed(pieces, ask.pacing, status=recording.status, headers=recording.headers)
    return counted(recording.body, ask.pacing, status=recording.status, headers=recording.headers)


@asynccontextmanager
async def serve_replay(
    recordings: Iterable[Recording] = (),
    *,
    seed: int = 0,
    cut_every: int | None = None,
    delay_s: float = 0.0,
    port: int = 0,
) -> AsyncIterator[Replay]:
    """Serve on 127.0.0.1 until the block ends; then every connection is closed."""
    replay = Replay(recordings, Pacing(seed, cut_every, delay_s))
    listeners = await trio.open_tcp_listeners(port, host=HOST)
    replay.url = f"http://{HOST}:{listeners[0].socket.getsockname()[1]}"
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, replay.accept, listeners)
        try:
            yield replay
        except Exception as error:  # noqa: BLE001  # raised below, outside the nursery's group
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


@contextmanager
def refused_url() -> Iterator[str]:
    """A URL whose port nobody listens on, reserved while the block runs."""
    with socket.socket() as reserved:
        reserved.bind((HOST, 0))
        yield f"http://{HOST}:{reserved.getsockname()[1]}"


@contextmanager
def unanswered_url() -> Iterator[str]:
    """A URL where connecting hangs: the listener's backlog is full and nobody accepts."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((HOST, 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield f"http://{HOST}:{address[1]}"


def _words(text: str) -> list[str]:
    """Split so that a stream has several content events, the text staying whole."""
    return [text[start : start + 7] for start in range(0, len(text), 7)]


async def _main(arguments: argparse.Namespace) -> None:
    recordings = (*load_recordings(), *load_messages_recordings())
    serving = serve_replay(
        recordings,
        seed=arguments.seed,
        cut_every=arguments.cut_every,
        delay_s=arguments.delay_s,
        port=arguments.port,
    )
    async with serving as replay:
        print("\n".join(replay.models()))
        print(f"{len(recordings)} recordings" if recordings else ABSENT)
        print(f"serving on {replay.url}/v1", flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Replay upstream for Hedgerow's tests.")
    parser.add_argument("--port", type=int, default=9101)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cut-every", type=int, default=None)
    parser.add_argument("--delay-s", type=float, default=0.0)
    trio.run(_main, parser.parse_args())
