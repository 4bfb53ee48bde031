"""The providers of load tests: they take as long as they are told, and fail as often."""

import json
from collections import Counter
from functools import partial

import pytest
import trio

from loadtests.answers import check, read_stream
from loadtests.gateway import MODELS, settings
from loadtests.providers import TEMPERS, TURNS, Providers, Temper, adjusted, understand
from proxy.config import decode_document, parse_settings
from tests.loadtests.test_answers import ticking

FAST = Temper(0.01, 0.0, 0.001)


def post(name: str, **fields: object) -> bytes:
    body = json.dumps({"messages": [{"role": "user", "content": "[#1f] Hello"}], **fields}).encode()
    return b"POST /%b/v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (
        name.encode(),
        len(body),
        body,
    )


async def replies(temper: Temper, requests: int, **fields: object) -> list[bytes]:
    """What comes back for each of many requests, each on a connection of its own."""
    providers = Providers({"some": temper})
    found = []
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(partial(trio.serve_listeners, providers.serve, [listener]))
        for _ in range(requests):
            stream = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
            await stream.send_all(post("some", **fields))
            reply = b""
            with trio.move_on_after(5):
                while b"\r\n0\r\n\r\n" not in reply and not reply.endswith(b"}"):
                    data = await stream.receive_some()
                    if not data:
                        break
                    reply += data
            found.append(reply)
            await stream.aclose()
        nursery.cancel_scope.cancel()
    return found


def content(reply: bytes) -> list[bytes]:
    """A chunked reply's data, chunk by chunk."""
    pieces, rest = [], reply.partition(b"\r\n\r\n")[2]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        pieces.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    return pieces


async def test_a_stream_has_as_many_pieces_as_asked_for_and_knows_how_long_it_took() -> None:
    began = trio.current_time()
    [reply] = await replies(Temper(0.1, 0.0, 0.001), 1, stream=True, max_tokens=5)
    took_s = trio.current_time() - began
    stamp = check(read_stream(content(reply), ticking()), "1f", stamped=True)

    assert stamp is not None
    assert 5 == stamp.pieces
    assert 0.1 <= stamp.waited_s <= took_s


async def test_a_sick_provider_fails_in_several_ways() -> None:
    found = Counter(
        r[9:12] for r in await replies(Temper(0.001, 0.0, 0.0, errors=1.0), 40, stream=True)
    )

    assert {b"503", b"429", b"200", b""} == set(found)
    assert 40 == found.total()


async def test_only_so_many_fail_as_the_temper_says() -> None:
    found = await replies(Temper(0.001, 0.0, 0.0, errors=0.3), 100, max_tokens=2)

    assert 15 < sum(not reply.startswith(b"HTTP/1.1 200") for reply in found) < 45


async def test_one_that_stalls_is_silent_first() -> None:
    began = trio.current_time()
    await replies(Temper(0.001, 0.0, 0.0, stalls=1.0, stall_s=0.2), 1, stream=True)

    assert trio.current_time() - began >= 0.2


def conversation(nonce: str, results: int) -> dict[str, object]:
    first = [{"role": "system", "content": "Be short."}, {"role": "user", "content": f"[#{nonce}]"}]
    return {"tools": [{}], "messages": [*first, *[{"role": "tool", "content": "x"}] * results]}


def test_a_conversation_with_tools_takes_three_to_six_turns() -> None:
    turns = Counter(
        next(n + 1 for n in range(99) if not understand("a", conversation(f"{seed:x}", n)).tools)
        for seed in range(100)
    )

    assert set(range(TURNS[0], TURNS[1] + 1)) == set(turns)


def test_tempers_are_set_by_name() -> None:
    changed = adjusted(TEMPERS, ["sick.errors=0.5", "steady.first_s=1"])

    assert (0.5, 1.0) == (changed["sick"].errors, changed["steady"].first_s)
    assert TEMPERS["quick"] == changed["quick"]


@pytest.mark.parametrize("setting", ["sick", "sick.colour=1", "ill.errors=1", "sick.errors=much"])
def test_a_setting_that_means_nothing_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        adjusted(TEMPERS, [setting])


def test_the_gateways_file_is_one_that_the_gateway_reads() -> None:
    text = settings(8080, "http://127.0.0.1:9101")
    parsed = parse_settings(decode_document(text.encode(), origin="load"), origin="load")

    assert {f"load/{name}" for name in MODELS} == {model.id for model in parsed.models}
    assert set(parsed.providers) == set(TEMPERS)
