"""A provider's streamed reply turned into the client's, as bytes arrive: the relay's engine.

Received bytes are delimited (`body`), cut into events (`sse`), and then either spliced, or decoded
and encoded. Nothing here waits.

Rule 1: whatever the cuts, the same bytes give the same events and the same meaning.
Rule 2: after `ended` or `failure` nothing more is taken in.
"""

import re

from proxy.errors import HedgerowError, UpstreamUnavailableError
from proxy.model.dialect import Decoder, Encoder
from proxy.model.downstream import Buffer
from proxy.model.event import (
    Ended,
    Event,
    Failed,
    Finished,
    Native,
    Reasoning,
    Text,
)
from proxy.model.meter import Delivered
from proxy.wire.body import BodyReader, FramingError
from proxy.wire.splice import ESCAPED, PLAIN, Template, is_utf8, learn, text_size
from proxy.wire.sse import EventSplitter, EventTooLargeError, GarbageError, event_data

SIZE_LINE_MAX = 8
"""Bytes of a size line that is spliced: six digits and its end; others take the slow path."""
STREAM_BYTES_MAX = 1 << 30
"""Bytes of a stream in all, where nothing else is said."""
STREAM_TOO_LARGE = "Provider's stream exceeds the size limit."
TOO_LARGE = "Provider sent an event beyond the size limit."
LEARN_MAX = 16
"""Templates tried per stream; one whose frames never repeat would otherwise cost 10 us each."""


