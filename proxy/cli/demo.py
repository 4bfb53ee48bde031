"""`hedgerow demo`: gateway, sandbox and a scripted conversation, without key or network."""

import click


@click.command()
def demo() -> None:
    """Play a conversation with the built-in sandbox."""
    import trio

    trio.run(_demo)


async def _demo() -> None:
    """Start a gateway on a free loopback port, talk to it, stop it."""
    from proxy.catalog.loader import build_catalog
    from proxy.cli.conversation import converse
    from proxy.config import parse_settings
    from proxy.server import running

    settings = parse_settings(
        {"server": {"bind": ["127.0.0.1:0"], "data": ""}, "auth": {"mode": "open"}},
        origin="demo",
    )
    catalog = build_catalog(settings, environ={})
    async with running(settings, catalog, keys=frozenset(), environ={}) as run:
        await converse(run.urls[0])
