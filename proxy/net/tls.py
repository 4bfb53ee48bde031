"""TLS: contexts for connections to providers, and the handshake of both sides."""

import ssl

import certifi
import trio

from proxy.errors import ConfigError
from proxy.model.endpoint import Provider


async def shake_hands(sock: ssl.SSLSocket) -> None:
    """Finish the handshake of a non-blocking socket, either side's; resumable. Raises: OSError."""
    while True:
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            await trio.lowlevel.wait_readable(sock)
        except ssl.SSLWantWriteError:
            await trio.lowlevel.wait_writable(sock)
        else:
            return


class ClientContexts:
    """TLS contexts, shared between providers with the same files: loading the roots takes 15 ms."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[str | None, str | None], ssl.SSLContext] = {}

    def of(self, provider: Provider) -> ssl.SSLContext:
        """The context for a provider. Raises: ConfigError."""
        files = (provider.ca_file, provider.client_cert)
        context = self._contexts.get(files)
        if context is None:
            context = self._contexts[files] = client_context(provider)
        return context


def client_context(provider: Provider) -> ssl.SSLContext:
    """A verifying context, TLS 1.2 or newer. Raises: ConfigError for unreadable files."""
    try:
        context = ssl.create_default_context(cafile=provider.ca_file or certifi.where())
        if provider.client_cert is not None:
            context.load_cert_chain(provider.client_cert)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"providers.{provider.id}: cannot load TLS files: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
