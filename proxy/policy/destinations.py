"""What a URL must be before anything outside is asked for it, and whom it leads to.

One grammar, ours: what it does not know is refused, and nothing is repaired, decoded or guessed, so
that no second reader of the same text can see another host. The levelling is small: upper case in
scheme and host, a port that is the scheme's own, no path at all; a fragment stays here.

Rule 1: no message repeats a part of a URL: path and query may hold a secret.
Rule 2: what the operator listed as "host:port" is excused from the checks of addresses, local names
and ports, and from nothing else.

Source: RFC 3986; the WHATWG's "ends in a number" for hosts that some readers take for addresses.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address

import msgspec

from proxy.errors import ConfigError, InvalidRequestError, UpstreamUnavailableError
from proxy.policy.public import IPAddress, why_not

URL_CHARACTERS_MAX = 8192
HOST_CHARACTERS_MAX = 253
DEFAULT_PORTS = {"https": 443, "http": 80}

CLEAN = re.compile(r"[!-\[\]-~]+")
r"""Visible ASCII without "\", which some readers take for "/"."""
PORT = r"[1-9][0-9]{0,4}"
PARTS = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)"
    r"(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?(?:#.*)?"
)
AUTHORITY = re.compile(rf"(?P<host>\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::(?P<port>{PORT}))?")
"""No user, no "%", no zone, no empty port, none with a leading zero."""
LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = re.compile(rf"(?:{LABEL}\.)*{LABEL}")
NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*|.*\.[0-9][^.]*")
"""A host that a resolver may take for an address: 127.1, 2130706433, 0x7f.1, 0177.0.0.1. No top-level
domain begins with a digit."""
IPV4 = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})")
PATH = re.compile(
    r"/(?!/)(?:[!$&-;=@A-Z\[\]_a-z|~]|%(?:[2-6][0-9A-Fa-f]|7[0-9A-Ea-e]|[89A-Fa-f][0-9A-Fa-f]))*"
)
r"""No "//" at its start (an authority to many readers), no control character behind a "%"."""
DOTS = re.compile(r"/(?:\.|%2[Ee]){1,2}(?:/|$)")
"""Segments that some readers resolve and others send."""
QUERY = re.compile(r"\?(?:[!$&-;=?-Z\[\]^_`a-z{|}~]|%[0-9A-Fa-f]{2})*")
HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")

LOCAL = frozenset(
    ("corp", "home", "internal", "intranet", "lan", "local", "localdomain", "localhost", "private")
)
"""Last labels of names that only a local resolver knows."""


class Reach(msgspec.Struct, frozen=True):
    """What may be asked for."""

    schemes: tuple[str, ...] = ("https",)
    """Of "https" and "http"."""
    ports: frozenset[int] = frozenset({80, 443})
    allow: frozenset[tuple[str, int]] = frozenset()
    """(host, port) that the operator listed; made by `allowed`."""


WEB = Reach()


class Destination(msgspec.Struct, frozen=True):
    """Whom a URL leads to, and what it asks for."""

    scheme: str
    host: str
    """In lower case; an IPv6 address without brackets."""
    port: int
    target: str
    """Path and query, as they are sent."""
    address: IPAddress | None = None
    """Of a host that is one."""
    listed: bool = False
    """The operator listed it: its addresses are not checked."""

    @property
    def origin(self) -> tuple[str, str, int, bool]:
        """What connections are shared by: never between who is checked and who is not."""
        return self.scheme, self.host, self.port, self.listed

    @property
    def authority(self) -> str:
        """The value of the Host field: without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole, in the one form that there is of it; no fragment."""
        return f"{self.scheme}://{self.authority}{self.target}"


def check_url(text: str, reach: Reach = WEB) -> Destination:
    """Read a URL that may be asked for; names are not looked up here.

    Raises: InvalidRequestError, in words without any part of the URL.
    """
    if len(text) > URL_CHARACTERS_MAX:
        raise InvalidRequestError(f"The URL has more than {URL_CHARACTERS_MAX} characters.")
    if not CLEAN.fullmatch(text):
        raise InvalidRequestError(
            "The URL is empty, or holds a backslash, white space, control or non-ASCII characters."
        )
    parts = PARTS.fullmatch(text)
    if parts is None:
        raise InvalidRequestError("The URL is not absolute.")
    scheme = parts["scheme"].lower()
    if scheme not in reach.schemes:
        raise InvalidRequestError(f"The URL's scheme is not one of: {', '.join(reach.schemes)}.")
    host, port, address = _authority(parts["authority"], DEFAULT_PORTS[scheme])
    listed = (host, port) in reach.allow
    if not listed:
        _check_place(host, port, address, reach)
    target = _target(parts["path"] or "/", parts["query"] or "")
    return Destination(scheme, host, port, target, address, listed)


