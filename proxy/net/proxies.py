"""Which proxy leads to a provider, and the tunnel through it.

Rule 1: what a proxy's URL holds as user and password goes to that proxy and nowhere else: no
message, `repr` or log shows it, and no message repeats a proxy's URL.
Rule 2: an unusable proxy is told at start, and only where it would be used.
Source: RFC 9110 sections 9.3.6 and 11.7; curl's manual for the variables, which no standard defines.
"""

import base64
import ipaddress
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

import trio

from proxy.errors import ConfigError, UpstreamUnavailableError
from proxy.model.endpoint import Provider
from proxy.net.credentials import Secret
from proxy.wire.http1 import INTERIM_MAX, RESPONSE_SHAPE

HEAD_BYTES_MAX = 16_384
"""A proxy's answer to CONNECT; nothing in it but the status is used."""
SCHEMES_REFUSED = frozenset({"https", "socks", "socks4", "socks4a", "socks5", "socks5h"})
HOST = re.compile(r"[A-Za-z0-9._~-]{1,253}|[0-9A-Fa-f:.]{2,45}")

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that is spoken to in clear text."""

    host: str
    port: int
    authorization: Secret = field(default=Secret(""), repr=False)
    """Value of Proxy-Authorization; empty: none is sent."""

    @property
    def fields(self) -> list[str]:
        """Header lines for the proxy itself; they hold the secret."""
        return [f"proxy-authorization: {self.authorization}"] if self.authorization else []


def choose_proxy(
    provider: Provider, environ: Mapping[str, str], resolve: Callable[[str], str]
) -> Proxy | None:
    """The proxy for `provider`, if any: its own setting, else what the environment says.

    A proxy in the settings is used for every origin; one in the environment is not used for this
    machine itself, nor for what NO_PROXY names.

    Raises: ConfigError in one line, without the proxy's URL.
    """
    origin = urlsplit(provider.base_url)
    if provider.proxy == "none":
        return None
    if provider.proxy is not None:
        place = f"providers.{provider.id}.proxy"
        variable = provider.proxy.startswith("env:")
        return read_proxy(resolve(provider.proxy) if variable else provider.proxy, place)
    host, port = origin.hostname or "", origin.port or (443 if origin.scheme == "https" else 80)
    if is_loopback(host):
        return None
    for name in _variables(origin.scheme, environ):
        if url := environ.get(name, "").strip():
            excepted = environ.get("no_proxy", "") or environ.get("NO_PROXY", "")
            return None if is_excepted(host, port, excepted) else read_proxy(url, name)
    return None


def _variables(scheme: str, environ: Mapping[str, str]) -> list[str]:
    """Variables that may name the proxy, the one that counts most first."""
    names = [f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"]
    if "REQUEST_METHOD" in environ:
        # Under CGI a client's header field `Proxy` arrives as HTTP_PROXY ("httpoxy", CVE-2016-5385).
        names = [name for name in names if name != "HTTP_PROXY"]
    return names


def read_proxy(text: str, place: str) -> Proxy:
    """Read a proxy's URL; without a scheme it is http. Raises: ConfigError naming `place` only."""
    scheme = text.partition("://")[0].lower() if "://" in text else "http"
    if scheme in SCHEMES_REFUSED:
        raise ConfigError(
            f"{place}: {scheme} proxies are not supported; use one of http://host:port"
        )
    complaint = ConfigError(f'{place}: a proxy is written as "http://host:port"')
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        host, port = url.hostname or "", url.port
    except ValueError:
        raise complaint from None
    plain = url.scheme == "http" and not url.path.strip("/") and not url.query and not url.fragment
    if not plain or not HOST.fullmatch(host) or port == 0:
        raise complaint
    return Proxy(host, port or 80, _basic(url, place))


