"""TLS contexts for connections to providers."""

import ssl

import certifi

from proxy.errors import ConfigError
from proxy.model.endpoint import Provider


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