class Transcript:
    """One streamed reply."""

    __slots__ = (
        "_body", "_decoder", "_delivered", "_encoder", "_kind", "_learned", "_out", "_room", "_sizes", "_splitter", "_template",
        "content", "ended", "failure", "finished", "surplus",
    )  # fmt: skip

    def __init__(
        self,
        body: BodyReader,
        decoder: Decoder,
        encoder: Encoder,
        delivered: Delivered,
        *,
        event_bytes_max: int,
        stream_bytes_max: int = STREAM_BYTES_MAX,
    ) -> None:
        self._body = body
        self._decoder = decoder
        self._encoder = encoder
        self._delivered = delivered
        self._splitter = EventSplitter(event_bytes_max)
        self._room = stream_bytes_max
        """Bytes that may still be received, framing and comments included."""
        self._template: Template | None = None
        self._kind: type[Event] | None = None
        """What the template's text is: of text and of thinking, each ends the other's block."""
        self._learned = 0
        self._sizes: dict[bytes, int] = {}
        """Chunk sizes by their line; bounded, since a line has six digits and a frame a few hundred bytes."""
        self._out: list[Buffer] = []
        self.content = 0
        """Frames with content seen so far; the first one commits the race, each resets the idle clock."""
        self.finished = False
        """A finish reason was seen: an end of the connection is now a success."""
        self.ended = False
        """The terminator was seen, or the body is complete behind a finish reason."""
        self.failure: HedgerowError | None = None
        self.surplus = False
        """The provider went on behind its terminator."""

    def feed(self, data: bytes) -> list[Buffer]:
        """Take received bytes; return what goes to the client, in order, as views where possible."""
        body, splitter = self._body, self._splitter
        data = self._admit(data)
        ascii_only = data.isascii()
        position, size = 0, len(data)
        try:
            while position < size and not self.ended and self.failure is None:
                if self._template is not None and not splitter.carry and body.between_chunks:
                    position = self._splice_chunks(data, position, ascii_only=ascii_only)
                start, end, position = body.step(data, position)
                if start < end and self._template is not None:
                    if splitter.carry:
                        start = self._mend(data, start, end)
                    if not splitter.carry and self._template is not None:
                        start = self._splice(data, start, end, ascii_only=ascii_only)
                if start < end:
                    self._translate(data[start:end])
            if self.ended:
                self._finish_body(data, position)
        except FramingError as error:
            self.failure = UpstreamUnavailableError(f"Provider broke its reply's framing: {error}.")
        except EventTooLargeError:
            self.failure = self.failure or UpstreamUnavailableError(TOO_LARGE)
        except GarbageError:
            self.failure = UpstreamUnavailableError(
                "Provider sent something that is no event stream."
            )
        if body.done and not self.ended and self.failure is None:
            self._complete()
        return self._take()

    def _admit(self, data: bytes) -> bytes:
        """Count received bytes; what of them is to be read, behind what was left of the last ones."""
        self._room -= len(data)
        if self._room < 0:
            self.failure = self.failure or UpstreamUnavailableError(STREAM_TOO_LARGE)
            return b""
        return self._body.join(data)

    def _mend(self, data: bytes, start: int, end: int) -> int:
        """Translate the event that a read has cut in two; return where the next one begins."""
        blank = data.find(b"\n\n", start, end)
        if blank < 0:
            return start
        self._translate(data[start : blank + 2])
        return blank + 2

    def _finish_body(self, data: bytes, position: int) -> None:
        """Behind the terminator only the body's own end may come, for the connection to serve again."""
        while position < len(data):
            start, end, position = self._body.step(data, position)
            self.surplus = self.surplus or start < end

    def close(self) -> list[Buffer]:
        """The connection ended; return what was still due."""
        if not self.ended and self.failure is None:
            self._body.close()
            self._complete()
        return self._take()

    @property
    def reusable(self) -> bool:
        """The reply is complete and nothing came behind it: the connection may serve again."""
        complete = self.ended and self.failure is None
        return complete and not self.surplus and not self._body.leftover

    @property
    def tail(self) -> BodyReader | None:
        """The body, if its framing has not ended yet though the reply has."""
        return None if self._body.done else self._body

    def _take(self) -> list[Buffer]:
        out, self._out = self._out, []
        return out

    def _complete(self) -> None:
        rest = self._splitter.close()
        if rest.strip():
            try:
                self._handle(rest)
            except GarbageError:
                self.failure = UpstreamUnavailableError("Provider ended its reply early.")
        if self.failure is None and not self.ended:
            if self.finished:
                self.ended = True
            else:
                self.failure = UpstreamUnavailableError("Provider ended its reply early.")

    def _splice_chunks(self, data: bytes, start: int, *, ascii_only: bool) -> int:
        """Splice chunks that hold one frame each; return where the first other one begins.

        The same as stepping from chunk to chunk, at 0.7 us instead of 3: size line, prefix, text and
        suffix are compared in place. No pattern is compiled, since each stream has its own prefix.
        """
        template = self._template
        assert template is not None
        out, view, sizes = self._out, memoryview(data), self._sizes
        head, tail, joint, between = template.head, template.tail, template.joint, template.between
        in_chunk, to_end = template.in_chunk, template.to_chunk_end
        before, behind = len(in_chunk), len(template.suffix)
        find, starts = data.find, data.startswith
        size = frames = 0
        while True:
            eol = find(b"\r\n", start, start + SIZE_LINE_MAX)
            if eol < 0 or not starts(in_chunk, eol):
                break
            line = data[start:eol]
            length = sizes[line] if line in sizes else read_size(sizes, line)
            begin, stop = eol + before, eol + 2 + length - behind
            if not starts(to_end, stop) or begin > stop:
                break
            if not (PLAIN.fullmatch(data, begin, stop) or ESCAPED.fullmatch(data, begin, stop)):
                break
            if not (ascii_only or is_utf8(data[begin:stop])):
                break
            if out and out[-1] is tail:
                out[-1] = joint
            else:
                out.append(head)
            out.append(view[begin:stop])
            for part in between:
                out.append(part)
                out.append(view[begin:stop])
            out.append(tail)
            size += text_size(data, begin, stop)
            frames += stop > begin
            start = stop + behind + 2
        self.content += frames
        self._delivered.output_bytes += size
        return start

    def _splice(self, data: bytes, start: int, end: int, *, ascii_only: bool) -> int:
        """Splice frames from `start` on; return where the first other one begins."""
        template = self._template
        assert template is not None
        out, view, prefix = self._out, memoryview(data), len(template.prefix)
        position, size = start, 0
        while position < end:
            stop, after = template.match(data, position, end, ascii_only=ascii_only)
            if stop < 0:
                break
            begin = position + prefix
            if out and out[-1] is template.tail:
                out[-1] = template.joint
            else:
                out.append(template.head)
            out.append(view[begin:stop])
            for part in template.between:
                out.append(part)
                out.append(view[begin:stop])
            out.append(template.tail)
            size += text_size(data, begin, stop)
            position = after
            self.content += stop > begin
        self._delivered.output_bytes += size
        return position

    def _translate(self, data: bytes) -> None:
        try:
            events = self._splitter.feed(data)
        except EventTooLargeError as error:
            self._handle_all(error.before)
            raise
        self._handle_all(events)

    def _handle_all(self, events: list[bytes]) -> None:
        for raw in events:
            if self.ended or self.failure is not None:
                return
            self._handle(raw)

    def _handle(self, raw: bytes) -> None:
        frame = event_data(raw)
        if not frame:  # a comment, a ping, an event without data
            return
        events = self._decoder.feed(frame)
        kind = type(events[1]) if len(events) == len(("native", "text")) else None
        if events and kind is not self._kind:
            self._template = None  # what is said now may change how the next text is said
        self._notice(events)
        if self.failure is not None or self.ended:
            return
        try:
            sent = self._encoder.feed(events)
        except HedgerowError as error:
            self.failure = error
            return
        if sent:
            self._out.append(sent)
        if sent and self._learned < LEARN_MAX and len(events) == len(("native", "text")):
            self._learn(raw, events[1])

    def _notice(self, events: list[Event]) -> None:
        """Keep the meter and the state of the stream."""
        self.content += self._delivered.note(events)
        for event in events:
            match event:
                case Finished():
                    self.finished = True
                case Failed():
                    self.failure = event.error
                case Ended():
                    self.ended = True
                    if not self.finished:
                        self.failure = UpstreamUnavailableError("Provider ended its reply early.")
                case _:
                    pass

    def _learn(self, raw: bytes, event: Event) -> None:
        if isinstance(event, Text | Reasoning):
            self._learned += 1
            self._template = learn(raw, event.text, self._reencode) or self._template
            self._kind = type(event)

    def _reencode(self, raw: bytes, text: str) -> bytes | None:
        frame = event_data(raw)
        events = self._decoder.feed(frame) if frame is not None else []
        match events:
            case [Native(), Text() | Reasoning() as event] if event.text == text:
                return self._encoder.feed(events)
            case _:
                return None


def read_size(sizes: dict[bytes, int], line: bytes) -> int:
    """The size that a plain hexadecimal line says, remembered; -1, which fits nothing, for another."""
    plain = SIZE_LINE.fullmatch(line) is not None
    return sizes.setdefault(line, int(line, 16)) if plain else -1


SIZE_LINE = re.compile(rb"[0-9a-fA-F]{1,6}")
