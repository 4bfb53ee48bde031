"""Listening sockets, opened once at start, with what each of them speaks.

Rule 1: what Linux alone knows is guarded; elsewhere our own deadlines do the work.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from proxy.config.bind import Bind, parse_bind
from proxy.config.settings import LimitSettings, ListenerSettings, Settings
from proxy.errors import ConfigError
from proxy.net.server_tls import ServerTls
from proxy.units import Seconds
from proxy.wire.parsers import Parser, parser_named

Opened = TypeVar("Opened")

BACKLOG = 2048
"""Connections that may wait to be accepted."""
USER_TIMEOUT_EXTRA_S = 5.0
"""Beyond `reader_s`, so that it is we who notice a peer that does not read, and count it."""
UNSENT_BYTES_MAX = 131_072
"""Bytes that the kernel keeps for a client beyond what is on its way; a thousand clients that do not
read made it keep 1.6 GB without this."""
ALT_SVC_S = 86_400
"""How long a client may remember that HTTP/3 is spoken; seconds."""


@dataclass(frozen=True, slots=True)
class Listener:
    """An open listening socket."""

    sock: socket.socket
    url: str
    """Base URL; "unix:/path" for a unix socket."""
    settings: ListenerSettings
    tls: ServerTls | None
    parser: Parser
    datagrams: socket.socket | None = None
    """For HTTP/3, on the UDP port of the same number."""
    announce: bytes = b""
    """Header lines of every reply over this listener."""

    @property
    def tcp(self) -> bool:
        """False: a unix socket."""
        return self.sock.family in {socket.AF_INET, socket.AF_INET6}

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Close the listening socket at the end of this block."""
        try:
            yield
        finally:
            self.sock.close()

    def close(self) -> None:
        """Close everything, and remove the file of a unix socket."""
        self.sock.close()
        if self.datagrams is not None:
            self.datagrams.close()
        if self.url.startswith("unix:"):
            Path(self.url.removeprefix("unix:")).unlink(missing_ok=True)


def open_listeners(settings: Settings, clock: Callable[[], Seconds]) -> list[Listener]:
    """Open every address of `server.bind`. Raises: ConfigError; then nothing stays open."""
    listeners: list[Listener] = []
    try:
        certificates = read_certificates(settings, clock)
        for configured, tls in zip(settings.server.listeners, certificates, strict=True):
            listeners.append(_opened(configured, tls, settings.limits))
    except ConfigError:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def read_certificates(settings: Settings, clock: Callable[[], Seconds]) -> list[ServerTls | None]:
    """What each listener shakes hands with; opens no socket. Raises: ConfigError."""
    if any(configured.http3 for configured in settings.server.listeners):
        require_http3()
    return [_tls(configured, clock) for configured in settings.server.listeners]


def _tls(configured: ListenerSettings, clock: Callable[[], Seconds]) -> ServerTls | None:
    if configured.tls_cert is None:
        return None
    # A client that offers both takes HTTP/1.1: one connection per stream is what the lane is fast at.
    protocols = ("http/1.1", "h2") if configured.speaks_http2 else ("http/1.1",)
    return ServerTls(configured.tls_cert, configured.tls_key, protocols=protocols, clock=clock)


def _opened(configured: ListenerSettings, tls: ServerTls | None, limits: LimitSettings) -> Listener:
    """Raises: ConfigError."""
    bind, address = parse_bind(configured.address), configured.address
    parser = parser_named(configured.parser)
    try:
        if bind.path:
            return Listener(_unix(bind.path), f"unix:{bind.path}", configured, tls, parser)
        sock = _tcp(bind, limits)
        host, port = sock.getsockname()[:2]
        url = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
        if not configured.http3:
            return Listener(sock, url, configured, tls, parser)
        datagrams = _close_on_error(sock, partial(_udp, sock))
    except OSError as error:
        raise ConfigError(f"server.bind: cannot listen on {address}: {error.strerror}") from None
    announce = b'alt-svc: h3=":%d"; ma=%d\r\n' % (port, ALT_SVC_S)
    return Listener(sock, url, configured, tls, parser, datagrams, announce)


def _tcp(bind: Bind, limits: LimitSettings) -> socket.socket:
    """A listening, non-blocking socket; what it accepts inherits its options. Raises: OSError."""
    found = socket.getaddrinfo(
        bind.host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, _, _, _, address = found[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux: a peer that is gone without a word
        milliseconds = int((limits.reader_s + USER_TIMEOUT_EXTRA_S) * 1000)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX)
    _close_on_error(listener, partial(listener.bind, address))
    listener.setblocking(False)
    listener.listen(BACKLOG)
    return listener


def _udp(beside: socket.socket) -> socket.socket:
    """A datagram socket of the same address and port. Raises: OSError."""
    datagrams = socket.socket(beside.family, socket.SOCK_DGRAM)
    _close_on_error(datagrams, partial(datagrams.bind, beside.getsockname()))
    datagrams.setblocking(False)
    return datagrams


def _unix(path: str) -> socket.socket:
    """Bind a socket file that only our user may open; one that nobody answers is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if Path(path).is_socket() and not _answers(path):
        with suppress(FileNotFoundError):
            Path(path).unlink()
    before = os.umask(0o177)
    try:
        _close_on_error(listener, partial(listener.bind, path))
    finally:
        os.umask(before)
    listener.setblocking(False)
    listener.listen(BACKLOG)
    return listener


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(path) == 0


def _close_on_error(sock: socket.socket, action: Callable[[], Opened]) -> Opened:
    try:
        return action()
    except OSError:
        sock.close()
        raise


def require_http3() -> None:
    """Raises: ConfigError where the library for HTTP/3 is not installed."""
    if find_spec("aioquic") is None:
        raise ConfigError("server.bind: http3 needs the extra hedgerow[http3]")
