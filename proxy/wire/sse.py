"""Server-sent events: bytes in, `data` fields out, whatever the cuts.

Line ends are LF, CRLF or CR; comments, ids and retry times are dropped; a BOM is skipped.
Source: WHATWG HTML, 9.2.6 "Interpreting an event stream".
"""

import re

BLANK = re.compile(rb"\n\n|\r\n\r\n|\r\r|\n\r\n|\r\n\n|\r\n\r|\n\r(?=[^\n])|\r\r\n")
"""The end of an event: two line ends in a row, of any kind."""
LINE_END = re.compile(rb"\r\n|\n|\r")
FIELD_NAME = re.compile(rb"[A-Za-z_-]*")
BOM = b"\xef\xbb\xbf"


class EventTooLargeError(Exception):
    """One event exceeds its limit; those that were complete before it are in `before`."""

    def __init__(self, before: list[bytes]) -> None:
        super().__init__("an event beyond the size limit")
        self.before = before


class EventSplitter:
    """Cuts a byte stream into events; keeps at most `event_bytes_max` of an unfinished one."""

    __slots__ = ("_max", "_searched", "carry")

    def __init__(self, event_bytes_max: int) -> None:
        self.carry = bytearray()
        """An unfinished event; grows in place, since it may come in a million pieces."""
        self._max = event_bytes_max
        self._searched = 0
        """Length of `carry` that is known to hold no end of an event."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the raw events that are complete now, line ends included.

        Raises: EventTooLargeError.
        """
        events: list[bytes] = []
        start, search = 0, max(self._searched - 3, 0)
        # A CR at the very end may be half of a CRLF: an end that touches it is not yet known.
        cut = data.endswith(b"\r")
        if self.carry:
            self.carry += data
            if not BLANK.search(self.carry, search, len(self.carry) - cut):
                return self._unfinished(events)
            data = bytes(self.carry)
            self.carry = bytearray()
        end = len(data) - cut
        while found := BLANK.search(data, search, end):
            if found.end() - start > self._max:
                raise EventTooLargeError(events)
            events.append(data[start : found.end()])
            start = search = found.end()
        if start < len(data):
            self.carry += data[start:]
        return self._unfinished(events)

    def _unfinished(self, events: list[bytes]) -> list[bytes]:
        self._searched = len(self.carry)
        if self._searched > self._max:
            raise EventTooLargeError(events)
        return events

    def close(self) -> bytes:
        """The stream ended: the unfinished event, which some providers never finish."""
        rest, self.carry = bytes(self.carry), bytearray()
        return rest


class GarbageError(Exception):
    """Bytes that are no event stream at all."""


def event_data(event: bytes) -> bytes | None:
    """The `data` field of one raw event; None where there is none (a comment, a ping).

    Raises: GarbageError for a line whose field name is no name: the standard would have it ignored,
        but on a stream of money it means that something was lost.
    """
    if event.startswith(b"data: {") and event.find(b"\n") == len(event) - 2 and b"\r" not in event:
        return event[6:-2]
    lines: list[bytes] = []
    for line in LINE_END.split(event.removeprefix(BOM)):
        name, separator, value = line.partition(b":")
        if name == b"data":
            lines.append(value.removeprefix(b" ") if separator else b"")
        elif not FIELD_NAME.fullmatch(name):
            raise GarbageError
    return b"\n".join(lines) if lines else None
