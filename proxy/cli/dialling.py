"""Connecting to providers to see whether they are there: TCP, and TLS where the URL says so."""

import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import trio

from proxy.model.endpoint import Provider

DIAL_TIME_S = 10.0
"""Longest wait for one provider, all steps together."""


async def dial_all(providers: Mapping[str, Provider]) -> dict[str, str]:
    """Dial all at once. Returns: id -> "ok", "ok, TLS" or a reason."""
    outcomes: dict[str, str] = {}

    async def one(name: str, provider: Provider) -> None:
        outcomes[name] = await dial(provider)

    async with trio.open_nursery() as nursery:
        for name, provider in providers.items():
            nursery.start_soon(one, name, provider)
    return outcomes


async def dial(provider: Provider) -> str:
    """Connect, shake hands, leave. Returns: "ok…", or why not, in a few words."""
    outcome = f"no answer within {DIAL_TIME_S:.0f} s"
    with trio.move_on_after(DIAL_TIME_S):
        try:
            outcome = await _connect(provider)
        except ssl.SSLCertVerificationError as error:
            outcome = f"certificate refused: {error.verify_message}"
        except (ssl.SSLError, trio.BrokenResourceError) as error:
            cause = error.__cause__ or error
            outcome = f"TLS failed: {cause.__class__.__name__}"
        except OSError as error:
            outcome = f"refused: {error.strerror or error.__class__.__name__}"
    return outcome


async def _connect(provider: Provider) -> str:
    url = urlsplit(provider.base_url)
    secure = url.scheme == "https"
    host, port = url.hostname or "", url.port or (443 if secure else 80)
    stream = await trio.open_tcp_stream(host, port)
    async with stream:
        if not secure:
            return "ok"
        context = ssl.create_default_context(cafile=provider.ca_file)
        if provider.client_cert is not None:
            context.load_cert_chain(provider.client_cert)
        tls = trio.SSLStream(stream, context, server_hostname=host)
        await tls.do_handshake()
        return "ok, TLS"
