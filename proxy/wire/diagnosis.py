"""Why a head was refused: read once more, line by line, off the hot path.

A message names the line and the reason, never a value; a field's name is shown printable and cut.
"""

import re
from collections.abc import Callable

from proxy.errors import InvalidRequestError, UpstreamUnavailableError
from proxy.wire.rules import (
    HEAD_SHAPE,
    HOST_SHAPE,
    METHODS,
    RESPONSE_SHAPE,
    TARGET_BYTES_MAX,
    TOKEN,
    Fields,
    checked_request,
    checked_response,
)

NAME_CHARACTERS_MAX = 64
"""Of a field's name in a message."""
NAME = re.compile(TOKEN + rb"+")
VERSIONS = (b"HTTP/1.0", b"HTTP/1.1")
CONTROLS = (
    (re.compile(rb"\x00"), "a NUL byte"),
    (re.compile(rb"\n"), "a line feed without a carriage return"),
    (re.compile(rb"\r"), "a carriage return without a line feed"),
    (re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]"), "a control character"),
)
TARGETS = (
    (re.compile(rb".{%d}" % (TARGET_BYTES_MAX + 1), re.DOTALL), "a target that is too long"),
    (re.compile(rb".*#", re.DOTALL), "a fragment in the target"),
    (re.compile(rb"//"), 'a path that begins with "//"'),
    (re.compile(rb"[^?]*\\"), "a backslash in the path"),
    (re.compile(rb"[^?]*%(?:[01]|7[Ff])"), "a percent-encoded control character in the path"),
    (re.compile(rb"[^?]*%(?![0-9A-Fa-f]{2})"), "a percent sign that encodes nothing"),
    (re.compile(rb"[A-Za-z]+://[^/?]*@"), "user information in the target"),
    (re.compile(rb"(?!/|\*$|[Hh][Tt][Tt][Pp][Ss]?://)"), "a target that is no path and no URL"),
    (
        re.compile(rb"[A-Za-z]+://(?!(?:%b)(?:[/?]|$))" % HOST_SHAPE.pattern),
        "a malformed authority",
    ),
)
"""What may be wrong with a target that consists of visible ASCII, and how to say it."""


def why_not_request(head: bytes, headers_max: int) -> InvalidRequestError:
    """The error for a request head that was refused."""
    fault = _fault(head, _request_line)
    if fault is not None:
        return InvalidRequestError(f"Malformed HTTP request head: {fault}.")
    if HEAD_SHAPE.fullmatch(head):
        fields, line = _fields(head)
        try:
            checked_request(
                fields, line[0].decode(), http_10=line[2] == VERSIONS[0], headers_max=headers_max
            )
        except InvalidRequestError as error:
            return error
    return InvalidRequestError("Malformed HTTP request head: the parser refuses it.")


def why_not_response(head: bytes) -> UpstreamUnavailableError:
    """The error for a response head that was refused."""
    fault = _fault(head, _status_line)
    if fault is not None:
        return UpstreamUnavailableError(f"Provider sent a malformed reply: {fault}.")
    if RESPONSE_SHAPE.fullmatch(head):
        fields, line = _fields(head)
        try:
            checked_response(fields, int(line[1]), http_10=line[0] == VERSIONS[0])
        except UpstreamUnavailableError as error:
            return error
    return UpstreamUnavailableError("Provider sent a malformed reply: the parser refuses it.")


def shown(name: bytes) -> str:
    """A field's name, printable and cut."""
    start = name[:NAME_CHARACTERS_MAX]
    text = "".join(chr(c) if 32 <= c <= 126 and c not in b'"\\' else f"\\x{c:02x}" for c in start)
    return text[:NAME_CHARACTERS_MAX]


def _fields(head: bytes) -> tuple[Fields, list[bytes]]:
    """The fields of a head whose shape is good, and the words of its first line."""
    first, *lines = head[:-4].split(b"\r\n")
    fields, words = Fields(), first.split(b" ", 2)
    fields.on_url(words[1])
    for line in lines:
        name, _, value = line.partition(b":")
        fields.on_header(name, value.strip(b" \t"))
    return fields, words


def _fault(head: bytes, of_first_line: Callable[[bytes], str | None]) -> str | None:
    """The first fault of a head, with the line that has it; None: every line is good."""
    if not head.endswith(b"\r\n\r\n"):
        return "it does not end with an empty line"
    first, *lines = head[:-4].split(b"\r\n")
    fault = _control(first) or of_first_line(first)
    if fault is not None:
        return f"first line: {fault}"
    for number, line in enumerate(lines, 1):
        fault = _field(line)
        if fault is not None:
            name, colon, _ = line.partition(b":")
            named = colon and name and line[:1] not in {b" ", b"\t"}
            quoted = f' ("{shown(name)}")' if named else ""
            return f"header field {number}{quoted}: {fault}"
    return None


def _control(text: bytes) -> str | None:
    return next((fault for pattern, fault in CONTROLS if pattern.search(text)), None)


def _field(line: bytes) -> str | None:
    """What is wrong with one field line."""
    name, colon, value = line.partition(b":")
    if not line:
        return "an empty line before the end"
    if line[:1] in {b" ", b"\t"}:
        return "white space at its start (a folded line)"
    if not colon:
        return _control(line) or "no colon"
    if not name:
        return "no name"
    if NAME.fullmatch(name):
        return _control(value)
    if name[-1:] in {b" ", b"\t"}:
        return "a space before the colon"
    return _control(name) or "a character that no name may have"


def _request_line(line: bytes) -> str | None:
    """What is wrong with a request line that has no control character."""
    words = line.split(b" ")
    if len(words) != 3 or not all(words):
        return "not method, target and version with one space between them"
    method, target, version = words
    if method not in METHODS:
        return "a method that is not known (methods are in capitals)"
    if version not in VERSIONS:
        return "a version other than HTTP/1.0 and HTTP/1.1"
    if not target.isascii() or b"\t" in target:
        return "a character in the target that must be percent-encoded"
    fault = next((fault for pattern, fault in TARGETS if pattern.match(target)), None)
    if fault is None and not HEAD_SHAPE.fullmatch(line + b"\r\n\r\n"):
        return "a malformed target"
    return fault


def _status_line(line: bytes) -> str | None:
    """What is wrong with a status line that has no control character."""
    version, _, rest = line.partition(b" ")
    if version not in VERSIONS:
        return "a version other than HTTP/1.0 and HTTP/1.1"
    if rest[:3] == b"101":
        return "a switch of protocols that nobody asked for"
    return None if RESPONSE_SHAPE.fullmatch(line + b"\r\n\r\n") else "no status of three digits"
