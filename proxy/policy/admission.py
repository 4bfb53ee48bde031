"""Who may call without a key: programs of this machine, not web pages that a browser of it shows.

A page of any site can make a browser send requests to loopback; it cannot hide its `Origin`, nor,
with a name that resolves to loopback (DNS rebinding), its `Host`.
"""

from collections.abc import Collection, Mapping

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
PLAIN_HOSTS = frozenset({b"localhost", b"127.0.0.1"})


def foreign(
    headers: Mapping[bytes, bytes],
    *,
    local: bool,
    hosts: Collection[str] = (),
    origins: Collection[str] = (),
) -> str | None:
    """Why an open gateway must not answer this request; None: it may.

    Args:
        local: the connection came over loopback or a unix socket.
        hosts: further `Host` names, without port.
        origins: `Origin`s that may call, scheme and port included.
    """
    if not local:
        return "This gateway has no keys and answers only its own machine."
    authority = headers.get(b"host", b"localhost")
    if authority.partition(b":")[0] not in PLAIN_HOSTS and not _allowed(authority, hosts):
        return "This gateway has no keys and answers only to loopback Host names; see server.hosts."
    origin = headers.get(b"origin")
    if origin is not None:
        text = origin.decode("latin-1").lower()
        if text not in origins and _name(text.partition("://")[2]) not in LOCAL_HOSTS:
            return "This gateway has no keys and answers no other Origin; see server.origins."
    return None


def _allowed(authority: bytes, hosts: Collection[str]) -> bool:
    host = _name(authority.decode("latin-1").lower())
    return host in LOCAL_HOSTS or host in hosts


def _name(authority: str) -> str:
    """The host of `host:port`; an IPv6 address keeps its brackets."""
    if authority.startswith("["):
        inside, bracket, port = authority.partition("]")
        return inside + bracket if not port or port.startswith(":") else authority
    return authority.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Is this peer address of this machine?"""
    return host == "::1" or host.startswith(("127.", "::ffff:127."))
