"""The certificate of a listener: loaded at start, read again when its files change.

Rule 1: whatever cannot be loaded later leaves the last good certificate in use, and one warning.
Rule 2: a connection keeps the context that it began with.
"""

import logging
import ssl
from collections.abc import Callable
from pathlib import Path

from proxy.errors import ConfigError
from proxy.units import Seconds

log = logging.getLogger("hedgerow.tls")

LOOK_S = 1.0
"""How often, at most, the files are looked at; seconds. A look is two `stat`, and only at a handshake."""

Stamp = tuple[tuple[int, int, int], ...]
"""(inode, nanoseconds of the last change, bytes) of each file."""


class ServerTls:
    """The TLS side of one listener."""

    def __init__(
        self,
        cert: str,
        key: str | None,
        *,
        protocols: tuple[str, ...],
        clock: Callable[[], Seconds],
    ) -> None:
        """Load the certificate.

        Args:
            cert: PEM file with the chain.
            key: PEM file with the private key; None: it is in `cert`.
            protocols: what ALPN offers, the preferred one first.
        Raises: ConfigError for files that cannot be used.
        """
        self.cert, self.key = cert, key or cert
        self._protocols = protocols
        self._clock = clock
        self._looked_at = clock()
        try:
            self._stamp = self._look()
            self._context = self._load()
        except (OSError, ValueError) as error:
            raise ConfigError(f"server.bind: tls_cert {cert}: {_reason(error)}") from None

    def context(self) -> ssl.SSLContext:
        """For a handshake that begins now."""
        now = self._clock()
        if now - self._looked_at >= LOOK_S:
            self._looked_at = now
            self._reload()
        return self._context

    def _reload(self) -> None:
        """Take a changed certificate if it is whole: two files are rarely replaced at one instant."""
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return
            context = self._load()
        except (OSError, ValueError) as error:
            log.warning("certificate %s is kept as it was: %s", self.cert, _reason(error))
            return
        self._stamp, self._context = stamp, context
        log.info("certificate %s was read again", self.cert)

    def _look(self) -> Stamp:
        found = [Path(path).stat() for path in (self.cert, self.key)]
        return tuple((one.st_ino, one.st_mtime_ns, one.st_size) for one in found)

    def _load(self) -> ssl.SSLContext:
        """A server's context: TLS 1.2 or newer, no renegotiation, no compression.

        Raises: OSError (ssl.SSLError is one).
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        context.load_cert_chain(self.cert, self.key, password=_no_password)
        context.set_alpn_protocols(list(self._protocols))
        return context


def _no_password() -> bytes:
    """Without this OpenSSL would ask the terminal."""
    raise ValueError("its private key is encrypted, which is not supported")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"not a usable certificate and key ({error.reason or 'no PEM'})"
    return str(getattr(error, "strerror", None) or error)
