"""Frames that differ only in one JSON string: learn the rest once, then pass the string on as a view.

A template is learnt from one frame by experiment: the frame's text is replaced by a marker, and only
if decoding then gives that marker as the text and nothing else changed are the bytes around it
trusted. What is spliced is therefore what decoding and encoding would have given, by construction.

Rule 1: a frame is spliced only if it is prefix + one valid JSON string + suffix, byte for byte.
Rule 2: the string is valid UTF-8 without lone surrogates; anything doubtful takes the slow path.
"""

import re
from collections.abc import Callable

import orjson

MARKER = "\x7fhedgerow-splice\x7f"
MARKER_JSON = orjson.dumps(MARKER)
PLAIN = re.compile(rb'[^"\\\x00-\x1f]*+')
INSIDE = rb'(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4})*+'
ESCAPED = re.compile(INSIDE)
"""The inside of a JSON string; surrogates are left to the slow path."""

QUOTE = 0x22


class Template:
    """What stays the same around the text of a stream's frames, before and after translation."""

    __slots__ = ("between", "head", "in_chunk", "joint", "prefix", "suffix", "tail", "to_chunk_end")

    def __init__(self, prefix: bytes, suffix: bytes, parts: list[bytes]) -> None:
        self.prefix = prefix
        """Received bytes before the text, its opening quote included."""
        self.suffix = suffix
        """Received bytes behind the text: closing quote up to the blank line."""
        self.head, *self.between, self.tail = parts
        """Sent bytes before, between and behind the copies of the text (usually one copy)."""
        self.joint = self.tail + self.head
        self.in_chunk = b"\r\n" + prefix
        """What stands between a chunk's size and the text, if the chunk holds one frame."""
        self.to_chunk_end = suffix + b"\r\n"

    def match(self, data: bytes, start: int, end: int, *, ascii_only: bool) -> tuple[int, int]:
        """Find this template's frame at data[start:end].

        Returns: (end of text, end of frame); (-1, -1) if the frame is another one or incomplete.
        """
        if not data.startswith(self.prefix, start, end):
            return MISS
        begin = start + len(self.prefix)
        found = PLAIN.match(data, begin, end)
        assert found is not None  # it matches the empty string
        stop = found.end()
        if not data.startswith(self.suffix, stop, end):
            found = ESCAPED.match(data, begin, end)
            assert found is not None
            stop = found.end()
            if not data.startswith(self.suffix, stop, end):
                return MISS
        if not ascii_only and not is_utf8(data[begin:stop]):
            return MISS
        return stop, stop + len(self.suffix)


MISS = (-1, -1)


def learn(
    raw: bytes, text: str, translate: Callable[[bytes, str], bytes | None]
) -> Template | None:
    """Learn a template from one raw frame whose decoded text is `text`.

    Args:
        translate: decodes a raw frame and encodes it for the client; None unless the frame's
            meaning is exactly one text that equals its second argument.
    """
    literal = orjson.dumps(text)
    if len(text) == 0 or raw.count(literal) != 1 or not raw.endswith(b"\n\n"):
        return None
    prefix, _, suffix = raw.partition(literal)
    sent = translate(prefix + MARKER_JSON + suffix, MARKER)
    if sent is None:
        return None
    parts = sent.split(MARKER_JSON[1:-1])
    if len(parts) < len(("head", "tail")):
        return None
    return Template(prefix + b'"', b'"' + suffix, parts)


def is_utf8(text: bytes) -> bool:
    """Is this valid UTF-8?"""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def text_size(data: bytes, start: int, end: int) -> int:
    """UTF-8 bytes of the text in the JSON string data[start:end]: the same whether spliced or not."""
    if data.find(b"\\", start, end) < 0:
        return end - start
    return len(orjson.loads(b'"%b"' % data[start:end]).encode())
