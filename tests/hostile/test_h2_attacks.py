"""Whatever comes over HTTP/2, the process lives, neighbours notice nothing, honest requests are served."""

import ssl

import hpack
import pytest
import trio

from proxy.console.app import build_app
from proxy.doors.hypercorn import HypercornDoor
from tests.fakes.h2_client import H2Client, h2_client, open_stream
from tests.fakes.h2_door import contexts, h2_listener
from tests.hostile.h2_attacks import ACK, ATTACKS, GREETING, PING, Attack, frame
from tests.rig import chat_body, head, post, rig

ASKED = b"still on"
SERVED = {"maker/text": ("synthetic/text",)}
LATE_S = 3.0
AT_A_TIME = 6


class Outcome:
    """What came back."""

    def __init__(self) -> None:
        self.ended = False
        self.went_away = False
        self.echoed = False
        self.resets: list[int] = []
        self.statuses: dict[int, int] = {}

    @property
    def verdict(self) -> str:
        """In the words of the table."""
        if self.ended or self.went_away:
            return "cut"
        if self.resets or any(400 <= status < 500 for status in self.statuses.values()):
            return "refused"
        return "served" if self.statuses.get(1) == 200 else "lives"

    def fits(self, wanted: str) -> bool:
        """Is this what the table says? "bad": refused, or cut."""
        return self.verdict in {"refused", "cut"} if wanted == "bad" else self.verdict == wanted


async def launch(url: str, tls: ssl.SSLContext | None, attack: Attack) -> Outcome:
    """Send it, and listen until it is clear what became of it."""
    outcome = Outcome()
    stream: trio.abc.Stream = await open_stream(url)
    if tls is not None:
        stream = trio.SSLStream(stream, tls, server_hostname="localhost", https_compatible=True)
    data = (attack.greeting or GREETING) + attack.data + frame(PING, ASKED)

    async def send() -> None:
        try:
            await stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    async with stream, trio.open_nursery() as nursery:
        nursery.start_soon(send)
        with trio.move_on_after(LATE_S):
            await listen(stream, outcome, attack.outcome)
        nursery.cancel_scope.cancel()
    return outcome


async def listen(stream: trio.abc.Stream, outcome: Outcome, wanted: str) -> None:
    decoder, received = hpack.Decoder(), b""
    while not (outcome.echoed and outcome.fits(wanted)):
        try:
            data = await stream.receive_some(65_536)
        except trio.BrokenResourceError:
            data = b""
        if not data:
            outcome.ended = True
            return
        received += data
        while len(received) >= 9 and len(received) >= 9 + int.from_bytes(received[:3], "big"):
            end = 9 + int.from_bytes(received[:3], "big")
            kind, flags, number = received[3], received[4], int.from_bytes(received[5:9], "big")
            payload, received = received[9:end], received[end:]
            if kind == 1:
                outcome.statuses[number] = int(dict(decoder.decode(payload))[":status"])
            elif kind == 3:
                outcome.resets.append(number)
            elif kind == PING:
                outcome.echoed = outcome.echoed or (flags & ACK and payload == ASKED)
            elif kind == 7:
                outcome.went_away = True


@pytest.mark.parametrize("secure", [False, True], ids=["clear", "tls"])
async def test_whatever_comes_nobody_else_notices(secure: bool) -> None:
    server, client = contexts() if secure else (None, None)
    surprises: list[str] = []
    async with rig(SERVED, pacing="delay_s=0.02") as r:
        door = HypercornDoor(r.gateway, build_app(r.gateway))
        async with (
            h2_listener(door, tls=server) as url,
            h2_client(url, tls=client) as neighbour,
            trio.open_nursery() as nursery,
        ):
            turns = trio.CapacityLimiter(AT_A_TIME)

            async def one(attack: Attack) -> None:
                async with turns:
                    outcome = await launch(url, client, attack)
                    if not outcome.fits(attack.outcome):
                        surprises.append(f"{attack.name}: {outcome.verdict}, not {attack.outcome}")
                    async with h2_client(url, tls=client) as honest:
                        reply = await honest.ask(head("GET", "/healthz/live"))
                        assert (200, True) == (reply.status, reply.whole), attack.name

            async with trio.open_nursery() as attackers:
                attackers.start_soon(keep_streaming, neighbour, nursery.cancel_scope)
                async with trio.open_nursery() as table:
                    for attack in ATTACKS:
                        table.start_soon(one, attack)
                neighbour.stop = True  # type: ignore[attr-defined]
        await r.quiet()
    assert [] == surprises


async def keep_streaming(client: H2Client, _scope: trio.CancelScope) -> None:
    """Streams on one connection that nobody attacks, each of them whole."""
    while not getattr(client, "stop", False):
        reply = await client.ask(post(chat_body("maker/text", stream=True)))
        assert (200, True) == (reply.status, reply.whole)
        assert reply.text.startswith("Hedgerows grow")
    assert client.went_away is None


def test_the_table_is_long_enough() -> None:
    names = [attack.name for attack in ATTACKS]

    assert len(names) == len(set(names))
    assert len(names) >= 65
