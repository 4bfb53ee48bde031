"""Server-sent events out of pieces of bytes, each with the time at which its last byte came.

Rule 1: a piece is timed when it arrives, before anything is read out of it. Events that came in one piece have one time.
"""

from collections.abc import Callable, Iterable, Iterator

EVENT_BYTES_MAX = 4_194_304
"""An event longer than this is not waited for."""


def events(pieces: Iterable[bytes], clock: Callable[[], float]) -> Iterator[tuple[float, bytes]]:
    """When each event with data came, and its data; comments are no events.

    Lines may end in LF or CRLF, wherever the pieces are cut. An event that the stream's end cuts short is dropped,
    as the specification says.
    Raises: ValueError for an event beyond `EVENT_BYTES_MAX`.
    Source: HTML Living Standard, 9.2.6, interpreting an event stream.
    """
    left = b""
    data: list[bytes] = []
    for arrived in pieces:
        at = clock()
        *lines, left = (left + arrived).split(b"\n")
        if len(left) > EVENT_BYTES_MAX:
            raise ValueError(f"an event longer than {EVENT_BYTES_MAX} bytes")
        for ended in lines:
            line = ended.removesuffix(b"\r")
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif not line and data:
                yield at, b"\n".join(data)
                data = []
