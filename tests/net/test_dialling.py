"""Several addresses: the first that connects wins, the others cost a quarter of a second at most."""

import contextlib
import gc
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from proxy.errors import UpstreamUnavailableError
from proxy.net.addresses import Address
from proxy.net.dialling import HEAD_START_S, Dialling, progress

CLOCK: Any = trio.current_time


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as made:
        yield made
    gc.collect()  # a socket left open is a warning, and so a failure here


def address(sock: socket.socket) -> Address:
    return sock.family, sock.getsockname()


def bound(stack: contextlib.ExitStack, host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = stack.enter_context(socket.socket(family))
    sock.bind((host, 0))
    return sock


def good(stack: contextlib.ExitStack, host: str = "127.0.0.1") -> Address:
    """Somebody listens."""
    sock = bound(stack, host)
    sock.listen()
    return address(sock)


def refusing(stack: contextlib.ExitStack, host: str = "127.0.0.1") -> Address:
    """Nobody listens."""
    return address(bound(stack, host))


def black_hole(stack: contextlib.ExitStack, host: str = "::1") -> Address:
    """Connecting hangs: the backlog is full and nobody accepts."""
    sock = bound(stack, host)
    sock.listen(0)
    for _ in range(4):
        waiting = stack.enter_context(socket.socket(sock.family))
        waiting.setblocking(False)
        waiting.connect_ex(sock.getsockname())
    return address(sock)


def kinds(stack: contextlib.ExitStack, names: str) -> list[Address]:
    made = {"hole": black_hole, "refusing": refusing, "good": good}
    return [made[name](stack) for name in names.split()]


@pytest.mark.parametrize(
    ("names", "place", "seconds"),
    [
        ("good", 0, 0.0),
        ("good hole", 0, 0.0),
        ("refusing good", 1, 0.0),
        ("refusing refusing refusing good", 3, 0.0),
        ("hole good", 1, HEAD_START_S),
        ("hole refusing good", 2, HEAD_START_S),
        ("hole hole good", 2, 2 * HEAD_START_S),
    ],
)
async def test_the_first_that_connects_wins(
    stack: contextlib.ExitStack, names: str, place: int, seconds: float
) -> None:
    addresses = kinds(stack, names)
    dialling = Dialling(addresses, CLOCK)
    started = trio.current_time()
    with trio.fail_after(3):
        sock = await dialling.connect()
    took = trio.current_time() - started
    with sock:
        assert addresses[place][1] == sock.getpeername()
        assert 1 == sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not sock.getblocking()
    assert [] == dialling._trying
    assert seconds <= took < seconds + 0.15


async def test_it_goes_on_through_cancels_and_the_head_start_is_not_renewed(
    stack: contextlib.ExitStack,
) -> None:
    addresses = kinds(stack, "hole hole good")
    dialling = Dialling(addresses, CLOCK)
    started, rounds, sock = trio.current_time(), 0, None
    while sock is None:
        rounds += 1
        with trio.move_on_after(0.02):
            sock = await dialling.connect()
    with sock:
        assert addresses[2][1] == sock.getpeername()
    assert rounds > 10
    assert trio.current_time() - started < 2 * HEAD_START_S + 0.2


async def test_a_slow_address_wins_where_the_others_fail(stack: contextlib.ExitStack) -> None:
    """The first one answers only when the second has been tried, in vain."""
    listener = bound(stack, "127.0.0.1")
    listener.listen(0)
    for _ in range(4):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(listener.getsockname())
    dialling = Dialling([address(listener), black_hole(stack)], CLOCK)
    with trio.move_on_after(HEAD_START_S + 0.1):
        await dialling.connect()
    assert 2 == len(dialling._trying)
    listener.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
    with trio.fail_after(4):  # the kernel repeats its SYN after 1 s, then 2 s
        sock = await dialling.connect()
    with sock:
        assert listener.getsockname() == sock.getpeername()


@pytest.mark.parametrize(
    ("names", "words"),
    [("refusing", "Proxy's address refused"), ("refusing refusing", "refused"), ("", "refused")],
)
async def test_where_none_connects_it_is_told(
    stack: contextlib.ExitStack, names: str, words: str
) -> None:
    with pytest.raises(UpstreamUnavailableError, match=words):
        await Dialling(kinds(stack, names), CLOCK, "Proxy").connect()


async def test_an_address_out_of_reach_is_told_as_such() -> None:
    with pytest.raises(UpstreamUnavailableError, match=r"cannot be reached: [A-Z]"):
        await Dialling([(9999, ("127.0.0.1", 1))], CLOCK).connect()


async def test_closing_gives_up_what_is_tried(stack: contextlib.ExitStack) -> None:
    dialling = Dialling(kinds(stack, "hole hole"), CLOCK)
    with trio.move_on_after(HEAD_START_S + 0.1):
        await dialling.connect()
    assert 2 == len(dialling._trying)
    dialling.close()
    assert [] == dialling._trying


async def test_a_cancel_comes_as_one_cancelled_and_not_as_a_group(
    stack: contextlib.ExitStack,
) -> None:
    """Whoever settles a call asks `except trio.Cancelled`."""
    dialling = Dialling(kinds(stack, "hole hole"), CLOCK)
    seen: list[type[BaseException]] = []
    with trio.move_on_after(HEAD_START_S + 0.1):
        try:
            await dialling.connect()
        except BaseException as error:
            seen.append(type(error))
            raise
    assert [trio.Cancelled] == seen
    dialling.close()


async def test_progress_is_true_whenever_it_is_asked(stack: contextlib.ExitStack) -> None:
    for names, expected in (("good", "0"), ("refusing", "ECONNREFUSED"), ("hole", "EINPROGRESS")):
        [(family, at)] = kinds(stack, names)
        with socket.socket(family) as sock:
            sock.setblocking(False)
            code = sock.connect_ex(at)
            if names != "hole" and code == 115:
                await trio.lowlevel.wait_writable(sock)
            code = progress(sock) or (code if names == "refusing" else 0)
            import errno

            assert expected == errno.errorcode.get(code, str(code))
