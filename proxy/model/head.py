"""The head of a request, parsed and checked."""

import msgspec


class RequestHead(msgspec.Struct):
    """One HTTP request without its body."""

    method: str
    path: str
    """Target up to "?", as sent (percent-encoding kept)."""
    query: bytes
    headers: dict[bytes, bytes]
    """Names in lower case; repeated fields joined with ", "."""
    http_10: bool = False
    keep_alive: bool = True
    content_length: int = 0
    chunked: bool = False
    expects_continue: bool = False
