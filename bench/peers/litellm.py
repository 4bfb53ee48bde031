"""LiteLLM's proxy, a gateway in Python."""

import json
import platform

from typing_extensions import override

from bench.peers.installs import Install, by_pip
from bench.peers.peer import HOST, INSTALLED, PROVIDER_KEY, Peer, Say, Site, Start, model
from bench.posts import KINDS, MODEL, TRANSLATED, Kind, Post, post, prefix

VERSION = "1.108.7"
INSTALL = Install(INSTALLED / "litellm", f"LiteLLM {VERSION}", "about 750 MB")
_ENVIRONMENT = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # prices from the package, not from the network
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # else it refuses to go without
}
KEEPALIVE_S = 75
"""How long it keeps a client's idle connection; its own 5 s are shorter than a pause of ours."""


class LiteLLM(Peer):
    """One worker on uvicorn, its default server."""

    @override
    def installed(self) -> bool:
        return INSTALL.done()

    @override
    def install(self, say: Say) -> None:
        INSTALL.carry_out(by_pip(f"litellm[proxy]=={VERSION}"), say)

    @override
    def version(self) -> str:
        return f"{VERSION} on Python {platform.python_version()}"

    @override
    def start(self, site: Site) -> Start:
        config = site.folder / "litellm.yaml"
        config.write_text(json.dumps(settings(site)))  # JSON is YAML, too
        program = INSTALL.folder / "venv" / "bin" / "litellm"
        listen = ("--host", HOST, "--port", str(site.port), "--num_workers", "1")
        more = ("--keepalive_timeout", str(KEEPALIVE_S), "--telemetry", "False")
        return Start(
            [str(program), "--config", str(config), *listen, *more],
            ready="/health/liveliness",
            environment=_ENVIRONMENT,
        )

    @override
    def post(self, kind: Kind, upstream: int) -> Post:
        return post(kind, path="/v1/chat/completions", model=model(kind))


def settings(site: Site) -> dict[str, object]:
    """A model per kind; what its page on production asks for where there is no database."""
    return {
        "model_list": [_model(kind, site.upstream) for kind in KINDS],
        "litellm_settings": {"request_timeout": 600, "set_verbose": False, "json_logs": True},
    }


def _model(kind: Kind, upstream: int) -> dict[str, object]:
    mock = f"http://{HOST}:{upstream}{prefix(kind)}"
    provider = ("anthropic", mock) if kind in TRANSLATED else ("openai", f"{mock}/v1")
    params = {
        "model": f"{provider[0]}/{MODEL}",
        "api_base": provider[1],
        "api_key": PROVIDER_KEY,
    }
    return {"model_name": model(kind), "litellm_params": params}


LITELLM = LiteLLM(
    name="litellm",
    title="LiteLLM",
    about="Its proxy with one worker on uvicorn and uvloop: LITELLM_MODE=PRODUCTION, LITELLM_LOG=ERROR, no "
    "database, no master key, no callbacks; it writes replies anew, leaves out fields that are null and "
    "adds costs.",
    kinds=frozenset(KINDS),
)