def _authority(text: str, default_port: int) -> tuple[str, int, IPAddress | None]:
    """Host, port, and the address where the host is one. Raises: InvalidRequestError."""
    parts = AUTHORITY.fullmatch(text)
    if parts is None:
        raise InvalidRequestError(
            "The URL's host is no plain name or address, with or without a port."
        )
    port = int(parts["port"] or default_port)
    if port > 65_535:
        raise InvalidRequestError("The URL's port does not exist.")
    host = parts["host"].lower()
    if host.startswith("["):
        address = _ipv6(host[1:-1])
        return str(address), port, address
    if IPV4.fullmatch(host):
        try:
            return host, port, ip_address(host)
        except ValueError:  # a number beyond 255
            raise InvalidRequestError("The URL's host is a malformed address.") from None
    if NUMERIC.fullmatch(host):
        raise InvalidRequestError("The URL's host is an address in an unusual form.")
    if len(host) > HOST_CHARACTERS_MAX or not NAME.fullmatch(host):
        raise InvalidRequestError("The URL's host is no well-formed name.")
    return host, port, None


def _ipv6(text: str) -> IPv6Address:
    """An IPv6 address, if this is how it is written. Raises: InvalidRequestError."""
    try:
        address = IPv6Address(text)
    except ValueError:
        raise InvalidRequestError("The URL's host is a malformed address.") from None
    if str(address) != text or address.ipv4_mapped is not None:  # RFC 5952: one address, one text
        raise InvalidRequestError("The URL's host is an address in an unusual form.")
    return address


def _check_place(host: str, port: int, address: IPAddress | None, reach: Reach) -> None:
    """Refuse a port that is not for everyone, and what is not public at first sight."""
    if port not in reach.ports:
        ports = ", ".join(str(port) for port in sorted(reach.ports))
        raise InvalidRequestError(f"The URL's port is not one of: {ports}.")
    if address is not None:
        reason = why_not(address)
        if reason:
            raise InvalidRequestError(f"The URL's address is not public: {reason}.")
    elif "." not in host or host.rpartition(".")[2] in LOCAL:
        raise InvalidRequestError("The URL's host is a local name.")


def _target(path: str, query: str) -> str:
    if not PATH.fullmatch(path) or DOTS.search(path):
        raise InvalidRequestError(
            'The URL\'s path begins with "//", holds "." or "..", or lacks percent-encoding.'
        )
    if query and not QUERY.fullmatch(query):
        raise InvalidRequestError("The URL's query lacks percent-encoding.")
    return path + query


def redirected(source: Destination, location: str, reach: Reach = WEB) -> Destination:
    """Where a redirect leads, checked like any other URL.

    Args:
        location: the value of its Location field.
    Raises: UpstreamUnavailableError.
    """
    text, start = location.partition("#")[0], f"{source.scheme}://{source.authority}"
    if text.startswith("//"):
        text = f"{source.scheme}:{text}"
    elif text.startswith("/"):
        text = start + text
    elif not HAS_SCHEME.match(text):
        path = source.target.partition("?")[0]
        text = start + (path if text[:1] in {"", "?"} else path[: path.rindex("/") + 1]) + text
    try:
        found = check_url(text, reach)
    except InvalidRequestError as error:
        raise UpstreamUnavailableError(
            f"Source redirects to where we do not go. {error.message}"
        ) from None
    if source.scheme == "https" and found.scheme != "https":
        raise UpstreamUnavailableError("Source redirects from https to http.")
    return found


def allowed(entries: Iterable[str]) -> frozenset[tuple[str, int]]:
    """Read the operator's list, each entry "host:port" or "[address]:port". Raises: ConfigError."""
    found = set()
    for entry in entries:
        parts = AUTHORITY.fullmatch(entry)
        if parts is None or parts["port"] is None:
            raise ConfigError(f'egress.allow: {entry!r} is not "host:port"')
        try:
            host, port, _ = _authority(entry, 0)
        except InvalidRequestError as error:
            reason = error.message.replace("The URL's", "its")
            raise ConfigError(f"egress.allow: {entry!r}: {reason}") from None
        found.add((host, port))
    return frozenset(found)
