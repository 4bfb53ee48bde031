"""Hedgerow as a sidecar: no accounts, no database, the mock as two providers' worth of dialects."""

from importlib.metadata import PackageNotFoundError, version

from typing_extensions import override

from bench.machine import ROOT
from bench.peers.peer import HOST, PROVIDER_KEY, Peer, Site, Start, model
from bench.posts import KINDS, MODEL, TRANSLATED, Kind, Post, post, prefix

PROGRAM = ROOT / ".venv" / "bin" / "hedgerow"
CHAT, MESSAGES = "openai-chat", "anthropic-messages"
_SERVER = """\
catalog = "none"
[server]
bind = [{{ address = "{host}:{port}", parser = "{parser}" }}]
data = "{data}"
[auth]
mode = "open"
"""
_PROVIDER = """
[providers.{name}]
dialect = "{dialect}"
base_url = "http://{host}:{mock}{prefix}/v1"
api_key = "env:MOCK_API_KEY"
parser = "{parser}"
"""
_MODEL = """
[[models]]
id = "{model}"
context_length = 128000
[[models.endpoints]]
provider = "{provider}"
upstream_model = "{upstream}"
prices = {{ prompt = "2.50", completion = "10.00" }}
"""


class Hedgerow(Peer):
    """`hedgerow sidecar`, as `make install` makes it."""

    parser = "fast"
    """Of HTTP, on both sides."""

    @override
    def missing(self) -> str:
        return "" if PROGRAM.exists() else ".venv/bin/hedgerow is missing: run `make install`"

    @override
    def version(self) -> str:
        try:
            return version("hedgerow")
        except PackageNotFoundError:
            return "unknown"

    @override
    def start(self, site: Site, *, more: str = "") -> Start:
        """`more` are lines to put before its settings."""
        config = site.folder / "hedgerow.toml"
        config.write_text(more + settings(site, self.parser))
        return Start(
            [str(PROGRAM), "sidecar", "--config", str(config)],
            ready="/healthz/ready",
            environment={"MOCK_API_KEY": PROVIDER_KEY},
        )

    @override
    def post(self, kind: Kind, upstream: int) -> Post:
        return post(kind, path="/api/v1/chat/completions", model=model(kind))


def settings(site: Site, parser: str) -> str:
    """A provider for each way the mock answers, a model for each kind."""
    data = site.folder / "data"
    text = _SERVER.format(host=HOST, port=site.port, data=data, parser=parser)
    ways = {provider(kind): (CHAT if kind not in TRANSLATED else MESSAGES, kind) for kind in KINDS}
    for name, (dialect, kind) in ways.items():
        text += _PROVIDER.format(
            name=name,
            dialect=dialect,
            host=HOST,
            mock=site.upstream,
            prefix=prefix(kind),
            parser=parser,
        )
    return text + "".join(
        _MODEL.format(model=model(kind), provider=provider(kind), upstream=MODEL) for kind in KINDS
    )


def provider(kind: Kind) -> str:
    """Which of the providers answers a kind."""
    return "messages" if kind in TRANSLATED else prefix(kind).strip("/") or "mock"


HEDGEROW = Hedgerow(
    name="hedgerow",
    title="Hedgerow",
    about="`hedgerow sidecar`: one process, no accounts, no database, no log of requests, prices known so "
    "that costs are worked out; routing, time-outs and health of endpoints as in production; it writes "
    "replies anew with ids and costs of its own.",
    kinds=frozenset(KINDS),
)