def _basic(url: SplitResult, place: str) -> Secret:
    """User and password, percent-decoded, as RFC 7617 wants them; empty where there is no user."""
    user, password = unquote(url.username or ""), unquote(url.password or "")
    if not user and not password:
        return Secret("")
    if ":" in user or not (user + password).isprintable():
        raise ConfigError(f"{place}: user or password hold what a proxy cannot be told")
    return Secret("Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())


def is_loopback(host: str) -> bool:
    """This machine itself, in whatever form it is written."""
    address = _address(host)
    if address is not None:
        return address.is_loopback or address.is_unspecified
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def is_excepted(host: str, port: int, excepted: str) -> bool:
    """Whether NO_PROXY names this origin.

    Entries are separated by commas or blanks: "*", a name (which stands for all names below it too,
    with or without a leading dot or "*."), an address, a network such as "10.0.0.0/8"; a name or
    an address may end with ":port". Names are not looked up.
    """
    return any(_matches(host, port, entry) for entry in re.split(r"[,\s]+", excepted) if entry)


def _matches(host: str, port: int, entry: str) -> bool:
    if entry == "*":
        return True
    address = _address(host)
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    if _address(entry) is None:  # not a bare address: there may be a port behind the last colon
        name, _, digits = entry.rpartition(":")
        if name and digits.isdigit():
            if int(digits) != port:
                return False
            entry = name
    excluded = _address(entry.strip("[]"))
    if address is not None or excluded is not None:
        return address == excluded
    name = entry.removeprefix("*").strip(".").lower()
    return bool(name) and f".{host.rstrip('.')}".lower().endswith(f".{name}")


def _address(host: str) -> IPAddress | None:
    """An address that is written down, however: 127.1, 0x7f000001 and ::ffff:127.0.0.1 count."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if not host[:1].isdigit():
            return None
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


class Tunnel:
    """The way through a proxy to an origin with TLS; resumable."""

    __slots__ = ("_heard", "_interim", "_unsent")

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {authority} HTTP/1.1", f"host: {authority}", "user-agent: hedgerow"]
        request = "\r\n".join([*lines, *proxy.fields, "", ""])
        self._unsent = memoryview(request.encode("latin-1"))
        self._heard = b""
        self._interim = 0

    async def open(self, sock: socket.socket) -> None:
        """Ask for the tunnel and wait until it stands. Raises: UpstreamUnavailableError."""
        try:
            while self._unsent:
                try:
                    self._unsent = self._unsent[sock.send(self._unsent) :]
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(sock)
            while not self._is_open():
                try:
                    data = sock.recv(HEAD_BYTES_MAX)
                except BlockingIOError:
                    await trio.lowlevel.wait_readable(sock)
                    continue
                if not data:
                    raise UpstreamUnavailableError("Proxy ended the connection.")
                self._heard += data
        except OSError:
            raise UpstreamUnavailableError("Proxy reset the connection.") from None

    def _is_open(self) -> bool:
        """Read what was heard so far. Raises: UpstreamUnavailableError."""
        while (end := self._heard.find(b"\r\n\r\n") + 4) >= 4:
            head, self._heard = self._heard[:end], self._heard[end:]
            if end > HEAD_BYTES_MAX or not RESPONSE_SHAPE.fullmatch(head):
                raise UpstreamUnavailableError("Proxy sent a malformed reply.")
            status = int(head[9:12])
            if status >= 200:
                return self._accept(status)
            self._interim += 1
            if self._interim > INTERIM_MAX:
                raise UpstreamUnavailableError("Proxy sent no final reply.")
        if len(self._heard) > HEAD_BYTES_MAX:
            raise UpstreamUnavailableError("Proxy's reply head exceeds the size limit.")
        return False

    def _accept(self, status: int) -> bool:
        if status > 299:
            raise UpstreamUnavailableError(
                f"Proxy refused to connect to the provider: status {status}."
            )
        if self._heard:  # TLS begins with us: who speaks first here is not the provider
            raise UpstreamUnavailableError("Proxy sent more than it was asked for.")
        return True
