"""Connecting to providers to see whether they are there, by the way that requests would take.

Rule 1: no key is read, and nothing of a request is sent.
"""

from collections.abc import Mapping
from dataclasses import replace

import trio

from proxy.config.settings import LimitSettings
from proxy.errors import HedgerowError
from proxy.model.endpoint import Provider
from proxy.net.clock import monotonic_clock
from proxy.net.credentials import resolve_secret
from proxy.net.pool import Pool, Upstreams

DIAL_TIME_S = 10.0
"""Longest wait for one provider, all steps together."""


async def dial_all(providers: Mapping[str, Provider], environ: Mapping[str, str]) -> dict[str, str]:
    """Dial all at once. Returns: id -> "ok", "ok, TLS" or a reason."""
    outcomes: dict[str, str] = {}

    async def one(name: str, provider: Provider) -> None:
        outcomes[name] = await dial(provider, environ)

    async with trio.open_nursery() as nursery:
        for name, provider in providers.items():
            nursery.start_soon(one, name, provider)
    return outcomes


async def dial(provider: Provider, environ: Mapping[str, str]) -> str:
    """Connect, through a proxy if one leads there, shake hands, leave.

    Returns: "ok…", or why not, in a few words.
    """
    outcome = f"no answer within {DIAL_TIME_S:.0f} s"
    with trio.move_on_after(DIAL_TIME_S):
        try:
            outcome = await _connect(_pool_of(provider, environ))
        except HedgerowError as error:
            outcome = error.message
    return outcome


def _pool_of(provider: Provider, environ: Mapping[str, str]) -> Pool:
    """A pool for this provider alone, that knows no key. Raises: ConfigError."""

    def resolve(reference: str) -> str:
        return resolve_secret(reference, environ=environ, read_file=lambda _: "")

    upstreams = Upstreams(
        resolve, clock=monotonic_clock(), diallers={}, limits=LimitSettings(), environ=environ
    )
    upstreams.prepare([replace(provider, api_key=None, credentials=(), headers=())])
    return upstreams.pools()[0]


async def _connect(pool: Pool) -> str:
    """Raises: UpstreamUnavailableError."""
    connection = pool.fresh()
    assert connection is not None
    try:
        await pool.establish(connection)
    finally:
        pool.discard(connection)
    way = "ok" if pool.origin.tls is None else "ok, TLS"
    return way if pool.origin.proxy is None else f"{way}, by proxy"
