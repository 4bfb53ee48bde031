"""TensorZero, a gateway in Rust, from its Python wheel.

The wheel brings the whole gateway as a library; a few lines of Python start it and then sleep, so all
the work is that of its own threads. It picks its port itself, and says which.
"""

from typing_extensions import override

from bench.peers.installs import Install, by_pip, no_wheel
from bench.peers.peer import HOST, INSTALLED, PROVIDER_KEY, Peer, Say, Site, Start
from bench.posts import KINDS, MODEL, TRANSLATED, Kind, Post, post, prefix

VERSION = "2026.6.0"
INSTALL = Install(INSTALLED / "tensorzero", f"TensorZero {VERSION}", "about 190 MB")
_LAUNCH = """\
import os, signal, sys
from tensorzero.tensorzero import _start_http_gateway
config, told = sys.argv[1:]
gateway = _start_http_gateway(
    config_file=config, clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
)
with open(told + ".new", "w") as file:
    file.write(gateway.base_url.split(":")[2].split("/")[0])
os.replace(told + ".new", told)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
while True:
    signal.pause()
"""
_GATEWAY = """\
[gateway]
observability.enabled = false
disable_pseudonymous_usage_analytics = true
"""
_MODEL = """
[models.{name}]
routing = ["mock"]
[models.{name}.providers.mock]
type = "{dialect}"
model_name = "{model}"
api_base = "http://{host}:{mock}{prefix}/v1/"
api_key_location = "env::MOCK_API_KEY"
"""


class TensorZero(Peer):
    """One thread of work beside those that wait."""

    @override
    def missing(self) -> str:
        return no_wheel()

    @override
    def installed(self) -> bool:
        return INSTALL.done()

    @override
    def install(self, say: Say) -> None:
        # its package imports `openai` without asking for it
        INSTALL.carry_out(by_pip(f"tensorzero=={VERSION}", "openai"), say)

    @override
    def version(self) -> str:
        return VERSION

    @override
    def start(self, site: Site) -> Start:
        config, told = site.folder / "tensorzero.toml", site.folder / "port"
        config.write_text(settings(site))
        python = INSTALL.folder / "venv" / "bin" / "python"
        return Start(
            [str(python), "-c", _LAUNCH, str(config), str(told)],
            told=told,
            environment={"TOKIO_WORKER_THREADS": "1", "MOCK_API_KEY": PROVIDER_KEY},
        )

    @override
    def post(self, kind: Kind, upstream: int) -> Post:
        named = f"tensorzero::model_name::{_name(kind)}"
        return post(kind, path="/openai/v1/chat/completions", model=named)


def settings(site: Site) -> str:
    """A model per kind, each with the mock as its only provider."""
    models = (
        _MODEL.format(
            name=_name(kind),
            dialect="anthropic" if kind in TRANSLATED else "openai",
            model=MODEL,
            host=HOST,
            mock=site.upstream,
            prefix=prefix(kind),
        )
        for kind in KINDS
    )
    return _GATEWAY + "".join(models)


def _name(kind: Kind) -> str:
    return f"bench_{kind}"


TENSORZERO = TensorZero(
    name="tensorzero",
    title="TensorZero",
    about="The gateway of the Python wheel: one thread of work (TOKIO_WORKER_THREADS=1), no database, no "
    "observability, no authentication; it writes replies anew with ids of its own, and sends the usage of "
    "a stream with its finish, so that there are 66 events instead of 67.",
    kinds=frozenset(KINDS),
)
