"""The bench's mock in a thread, saying what a test wants; and replies with one wrong among a thousand."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from bench.mock import Mock
from bench.peers.direct import DIRECT
from bench.replies import Replies, build
from bench.servers import Target

MANY = 1_000
Spoil = Callable[[Replies], Replies]


@contextmanager
def serving(replies: list[Replies] | None = None) -> Iterator[Target]:
    """The mock as a target; ended when the test is done with it."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    mock, ended = Mock(listener, replies), threading.Event()

    def run() -> None:
        while not ended.is_set():
            mock.run(time.monotonic() + 0.05)

    thread = threading.Thread(target=run)
    thread.start()
    port = listener.getsockname()[1]
    try:
        yield Target("direct", port, threading.get_native_id(), DIRECT, port)
    finally:
        ended.set()
        while thread.is_alive():
            with socket.create_connection(("127.0.0.1", port)):  # wakes it up
                thread.join(0.06)
        for conn in list(mock.connections.values()):
            conn.sock.close()
        mock.epoll.close()
        listener.close()


def one_wrong(spoil: Spoil, among: int = MANY) -> list[Replies]:
    """Good replies, and one that `spoil` had its way with."""
    good = build()
    return [*(good * (among // len(good) + 1))[: among - 1], spoil(good[3])]


def missing_delta(good: Replies) -> Replies:
    """The 31st piece of a stream is not there."""
    writes = (*good.paced[:30], *good.paced[31:])
    return replace(good, paced=writes, burst=b"".join(writes))


def swapped_delta(good: Replies) -> Replies:
    """All pieces are there, two of them in each other's place; of the same length, or nobody would wonder."""
    sizes = [len(write) for write in good.paced]
    one, other = next(
        (i, j)
        for i in range(1, 60)
        for j in range(i + 1, 60)
        if sizes[i] == sizes[j] and good.paced[i] != good.paced[j]
    )
    writes = list(good.paced)
    writes[one], writes[other] = writes[other], writes[one]
    return replace(good, paced=tuple(writes), burst=b"".join(writes))


def early_end(good: Replies) -> Replies:
    """The stream ends without its last event, in good order as HTTP goes."""
    writes = (*good.paced[:-1], b"0\r\n\r\n")
    return replace(good, paced=writes, burst=b"".join(writes))


def swapped_end(good: Replies) -> Replies:
    """The last byte of the JSON is another; its length is right."""
    return replace(good, plain=good.plain[:-1] + b"]")


def cut_body(good: Replies) -> Replies:
    """The JSON ends early, and its head knows."""
    head, _, body = good.plain.partition(b"\r\n\r\n")
    cut = body[:-40]
    head = head.replace(b"Content-Length: %d" % len(body), b"Content-Length: %d" % len(cut))
    return replace(good, plain=head + b"\r\n\r\n" + cut)


def other_word(good: Replies) -> Replies:
    """A letter of the text is another."""
    at = good.plain.index(good.text.encode())
    return replace(good, plain=good.plain[:at] + b"T" + good.plain[at + 1 :])


def no_usage(good: Replies) -> Replies:
    """Tokens are not what they should be."""
    wrong = tuple(
        write.replace(b'"completion_tokens":64', b'"completion_tokens":46') for write in good.paced
    )
    plain = good.plain.replace(b'"completion_tokens":24', b'"completion_tokens":42')
    return replace(good, plain=plain, paced=wrong, burst=b"".join(wrong))


def failure(good: Replies) -> Replies:
    """A reply that is none."""
    said = b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    return replace(good, plain=said, burst=said, paced=(said,))


PLAIN: tuple[Spoil, ...] = (swapped_end, cut_body, other_word, no_usage, failure)
STREAM: tuple[Spoil, ...] = (missing_delta, swapped_delta, early_end, no_usage, failure)
